//! Speech synthesis: text to audio.

mod flite;
mod text;

use std::time::Duration;

use futures::{future::BoxFuture, stream::BoxStream};

pub use self::{flite::Flite, text::speakable};
use super::Result;

/// A speech synthesiser.
pub trait TtsProvider: Send + Sync {
    /// Name in an agent's configuration, for example `flite`.
    fn name(&self) -> &'static str;

    /// Synthesises one clause or sentence and resolves when the first audio exists. Dropping the future or the chunk
    /// stream cancels the synthesis.
    ///
    /// # Errors
    /// [`ProviderError::Config`](super::ProviderError::Config) for an unknown voice or speed; otherwise what the
    /// synthesiser gave.
    fn synthesize(&self, request: TtsRequest) -> BoxFuture<'_, Result<TtsAudio>>;
}

/// What to say.
#[derive(Debug, Clone, PartialEq)]
pub struct TtsRequest {
    /// Plain text or text with light markup, which is removed before synthesis ([`speakable`]).
    pub text: String,
    /// Voice by the provider's name; empty = the provider's default.
    pub voice: String,
    /// 1.0 = the voice's own speed, 2.0 = twice as fast; 0.0 counts as 1.0.
    pub speed: f32,
    /// BCP 47.
    pub language: String,
}

/// Audio of one request.
pub struct TtsAudio {
    /// Samples per second, mono.
    pub sample_rate: u32,
    /// The audio in order; empty for a text without anything to say.
    pub chunks: BoxStream<'static, Result<Vec<i16>>>,
    /// Length of the whole, when it is known before the audio is complete; right within a few percent.
    pub duration: Option<Duration>,
    /// Where each word is, when the provider knows; as exact as `duration`.
    pub words: Option<Vec<WordMark>>,
    /// How long it took to the first audio.
    pub timing: TtsTiming,
}

/// A spoken word and its place in the audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordMark {
    /// The word as it stands in the text that was spoken.
    pub text: String,
    /// First millisecond.
    pub start_ms: u32,
    /// One past the last millisecond.
    pub end_ms: u32,
}

/// Durations of one synthesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TtsTiming {
    /// Waiting for a free synthesiser.
    pub queued: Duration,
    /// From the request to the first audio, waiting included.
    pub first_audio: Duration,
    /// The audio came out of the cache.
    pub cached: bool,
}
