//! What counts as caller speech: hysteresis over the voice detector's probabilities.

use std::time::Duration;

use crate::config::VoiceRules;
use crate::time::CallTime;

/// Speech goes on until the probability falls this far below the threshold that started it.
const HYSTERESIS: f32 = 0.15;
/// A sound this quiet again before it became speech was none.
const DROP_AFTER: Duration = Duration::from_millis(160);
/// Silence after which speech may be over: the recogniser can get ahead while the rest of the silence runs.
const PAUSE: Duration = Duration::from_millis(160);

/// A change in what the caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoiceChange {
    /// A sound that may become speech.
    Onset { at: CallTime },
    /// It is speech.
    Confirmed { onset: CallTime },
    /// The caller is silent since the last voiced sample `at`, but not for long enough yet.
    Paused { at: CallTime },
    /// It was no speech.
    Dropped { at: CallTime },
    /// Speech is over; `at` is its last voiced sample.
    Ended { at: CallTime },
}

#[derive(Debug, Clone, Copy)]
struct Sound {
    onset: CallTime,
    last_voiced: CallTime,
    confirmed: bool,
    /// Whether the present silence was announced.
    paused: bool,
}

impl Sound {
    /// Silence that ends it.
    fn patience(&self, rules: &VoiceRules) -> Duration {
        if self.confirmed { rules.min_silence } else { rules.min_silence.min(DROP_AFTER) }
    }

    /// Whether a pause is to be announced before the end.
    fn may_pause(&self, rules: &VoiceRules) -> bool {
        self.confirmed && !self.paused && PAUSE < rules.min_silence
    }

    fn pause(&mut self) -> VoiceChange {
        self.paused = true;
        VoiceChange::Paused { at: self.last_voiced }
    }
}

/// Follows the caller's voice.
#[derive(Debug)]
pub(crate) struct VoiceActivity {
    rules: VoiceRules,
    sound: Option<Sound>,
    last_window: CallTime,
}

impl VoiceActivity {
    pub(crate) fn new(rules: VoiceRules) -> Self {
        Self { rules, sound: None, last_window: CallTime::ZERO }
    }

    /// Takes one window; windows that overlap earlier ones are ignored.
    pub(crate) fn push(&mut self, probability: f32, start: CallTime, end: CallTime) -> Option<VoiceChange> {
        if end <= self.last_window || start > end {
            return None;
        }
        self.last_window = end;
        let Some(sound) = &mut self.sound else {
            if probability < self.rules.threshold {
                return None;
            }
            self.sound = Some(Sound { onset: start, last_voiced: end, confirmed: false, paused: false });
            return Some(VoiceChange::Onset { at: start });
        };
        if probability >= self.rules.threshold - HYSTERESIS {
            sound.last_voiced = end;
            sound.paused = false;
        }
        if !sound.confirmed && sound.last_voiced.since(sound.onset) >= self.rules.min_speech {
            sound.confirmed = true;
            return Some(VoiceChange::Confirmed { onset: sound.onset });
        }
        if end >= sound.last_voiced + sound.patience(&self.rules) {
            return self.end();
        }
        (sound.may_pause(&self.rules) && end >= sound.last_voiced + PAUSE).then(|| sound.pause())
    }

    /// What the absence of windows means, to be asked when [`VoiceActivity::stalls_at`] is due.
    pub(crate) fn stall(&mut self) -> Option<VoiceChange> {
        match &mut self.sound {
            Some(sound) if sound.may_pause(&self.rules) => Some(sound.pause()),
            _ => self.end(),
        }
    }

    fn end(&mut self) -> Option<VoiceChange> {
        let sound = self.sound.take()?;
        let at = sound.last_voiced;
        Some(if sound.confirmed { VoiceChange::Ended { at } } else { VoiceChange::Dropped { at } })
    }

    /// Whether there is neither speech nor a sound that may become speech.
    pub(crate) fn is_quiet(&self) -> bool {
        self.sound.is_none()
    }

    /// Length of the current sound so far.
    pub(crate) fn length(&self) -> Duration {
        self.sound.map_or(Duration::ZERO, |sound| sound.last_voiced.since(sound.onset))
    }

    /// Last voiced sample of the current speech.
    pub(crate) fn last_voiced(&self) -> Option<CallTime> {
        self.sound.filter(|sound| sound.confirmed).map(|sound| sound.last_voiced)
    }

    /// When the absence of windows counts as silence: senders may send nothing while nothing is said. `heard_at` is when
    /// the last window was handled, `grace` what a network may hold packets back.
    pub(crate) fn stalls_at(&self, heard_at: CallTime, grace: Duration) -> Option<CallTime> {
        self.sound.map(|sound| {
            // A pause announced in vain costs the recogniser some work, no more: it need not be certain.
            let (silence, grace) = match sound.may_pause(&self.rules) {
                true => (PAUSE, grace.min(PAUSE)),
                false => (sound.patience(&self.rules), grace),
            };
            (heard_at + grace).max(sound.last_voiced + silence)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays windows of 32 ms and lists the changes with the end of the window that brought them, in milliseconds.
    fn play(probabilities: &[f32]) -> Vec<(i64, VoiceChange)> {
        let mut voice = VoiceActivity::new(VoiceRules::default());
        let mut changes = Vec::new();
        for (n, probability) in (0_i64..).zip(probabilities) {
            let (start, end) = (CallTime::from_millis(n * 32), CallTime::from_millis((n + 1) * 32));
            changes.extend(voice.push(*probability, start, end).map(|change| (end.as_micros() / 1_000, change)));
        }
        changes
    }

    fn pattern(parts: &[(usize, f32)]) -> Vec<f32> {
        parts.iter().flat_map(|(count, probability)| vec![*probability; *count]).collect()
    }

    #[test]
    fn speech_starts_at_the_first_window_and_ends_after_the_silence() {
        let changes = play(&pattern(&[(2, 0.0), (10, 0.9), (12, 0.1)]));
        assert_eq!(
            changes,
            [
                (96, VoiceChange::Onset { at: CallTime::from_millis(64) }),
                (320, VoiceChange::Confirmed { onset: CallTime::from_millis(64) }),
                (544, VoiceChange::Paused { at: CallTime::from_millis(384) }),
                (736, VoiceChange::Ended { at: CallTime::from_millis(384) }),
            ]
        );
    }

    #[test]
    fn every_pause_is_announced_once() {
        let changes = play(&pattern(&[(10, 0.9), (8, 0.0), (4, 0.9), (12, 0.0)]));
        let pauses = |change: &VoiceChange| matches!(change, VoiceChange::Paused { .. });
        let pauses: Vec<_> = changes.iter().map(|(_, change)| *change).filter(pauses).collect();
        assert_eq!(pauses, [320, 704].map(|ms| VoiceChange::Paused { at: CallTime::from_millis(ms) }));
    }

    #[test]
    fn without_windows_speech_pauses_and_then_ends() {
        let ms = CallTime::from_millis;
        let mut voice = VoiceActivity::new(VoiceRules::default());
        for n in 0..10 {
            voice.push(0.9, ms(n * 32), ms((n + 1) * 32));
        }
        let grace = Duration::from_millis(200);
        assert_eq!(voice.stalls_at(ms(330), grace), Some(ms(490)), "nothing was heard for a while");
        assert_eq!(voice.stall(), Some(VoiceChange::Paused { at: ms(320) }));
        assert_eq!(voice.stalls_at(ms(330), grace), Some(ms(670)), "the whole silence");
        assert_eq!(voice.stall(), Some(VoiceChange::Ended { at: ms(320) }));
        assert_eq!(voice.stalls_at(ms(330), grace), None);
    }

    #[test]
    fn a_click_is_dropped_quickly() {
        let changes = play(&pattern(&[(1, 0.8), (10, 0.0)]));
        assert_eq!(changes[1], (192, VoiceChange::Dropped { at: CallTime::from_millis(32) }));
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn a_dip_above_the_lower_threshold_is_still_speech() {
        let changes = play(&pattern(&[(4, 0.9), (20, 0.4), (4, 0.9)]));
        assert_eq!(changes.len(), 2, "onset and confirmation only: {changes:?}");
    }

    #[test]
    fn windows_out_of_order_change_nothing() {
        let mut voice = VoiceActivity::new(VoiceRules::default());
        let ms = CallTime::from_millis;
        assert_eq!(voice.push(0.1, ms(100), ms(132)), None);
        assert_eq!(voice.push(0.9, ms(60), ms(92)), None);
        assert!(voice.is_quiet());
    }
}
