//! Speech recognition: the caller's audio to text.

mod pocketsphinx;

use std::time::Duration;

use futures::{future::BoxFuture, stream::BoxStream};
use voxplane_control::v1::SttConfig;

pub use self::pocketsphinx::Pocketsphinx;
use super::{ProviderError, Result};

/// A speech recogniser.
pub trait SttProvider: Send + Sync {
    /// Name in an agent's configuration, for example `pocketsphinx`.
    fn name(&self) -> &'static str;

    /// Opens one call's stream.
    ///
    /// # Errors
    /// [`ProviderError::Config`] when the configuration cannot work, naming the field; otherwise what the connection
    /// to the recogniser gave.
    fn open<'a>(&'a self, config: &'a SttConfig) -> BoxFuture<'a, Result<SttStream>>;
}

/// One call's recogniser in two halves, so that one task may push while another reads. Dropping `input` ends the
/// stream: `events` yields what is left and finishes.
pub struct SttStream {
    /// Where audio goes.
    pub input: Box<dyn SttInput>,
    /// What was understood, in order.
    pub events: BoxStream<'static, SttEvent>,
}

/// The half that takes audio. No method blocks or awaits; queues behind it are bounded.
pub trait SttInput: Send {
    /// Mono audio at 16 kHz; `at_us` is the position of its first sample on the call clock, in microseconds. Audio is
    /// pushed continuously, speech or not: the recogniser keeps a short history, so that the start of an utterance
    /// that is announced late is not lost.
    ///
    /// # Errors
    /// [`ProviderError::Overloaded`] when the recogniser is too far behind (the audio is dropped, the stream lives),
    /// [`ProviderError::Unavailable`] when the stream is over.
    fn push(&mut self, pcm: &[i16], at_us: i64) -> Result<()>;

    /// The caller began to speak at `at_us` on the call clock (usually in the past).
    fn speech_started(&mut self, at_us: i64);

    /// The caller has been silent since `at_us` and may be done: time to get ahead. Whatever a recogniser prepares now
    /// is worth its while only if [`SttInput::speech_ended`] follows with the same position; speech that goes on is not
    /// announced. Recognisers that cannot use it ignore it.
    fn speech_paused(&mut self, at_us: i64) {
        let _ = at_us;
    }

    /// The caller stopped speaking at `at_us`: finish the utterance. Exactly one [`SttEvent::Final`] or
    /// [`SttEvent::Failed`] follows for each started utterance.
    fn speech_ended(&mut self, at_us: i64);
}

/// What a recogniser reports.
#[derive(Debug)]
pub enum SttEvent {
    /// What the utterance looks like so far; later events may contradict it. Never empty.
    Partial(Transcript),
    /// The utterance. An empty text says that speech was heard and not understood, which is an answer too: the
    /// conversation may ask to repeat.
    Final {
        /// Text and place.
        transcript: Transcript,
        /// 0.0–1.0, comparable within one provider only.
        confidence: f32,
        /// How long the recogniser took.
        timing: SttTiming,
    },
    /// The utterance is lost. The stream goes on unless it ends right after.
    Failed(ProviderError),
}

/// Words and where they were said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Lower-case words without punctuation, or written text, as the provider gives it.
    pub text: String,
    /// Start of the utterance on the call clock, microseconds.
    pub start_us: i64,
    /// End of what `text` covers on the call clock, microseconds.
    pub end_us: i64,
}

/// Durations of one utterance's recognition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SttTiming {
    /// From the call of `speech_ended` to the final transcript.
    pub finalise: Duration,
    /// Processor time spent decoding, when it is known.
    pub decode: Duration,
    /// Length of the audio that was decoded.
    pub audio: Duration,
}
