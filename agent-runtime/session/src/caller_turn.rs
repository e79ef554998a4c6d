//! What the caller has said since they were last answered.

use std::time::Duration;

use crate::text;
use crate::time::CallTime;

/// A transcript without detected speech counts as speech from this many words on: recognisers hear soft voices that the
/// voice detector misses, but they also hear single words in noise.
const WORDS_WITHOUT_VOICE: u32 = 2;
/// A final that reaches this close to the end of speech covers it.
const COVERS_WITHIN: Duration = Duration::from_millis(200);

/// A transcript as the recogniser gave it.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    pub(crate) text: String,
    pub(crate) start: CallTime,
    pub(crate) end: CallTime,
    pub(crate) confidence: Option<f32>,
}

/// The words and times of a turn that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finished {
    /// Everything the answer is for, including what was said before an answer that was called off.
    pub(crate) whole: String,
    /// The part not yet told to the ledger.
    pub(crate) said: String,
    pub(crate) start: CallTime,
    pub(crate) end: CallTime,
    pub(crate) confidence: Option<f32>,
    /// When the silence said that the turn is over.
    pub(crate) silence_over: CallTime,
    pub(crate) stt_final: Option<CallTime>,
}

/// Collects one turn.
#[derive(Debug, Default)]
pub(crate) struct CallerTurn {
    started: Option<CallTime>,
    last_voice: CallTime,
    /// Whether the voice detector heard it too: then it, and not the recogniser, says when the voice ended.
    voiced: bool,
    carried: String,
    finals: Vec<String>,
    confidences: Vec<f32>,
    partial: String,
    covered_until: Option<CallTime>,
    pending_final: Option<CallTime>,
    stt_final: Option<CallTime>,
    ended_at: Option<CallTime>,
    consumed_until: Option<CallTime>,
}

impl CallerTurn {
    /// The caller speaks since `onset`.
    pub(crate) fn speech(&mut self, onset: CallTime) {
        self.started.get_or_insert(onset);
        self.last_voice = self.last_voice.max(onset);
        self.voiced = true;
        self.ended_at = None;
    }

    /// The caller's speech is over: its final text is wanted.
    pub(crate) fn speech_ended(&mut self, at: CallTime, now: CallTime) {
        if self.started.is_none() {
            return;
        }
        self.last_voice = self.last_voice.max(at);
        self.ended_at = Some(now);
        let covered = self.covered_until.is_some_and(|until| until + COVERS_WITHIN >= at);
        if !covered {
            self.pending_final = Some(now);
        }
    }

    /// Text that may still change.
    pub(crate) fn partial(&mut self, heard: &Transcript) {
        if self.is_old(heard) {
            return;
        }
        if self.started.is_some() || text::word_count(&heard.text) >= WORDS_WITHOUT_VOICE {
            self.note_words(heard);
            self.partial.clone_from(&heard.text);
        }
    }

    /// Text that will not change.
    pub(crate) fn settled(&mut self, heard: &Transcript, now: CallTime) {
        if self.is_old(heard) {
            return;
        }
        if self.started.is_some() || text::word_count(&heard.text) >= WORDS_WITHOUT_VOICE {
            self.pending_final = None;
            self.covered_until = Some(heard.end);
            self.stt_final = Some(now);
            self.partial.clear();
            if text::word_count(&heard.text) > 0 {
                self.note_words(heard);
                self.finals.push(heard.text.clone());
                self.confidences.extend(heard.confidence);
            }
        }
    }

    /// Text typed on the keypad.
    pub(crate) fn typed(&mut self, text: String, now: CallTime) {
        self.speech(now);
        self.finals.push(text);
    }

    /// Whether the transcript belongs to a turn that is already answered, or to speech that was discarded.
    pub(crate) fn is_old(&self, heard: &Transcript) -> bool {
        self.consumed_until.is_some_and(|until| heard.start.midpoint(heard.end) <= until)
    }

    /// Whether the caller has begun a turn.
    pub(crate) fn is_open(&self) -> bool {
        self.started.is_some()
    }

    pub(crate) fn started(&self) -> Option<CallTime> {
        self.started
    }

    pub(crate) fn last_voice(&self) -> CallTime {
        self.last_voice
    }

    /// When the voice was found to be over.
    pub(crate) fn ended_at(&self) -> Option<CallTime> {
        self.ended_at
    }

    /// Since when a final text is awaited.
    pub(crate) fn pending_final(&self) -> Option<CallTime> {
        self.pending_final
    }

    /// Closes the turn and returns what was said; `None` when nothing was understood. `last_voice` is the last voiced
    /// sample of speech that still goes on.
    pub(crate) fn finish(&mut self, last_voice: Option<CallTime>, silence_over: CallTime) -> Option<Finished> {
        self.last_voice = self.last_voice.max(last_voice.unwrap_or(self.last_voice));
        let consumed_until = self.started.map_or(self.consumed_until, |_| Some(self.last_voice));
        let finished = self.spoken(silence_over);
        *self = Self { consumed_until, ..Self::default() };
        finished
    }

    /// Forgets what was said, for example because it was no interruption, and returns it. Its late transcripts still
    /// count.
    pub(crate) fn abandon(&mut self) -> Option<Finished> {
        let spoken = self.spoken(self.last_voice);
        *self = Self { consumed_until: self.consumed_until, ..Self::default() };
        spoken
    }

    fn spoken(&self, silence_over: CallTime) -> Option<Finished> {
        let start = self.started?;
        let end = self.last_voice;
        let said = text::join(self.finals.iter().map(String::as_str).chain([self.partial.as_str()]));
        let whole = text::join([self.carried.as_str(), said.as_str()]);
        let confidence = mean(&self.confidences);
        let stt_final = self.stt_final;
        (!whole.is_empty()).then_some(Finished { whole, said, start, end, confidence, silence_over, stt_final })
    }

    /// The answer to what was said until `end` was called off: it belongs to this turn again.
    pub(crate) fn carry(&mut self, earlier: String, start: CallTime, end: CallTime) {
        self.carried = earlier;
        self.started = Some(start);
        self.last_voice = self.last_voice.max(end);
    }

    /// How long the caller was silent within this turn before the speech that began at `onset`; `None` when it is the
    /// first of the turn.
    pub(crate) fn pause_before(&self, onset: CallTime) -> Option<Duration> {
        let spoke_before = self.ended_at.is_some() || !self.carried.is_empty();
        (self.is_open() && spoke_before).then(|| onset.since(self.last_voice))
    }

    fn note_words(&mut self, heard: &Transcript) {
        self.started.get_or_insert(heard.start);
        if !self.voiced {
            self.last_voice = self.last_voice.max(heard.end);
        }
    }
}

fn mean(values: &[f32]) -> Option<f32> {
    (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> CallTime {
        CallTime::from_millis(millis)
    }

    fn heard(text: &str, start: i64, end: i64) -> Transcript {
        Transcript { text: text.into(), start: ms(start), end: ms(end), confidence: Some(0.5) }
    }

    #[test]
    fn finals_are_joined_and_a_partial_fills_in_for_a_missing_one() {
        let mut turn = CallerTurn::default();
        turn.speech(ms(100));
        turn.settled(&heard("I would like", 100, 900), ms(950));
        turn.partial(&heard("an appointment", 1_000, 1_500));
        turn.speech_ended(ms(1_600), ms(1_950));
        assert_eq!(turn.pending_final(), Some(ms(1_950)));
        let finished = turn.finish(None, ms(2_000)).unwrap();
        assert_eq!(finished.whole, "I would like an appointment");
        assert_eq!(finished.confidence, Some(0.5));
        assert_eq!((finished.start, finished.end, finished.silence_over), (ms(100), ms(1_600), ms(2_000)));
    }

    #[test]
    fn a_final_before_the_end_of_speech_is_not_waited_for_again() {
        let mut turn = CallerTurn::default();
        turn.speech(ms(100));
        turn.settled(&heard("yes", 100, 800), ms(850));
        turn.speech_ended(ms(820), ms(1_170));
        assert_eq!(turn.pending_final(), None);
    }

    #[test]
    fn one_word_without_voice_is_noise_two_are_a_turn() {
        let mut turn = CallerTurn::default();
        turn.settled(&heard("the", 100, 300), ms(400));
        assert!(!turn.is_open());
        turn.settled(&heard("hello there", 100, 300), ms(400));
        assert!(turn.is_open());
    }

    #[test]
    fn a_late_transcript_of_an_answered_turn_is_old() {
        let mut turn = CallerTurn::default();
        turn.speech(ms(100));
        turn.partial(&heard("what are", 100, 900));
        turn.speech_ended(ms(1_000), ms(1_350));
        assert_eq!(turn.finish(None, ms(1_500)).unwrap().whole, "what are");
        turn.settled(&heard("what are your hours", 100, 1_000), ms(3_000));
        assert!(!turn.is_open());
    }

    #[test]
    fn a_recogniser_that_counts_trailing_silence_does_not_delay_the_end() {
        let mut turn = CallerTurn::default();
        turn.speech(ms(100));
        turn.speech_ended(ms(1_000), ms(1_350));
        turn.settled(&heard("when do you open", 0, 1_350), ms(1_400));
        assert_eq!(turn.last_voice(), ms(1_000));
    }

    #[test]
    fn nothing_understood_is_no_turn() {
        let mut turn = CallerTurn::default();
        turn.speech(ms(100));
        turn.settled(&heard("", 100, 900), ms(950));
        assert_eq!(turn.finish(None, ms(1_500)), None);
        assert!(!turn.is_open());
    }
}
