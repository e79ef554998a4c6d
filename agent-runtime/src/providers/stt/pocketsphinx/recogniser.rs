//! One call's recogniser: whole utterances in, text and confidence out. Runs on a thread of its own; nothing here
//! waits.

use std::{
    ffi::CStr,
    time::{Duration, Instant},
};

use super::{
    Models,
    ffi::{Beam, Decoder, Vocabulary},
    grammar::{Grammar, without_fillers},
    score::Score,
};
use crate::providers::Result;

const PHRASES: &CStr = c"phrases";
const PHONES: &CStr = c"phones";
/// The free reading only needs a fair competitor, not the best one: at this width it costs a third less and separates
/// phrases from other speech as well as at the library's 1e-48.
const PHONES_BEAM: f64 = 1e-20;

/// What was recognised in an utterance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recognition {
    /// Empty: speech that is none of the phrases.
    pub(super) text: String,
    /// 0.0–1.0.
    pub(super) confidence: f32,
    /// Time it took.
    pub(super) took: Duration,
}

/// A decoder in one of its two uses.
pub(super) enum Recogniser {
    /// The agent's phrases and nothing else.
    Phrases(Decoder),
    /// Free dictation with the packaged language model.
    Dictation(Decoder),
}

impl Recogniser {
    pub(super) fn for_phrases(models: &Models, grammar: &Grammar) -> Result<Self> {
        let mut decoder = Decoder::new(&models.acoustic, &Vocabulary::Words(&grammar.words))?;
        decoder.add_grammar(PHRASES, &grammar.phrases, Beam::Default)?;
        decoder.add_grammar(PHONES, &grammar.phones, Beam::Narrow(PHONES_BEAM))?;
        Ok(Self::Phrases(decoder))
    }

    pub(super) fn for_dictation(models: &Models) -> Result<Self> {
        let vocabulary = Vocabulary::Language { dictionary: &models.dictionary, model: &models.language };
        Ok(Self::Dictation(Decoder::new(&models.acoustic, &vocabulary)?))
    }

    /// The best reading of an utterance that goes on.
    pub(super) fn partial(&mut self, pcm: &[i16]) -> Result<String> {
        let decoder = match self {
            Self::Phrases(decoder) => {
                decoder.select(PHRASES)?;
                decoder
            }
            Self::Dictation(decoder) => decoder,
        };
        Ok(without_fillers(&decoder.decode(pcm, false)?.text))
    }

    /// The reading of a complete utterance.
    pub(super) fn complete(&mut self, pcm: &[i16]) -> Result<Recognition> {
        let began = Instant::now();
        let (text, confidence) = match self {
            Self::Phrases(decoder) => {
                decoder.select(PHRASES)?;
                let phrase = decoder.decode(pcm, true)?;
                if phrase.text.is_empty() {
                    (String::new(), 0.0)
                } else {
                    decoder.select(PHONES)?;
                    let phones = decoder.decode(pcm, true)?;
                    let score = Score::of(&phrase.segments, &phones.segments);
                    let text = if score.accepts() { without_fillers(&phrase.text) } else { String::new() };
                    (text, score.confidence())
                }
            }
            Self::Dictation(decoder) => {
                let decoded = decoder.decode(pcm, true)?;
                (decoded.text, decoded.probability.clamp(0.0, 1.0))
            }
        };
        Ok(Recognition { text, confidence, took: began.elapsed() })
    }
}
