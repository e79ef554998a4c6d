//! The providers as a call uses them: real models, real synthesis, a real socket.
//!
//! Tests of the voice detector need ONNX Runtime and run with `--features test-models`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod conformance;
mod llm;
mod simulator;
mod speech;
mod stt;
mod tts;
#[cfg(feature = "test-models")]
mod vad;
