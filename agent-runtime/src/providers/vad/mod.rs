//! Voice activity detection: is the caller speaking?
//!
//! [`SileroModel`] gives a probability per 32 ms of audio; [`SpeechDetector`] turns probabilities into "speech started"
//! and "speech ended". Both are separate so that an engine which decides in its own time can use the probabilities.

mod detector;
mod silero;

pub use self::{
    detector::{SpeechDetector, SpeechEvent},
    silero::{SileroModel, Vad, WINDOW},
};

/// Probability of speech in one window of audio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VadFrame {
    /// One past the window's last sample, counted from the first sample pushed, at 16 kHz.
    pub end_sample: u64,
    /// 0.0–1.0.
    pub probability: f32,
}
