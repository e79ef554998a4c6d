//! From probabilities to speech: a pure state machine with hysteresis.

use voxplane_control::v1::VadConfig;

use super::{VadFrame, WINDOW};
use crate::providers::INPUT_RATE;

/// How far below the threshold the probability must fall before speech counts as over. Silero's own reference
/// implementation (`VADIterator`) uses the same distance.
const HYSTERESIS: f32 = 0.15;
/// The lowest exit threshold, so that a very low start threshold can still end.
const LOWEST_EXIT: f32 = 0.01;

/// A change between silence and speech. Positions are samples at 16 kHz, counted like [`VadFrame::end_sample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEvent {
    /// Speech began at `at`, which lies `prefix_padding_ms` before the first window that reached the threshold.
    Started {
        /// Where speech began, padding included.
        at: u64,
        /// Where the decision was taken.
        decided: u64,
    },
    /// Speech ended at `at`, the end of the last window above the exit threshold.
    Ended {
        /// Where speech ended.
        at: u64,
        /// Where the decision was taken.
        decided: u64,
    },
}

/// Decides from a sequence of [`VadFrame`]s when speech starts and ends.
#[derive(Debug, Clone)]
pub struct SpeechDetector {
    enter: f32,
    exit: f32,
    min_speech: u64,
    min_silence: u64,
    padding: u64,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Silence,
    /// Above the threshold, not yet for long enough.
    Rising {
        from: u64,
    },
    /// `voiced_until`: end of the last window above the exit threshold.
    Speech {
        voiced_until: u64,
    },
}

impl SpeechDetector {
    /// A detector with the thresholds of an agent's configuration.
    pub fn new(config: &VadConfig) -> Self {
        let enter = (config.threshold as f32).clamp(LOWEST_EXIT, 1.0);
        Self {
            enter,
            exit: (enter - HYSTERESIS).max(LOWEST_EXIT),
            min_speech: samples(config.min_speech_ms),
            min_silence: samples(config.min_silence_ms),
            padding: samples(config.prefix_padding_ms),
            state: State::Silence,
        }
    }

    /// Takes the next window; at most one change comes out of it.
    pub fn push(&mut self, frame: VadFrame) -> Option<SpeechEvent> {
        let end = frame.end_sample;
        let start = end.saturating_sub(WINDOW as u64);
        match self.state {
            State::Silence if frame.probability >= self.enter => self.rising(start, end),
            State::Silence => None,
            State::Rising { from } if frame.probability >= self.exit => self.rising(from, end),
            State::Rising { .. } => {
                self.state = State::Silence;
                None
            }
            State::Speech { .. } if frame.probability >= self.exit => {
                self.state = State::Speech { voiced_until: end };
                None
            }
            State::Speech { voiced_until } if end.saturating_sub(voiced_until) >= self.min_silence => {
                self.state = State::Silence;
                Some(SpeechEvent::Ended { at: voiced_until, decided: end })
            }
            State::Speech { .. } => None,
        }
    }

    /// True between `Started` and `Ended`.
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speech { .. })
    }

    fn rising(&mut self, from: u64, end: u64) -> Option<SpeechEvent> {
        if end.saturating_sub(from) < self.min_speech {
            self.state = State::Rising { from };
            return None;
        }
        self.state = State::Speech { voiced_until: end };
        Some(SpeechEvent::Started { at: from.saturating_sub(self.padding), decided: end })
    }
}

fn samples(ms: u32) -> u64 {
    u64::from(ms) * u64::from(INPUT_RATE) / 1000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> VadConfig {
        VadConfig { threshold: 0.5, min_speech_ms: 250, min_silence_ms: 350, prefix_padding_ms: 100 }
    }

    fn run(probabilities: &[f32]) -> Vec<SpeechEvent> {
        let mut detector = SpeechDetector::new(&config());
        probabilities
            .iter()
            .enumerate()
            .filter_map(|(n, &probability)| {
                detector.push(VadFrame { end_sample: (n as u64 + 1) * WINDOW as u64, probability })
            })
            .collect()
    }

    fn windows(parts: &[(f32, usize)]) -> Vec<f32> {
        parts.iter().flat_map(|&(probability, count)| vec![probability; count]).collect()
    }

    #[test]
    fn speech_starts_after_the_minimum_and_is_dated_back() {
        let events = run(&windows(&[(0.0, 10), (0.9, 20)]));
        // Voice begins with window 10 (sample 5120); 250 ms = 4000 samples are complete with the eighth window.
        assert_eq!(events, [SpeechEvent::Started { at: 5120 - 1600, decided: 5120 + 8 * 512 }]);
    }

    #[test]
    fn a_cough_is_not_speech() {
        assert!(run(&windows(&[(0.0, 10), (0.9, 7), (0.0, 40)])).is_empty());
    }

    #[test]
    fn speech_ends_after_the_silence_and_is_dated_back_to_the_last_voice() {
        let events = run(&windows(&[(0.9, 20), (0.1, 10), (0.1, 10)]));
        // 350 ms = 5600 samples of silence are complete with the eleventh window.
        assert_eq!(events[1], SpeechEvent::Ended { at: 20 * 512, decided: 31 * 512 });
    }

    #[test]
    fn a_short_pause_stays_inside_the_utterance() {
        assert_eq!(run(&windows(&[(0.9, 20), (0.1, 10), (0.9, 20), (0.1, 20)])).len(), 2);
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        assert!(run(&windows(&[(0.4, 100)])).is_empty(), "0.4 does not start speech");
        assert_eq!(run(&windows(&[(0.9, 10), (0.4, 100)])).len(), 1, "0.4 does not end speech");
    }

    proptest! {
        #[test]
        fn starts_and_ends_alternate_and_move_forward(probabilities in prop::collection::vec(0.0f32..1.0, 0..400)) {
            let events = run(&probabilities);
            let mut last = 0;
            for (n, event) in events.iter().enumerate() {
                let (decided, starts) = match *event {
                    SpeechEvent::Started { at, decided } => { prop_assert!(at < decided); (decided, true) }
                    SpeechEvent::Ended { at, decided } => { prop_assert!(at < decided); (decided, false) }
                };
                prop_assert_eq!(starts, n % 2 == 0);
                prop_assert!(decided > last);
                last = decided;
            }
        }

        #[test]
        fn silence_always_ends_speech(probabilities in prop::collection::vec(0.0f32..1.0, 0..100)) {
            let all: Vec<f32> = probabilities.into_iter().chain(std::iter::repeat_n(0.0, 20)).collect();
            prop_assert!(run(&all).len().is_multiple_of(2));
        }
    }
}
