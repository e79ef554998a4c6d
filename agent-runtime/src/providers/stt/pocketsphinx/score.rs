//! Was it one of the phrases at all? A pure comparison of two readings of the same audio.
//!
//! A grammar search always prefers some phrase over nothing, so its own probability says nothing about speech outside
//! the grammar. The same audio is therefore read a second time as a free sequence of phones. Where the caller said the
//! phrase, the phrase's words explain the audio better than unrelated phones do; where they said something else, some
//! words explain it far worse.

/// A stretch of a decoded path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// Word, phone or filler, as the dictionary spells it.
    pub(super) word: String,
    /// First frame (10 ms each).
    pub(super) start: usize,
    /// One past the last frame.
    pub(super) end: usize,
    /// Acoustic log-likelihood in the library's units (natural logarithm × 10 000 / 1024).
    pub(super) score: f64,
}

/// How well a phrase explains an utterance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Mean advantage of the phrase over free phones per frame of speech.
    pub(super) advantage: f64,
    /// The same for the word where it is worst; short words are counted as [`SHORT_WORD`] frames.
    pub(super) worst_word: f64,
    /// Share of the speech that the phrase's words claim; the rest is declared silence.
    pub(super) coverage: f64,
    /// Frames of speech.
    pub(super) speech: f64,
}

/// Words shorter than this many frames are too short to judge alone.
const SHORT_WORD: usize = 20;

// Measured on the 17 phrases of the sample clinic: 680 utterances (four voices at five speeds, at 16 kHz and through
// 8 kHz µ-law), and in as many ways twelve other sentences and twelve other short turns (480 each). No phrase was refused
// and no sentence taken; of the short turns every fifth was, most of them as "goodbye" or "no".
/// Frames of speech up to which an utterance is short, and from which it is long; between them the bounds are mixed.
const SHORT: f64 = 80.0;
const LONG: f64 = 140.0;
/// The mean advantage below which it was not the phrase, for short and long utterances. In a short one through a
/// telephone line the free reading wins even against the truth: "s", "f" and "th" have lost what tells them apart,
/// and a few phones fit anything.
const MIN_ADVANTAGE: (f64, f64) = (-14.0, -2.0);
/// Below this coverage the phrase is only a part of what was said.
const MIN_COVERAGE: (f64, f64) = (0.4, 0.6);
/// Below this advantage of any word it was not the phrase.
const MIN_WORD: f64 = -29.0;
/// The mean advantage at which confidence is full; about a third of the phrases lie above.
const FULL_ADVANTAGE: f64 = 16.0;

impl Score {
    /// Compares the reading as a phrase with the reading as free phones.
    pub(super) fn of(phrase: &[Segment], phones: &[Segment]) -> Self {
        let speech: usize = phones.iter().filter(|segment| !is_silence(segment)).map(frames).sum();
        let mut total = 0.0;
        let mut claimed = 0;
        let mut worst_word = f64::INFINITY;
        for segment in phrase {
            let advantage = segment.score - free_score(phones, segment.start, segment.end);
            total += advantage;
            if !is_silence(segment) {
                claimed += frames(segment);
                worst_word = worst_word.min(advantage / frames(segment).max(SHORT_WORD) as f64);
            }
        }
        let speech = speech.max(1) as f64;
        Self { advantage: total / speech, worst_word, coverage: claimed as f64 / speech, speech }
    }

    /// True when the utterance was the phrase.
    pub(super) fn accepts(&self) -> bool {
        self.advantage >= self.bound(MIN_ADVANTAGE)
            && self.worst_word.is_finite()
            && self.worst_word >= MIN_WORD
            && self.coverage >= self.bound(MIN_COVERAGE)
    }

    /// 0.0–1.0: 0.5 at the border of acceptance.
    pub(super) fn confidence(&self) -> f32 {
        if !self.accepts() {
            return 0.0;
        }
        let border = self.bound(MIN_ADVANTAGE);
        let above = (self.advantage - border) / (FULL_ADVANTAGE - border);
        0.5 + 0.5 * above.clamp(0.0, 1.0) as f32
    }

    /// A bound for an utterance of this length.
    fn bound(&self, (short, long): (f64, f64)) -> f64 {
        short + (long - short) * ((self.speech - SHORT) / (LONG - SHORT)).clamp(0.0, 1.0)
    }
}

fn frames(segment: &Segment) -> usize {
    segment.end - segment.start
}

fn is_silence(segment: &Segment) -> bool {
    matches!(segment.word.as_str(), "<sil>" | "<s>" | "</s>" | "[NOISE]" | "[SPEECH]")
}

/// Score of the free reading over `start..end`, each segment's score spread evenly over its frames.
fn free_score(phones: &[Segment], start: usize, end: usize) -> f64 {
    phones
        .iter()
        .map(|phone| {
            let shared = phone.end.min(end).saturating_sub(phone.start.max(start));
            phone.score * shared as f64 / frames(phone).max(1) as f64
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(word: &str, start: usize, end: usize, per_frame: f64) -> Segment {
        Segment { word: word.into(), start, end, score: per_frame * (end - start) as f64 }
    }

    #[test]
    fn a_phrase_that_beats_free_phones_is_accepted() {
        let phrase = [segment("<sil>", 0, 10, -20.0), segment("yes", 10, 40, -20.0), segment("please", 40, 80, -20.0)];
        let phones = [segment("<sil>", 0, 10, -20.0), segment("g_y", 10, 80, -32.0)];
        let score = Score::of(&phrase, &phones);
        assert_eq!((score.advantage, score.worst_word, score.coverage), (12.0, 12.0, 1.0));
        assert!(score.accepts() && score.confidence() > 0.8);
    }

    #[test]
    fn one_wrong_word_spoils_the_phrase() {
        let phrase = [segment("opening", 0, 60, -10.0), segment("hours", 60, 90, -70.0)];
        let phones = [segment("g_o", 0, 90, -30.0)];
        let score = Score::of(&phrase, &phones);
        assert!(score.advantage < 0.1 && score.worst_word == -40.0 && score.coverage == 1.0);
        assert!(!score.accepts() && score.confidence() == 0.0);
    }

    #[test]
    fn a_phrase_inside_longer_speech_is_not_the_utterance() {
        let phrase = [segment("yes", 0, 30, -10.0), segment("<sil>", 30, 200, -25.0)];
        let phones = [segment("g_y", 0, 200, -30.0)];
        let score = Score::of(&phrase, &phones);
        assert!(score.advantage > MIN_ADVANTAGE.1 && score.coverage == 0.15);
        assert!(!score.accepts());
    }

    #[test]
    fn more_is_asked_of_a_long_utterance() {
        let accepts = |frames: usize, advantage: f64| {
            Score::of(&[segment("yes", 0, frames, advantage - 30.0)], &[segment("g_y", 0, frames, -30.0)]).accepts()
        };
        assert!(accepts(60, -13.5) && !accepts(60, -14.5));
        assert!(accepts(200, -1.5) && !accepts(200, -2.5));
        assert!(accepts(110, -7.5) && !accepts(110, -8.5));
    }

    #[test]
    fn silence_is_no_phrase() {
        assert!(!Score::of(&[segment("<sil>", 0, 50, -20.0)], &[segment("<sil>", 0, 50, -20.0)]).accepts());
        assert!(!Score::of(&[], &[]).accepts());
    }
}
