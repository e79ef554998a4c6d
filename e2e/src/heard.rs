//! What the caller heard, decided from the caller's own recording: where speech is, and how long answers took.
//!
//! Everything here is on one clock, the caller's 8 kHz samples, so a latency includes the whole path: endpointing,
//! recognition, thinking, synthesis, WebRTC, SIP and jitter buffers.

/// Samples per second of a telephone call.
pub const RATE: usize = 8_000;

const FRAME: usize = RATE / 50;
/// A frame louder than this (RMS of 16-bit samples) is speech: telephone silence after µ-law stays below 20, synthesised
/// speech peaks in the thousands.
const SPEECH_RMS: f64 = 200.0;
/// Pauses inside a sentence are shorter than this; a longer gap separates two utterances.
const SENTENCE_GAP_MS: usize = 400;
/// Anything shorter is a click, not speech.
const MIN_SPEECH_MS: usize = 100;

/// A stretch of speech, in samples since the start of the recording; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First sample.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
}

impl Segment {
    /// Length in milliseconds.
    pub fn millis(&self) -> usize {
        (self.end - self.start) * 1000 / RATE
    }
}

/// Root mean square of a block of samples.
pub fn rms(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (energy / samples.len() as f64).sqrt()
}

/// The stretches of speech in a recording, in order.
pub fn segments(samples: &[i16]) -> Vec<Segment> {
    let mut found: Vec<Segment> = Vec::new();
    for (index, frame) in samples.chunks(FRAME).enumerate() {
        if rms(frame) < SPEECH_RMS {
            continue;
        }
        let start = index * FRAME;
        let end = start + frame.len();
        match found.last_mut() {
            Some(last) if start - last.end <= SENTENCE_GAP_MS * RATE / 1000 => last.end = end,
            _ => found.push(Segment { start, end }),
        }
    }
    found.retain(|segment| segment.millis() >= MIN_SPEECH_MS);
    found
}

/// For every utterance of the caller, milliseconds from its last sample to the first sample of the agent's next
/// speech. An utterance that was never answered, or that the agent spoke over throughout, gives `None`.
pub fn response_times(spoken: &[i16], heard: &[i16]) -> Vec<Option<usize>> {
    let answers = segments(heard);
    segments(spoken)
        .iter()
        .map(|said| {
            answers.iter().find(|answer| answer.start >= said.end).map(|answer| (answer.start - said.end) * 1000 / RATE)
        })
        .collect()
}

/// Milliseconds from `from` (a sample) until the recording falls silent for at least `quiet_ms`, or `None` when it
/// does not.
pub fn silence_after(heard: &[i16], from: usize, quiet_ms: usize) -> Option<usize> {
    let needed = quiet_ms * RATE / 1000 / FRAME;
    let frames: Vec<bool> = heard.get(from..)?.chunks(FRAME).map(|frame| rms(frame) < SPEECH_RMS).collect();
    let start = frames.windows(needed.max(1)).position(|window| window.iter().all(|&quiet| quiet))?;
    Some(start * 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(ms: usize) -> Vec<i16> {
        (0..ms * RATE / 1000).map(|n| if n % 16 < 8 { 4000 } else { -4000 }).collect()
    }

    fn quiet(ms: usize) -> Vec<i16> {
        vec![3; ms * RATE / 1000]
    }

    #[test]
    fn speech_is_found_where_it_is_and_short_pauses_stay_inside() {
        let samples = [quiet(500), tone(300), quiet(200), tone(300), quiet(1000), tone(200)].concat();
        let found = segments(&samples);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].start, found[0].end), (4000, 4000 + 6400));
        assert_eq!(found[1].millis(), 200);
    }

    #[test]
    fn a_click_is_not_speech() {
        assert!(segments(&[quiet(500), tone(40), quiet(500)].concat()).is_empty());
    }

    #[test]
    fn the_response_time_runs_from_last_to_first_sample() {
        let spoken = [quiet(1000), tone(500), quiet(3000)].concat();
        let heard = [tone(400), quiet(1900), tone(700), quiet(1500)].concat();
        assert_eq!(response_times(&spoken, &heard), vec![Some(800)]);
    }

    #[test]
    fn an_unanswered_question_has_no_response_time() {
        assert_eq!(response_times(&tone(500), &quiet(2000)), vec![None]);
    }

    #[test]
    fn silence_after_a_barge_in_is_measured_from_the_barge_in() {
        let heard = [tone(1300), quiet(2000)].concat();
        assert_eq!(silence_after(&heard, RATE, 500), Some(300));
        assert_eq!(silence_after(&tone(1000), 0, 500), None);
    }
}
