//! Speech recognition, language models, speech synthesis and voice activity detection behind one trait per stage.
//!
//! | module | stage | providers |
//! | --- | --- | --- |
//! | [`stt`] | caller's audio → text | `pocketsphinx` |
//! | [`llm`] | conversation and passages → answer | `extractive`, `openai-compatible` |
//! | [`tts`] | text → audio | `flite` |
//! | [`vad`] | audio → speech started/ended | Silero |
//!
//! [`Registry`] finds what this image and this pod's credentials allow and hands out providers by the names used in an
//! agent's configuration. A provider is one folder here and one line in the registry; `docs/providers.md` says how to
//! add one. Nothing in here decides what a conversation does: providers report, the engine decides.

mod credentials;
mod error;
pub mod llm;
mod registry;
pub mod stt;
pub mod tts;
pub mod vad;

pub use credentials::{Credential, Credentials};
pub use error::{ProviderError, Result};
pub use registry::{ProviderState, Registry};

/// Sample rate of all audio that enters a provider, in samples per second, mono.
pub const INPUT_RATE: u32 = 16_000;
