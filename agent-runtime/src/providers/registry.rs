//! Which providers this image and this pod have, by the names used in an agent's configuration.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use voxplane_control::v1::{LlmConfig, SttConfig, TtsConfig};

use super::{
    Credentials, ProviderError, Result,
    llm::{Extractive, LlmProvider, OpenAiCompatible},
    stt::{Pocketsphinx, SttProvider},
    tts::{Flite, TtsProvider},
    vad::SileroModel,
};

/// The providers of a process. Loading never fails as a whole: what cannot be loaded is off, with a reason.
pub struct Registry {
    credentials: Credentials,
    pocketsphinx: Loaded<Arc<Pocketsphinx>>,
    flite: Loaded<Flite>,
    http: Loaded<reqwest::Client>,
    silero: Loaded<Arc<SileroModel>>,
}

/// A provider and whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// As in `Hello`: `stt/pocketsphinx`.
    pub name: &'static str,
    /// Why it is off; `None` when it works.
    pub off: Option<String>,
}

/// A loaded part, or what is said to everybody who asks for it.
struct Loaded<T>(std::result::Result<T, String>);

impl<T: Clone> Loaded<T> {
    fn new(result: Result<T>) -> Self {
        Self(result.map_err(|error| voxplane_platform::error_chain::describe(&error)))
    }

    fn get(&self, name: &str) -> Result<T> {
        self.0.clone().map_err(|reason| ProviderError::Unavailable { what: format!("{name} ({reason})"), source: None })
    }

    fn state(&self, name: &'static str) -> ProviderState {
        ProviderState { name, off: self.0.as_ref().err().cloned() }
    }
}

const POCKETSPHINX: &str = "stt/pocketsphinx";
const FLITE: &str = "tts/flite";
const EXTRACTIVE: &str = "llm/extractive";
const OPENAI: &str = "llm/openai-compatible";
const SILERO: &str = "vad/silero";

impl Registry {
    /// Loads what `models` has (`libonnxruntime.so`, `silero_vad.onnx`) and what the system's packages brought; reads
    /// credentials from `credentials` when a call needs them. Takes about a second; call it off the async threads.
    pub fn from_env(models: &Path, credentials: impl Into<PathBuf>) -> Self {
        Self {
            credentials: Credentials::new(credentials),
            pocketsphinx: Loaded::new(Pocketsphinx::load().map(Arc::new)),
            flite: Loaded::new(Flite::load()),
            http: Loaded::new(OpenAiCompatible::client()),
            silero: Loaded::new(SileroModel::load(models)),
        }
    }

    /// The keys of this pod.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The recogniser an agent asks for.
    ///
    /// # Errors
    /// [`ProviderError::Config`] for an unknown name, [`ProviderError::Unavailable`] when it is off here.
    pub fn stt(&self, config: &SttConfig) -> Result<Arc<dyn SttProvider>> {
        match config.provider.as_str() {
            "pocketsphinx" => Ok(self.pocketsphinx.get(POCKETSPHINX)?),
            other => Err(unknown("stt.provider", other, "pocketsphinx")),
        }
    }

    /// The language model an agent asks for, with its key.
    ///
    /// # Errors
    /// [`ProviderError::Config`] naming the field that is wrong, [`ProviderError::Unavailable`] when it is off here.
    pub fn llm(&self, config: &LlmConfig) -> Result<Arc<dyn LlmProvider>> {
        match config.provider.as_str() {
            "extractive" => Ok(Arc::new(Extractive::new(config)?)),
            "openai-compatible" => {
                Ok(Arc::new(OpenAiCompatible::new(self.http.get(OPENAI)?, config, &self.credentials)?))
            }
            other => Err(unknown("llm.provider", other, "extractive, openai-compatible")),
        }
    }

    /// The synthesiser an agent asks for.
    ///
    /// # Errors
    /// [`ProviderError::Config`] for an unknown name, [`ProviderError::Unavailable`] when it is off here.
    pub fn tts(&self, config: &TtsConfig) -> Result<Arc<dyn TtsProvider>> {
        match config.provider.as_str() {
            "flite" => Ok(Arc::new(self.flite.get(FLITE)?)),
            other => Err(unknown("tts.provider", other, "flite")),
        }
    }

    /// The voice detector.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] when its model or ONNX Runtime is missing.
    pub fn vad(&self) -> Result<Arc<SileroModel>> {
        self.silero.get(SILERO)
    }

    /// Every provider this build knows and why it is off, for the log at start and for health pages.
    pub fn states(&self) -> Vec<ProviderState> {
        vec![
            self.pocketsphinx.state(POCKETSPHINX),
            ProviderState { name: EXTRACTIVE, off: None },
            self.http.state(OPENAI),
            self.flite.state(FLITE),
            self.silero.state(SILERO),
        ]
    }

    /// The names of the providers that work, as `Hello` tells them.
    pub fn capabilities(&self) -> Vec<String> {
        self.states().into_iter().filter(|state| state.off.is_none()).map(|state| state.name.to_owned()).collect()
    }
}

fn unknown(field: &str, name: &str, known: &str) -> ProviderError {
    ProviderError::config(field, format!("this runtime has no provider {name:?}; it has {known}"))
}
