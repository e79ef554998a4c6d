//! What knowledge bases are filled with: a way to fetch texts, a model, connections to services.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use tokio::sync::OnceCell;
use uuid::Uuid;
use voxplane_knowledge::embed::{MiniLm, SharedEmbedder};
use voxplane_knowledge::fetch::Fetcher;
use voxplane_platform::error_chain::describe;

use crate::config::Settings;

/// A text that could not be fetched is tried again after this time. A pass may come at any moment, so this is kept apart
/// from them.
pub const TRY_AGAIN: Duration = Duration::from_secs(300);
/// Failures remembered.
const FAILURES: usize = 10_000;

/// What knowledge bases are filled with.
#[derive(Debug)]
pub struct Tools {
    /// Fetches texts.
    pub fetcher: Fetcher,
    /// Connections to services that make embeddings.
    pub client: reqwest::Client,
    models: PathBuf,
    minilm: OnceCell<Result<SharedEmbedder, String>>,
    failures: Cache<(Uuid, String), (Instant, String)>,
}

impl Tools {
    /// Prepares everything; the model is loaded when the first knowledge base needs it.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &Settings) -> reqwest::Result<Self> {
        Ok(Self {
            fetcher: Fetcher::new(settings.knowledge_allowed.clone())?,
            client: voxplane_knowledge::embed::client()?,
            models: settings.models_dir.clone(),
            minilm: OnceCell::new(),
            failures: Cache::new(FAILURES),
        })
    }

    /// The offline model; else what is missing, for people.
    ///
    /// # Errors
    /// What is missing. Files of an image do not come by themselves: it stays so until the process starts again.
    pub async fn minilm(&self) -> Result<SharedEmbedder, String> {
        let load = async || {
            let models = self.models.clone();
            let loaded = tokio::task::spawn_blocking(move || MiniLm::load(&models)).await;
            match loaded {
                Ok(Ok(model)) => Ok(Arc::new(model) as SharedEmbedder),
                Ok(Err(error)) => Err(describe(&error)),
                Err(error) => Err(describe(&error)),
            }
        };
        self.minilm.get_or_init(load).await.clone()
    }

    /// Why an address could not be fetched a moment ago, if it could not.
    #[must_use]
    pub fn recent_failure(&self, base: Uuid, url: &str) -> Option<String> {
        let (at, why) = self.failures.get(&(base, url.to_owned()))?;
        (at.elapsed() < TRY_AGAIN).then_some(why)
    }

    /// Remembers that an address could not be fetched.
    pub fn failed(&self, base: Uuid, url: &str, why: String) {
        self.failures.insert((base, url.to_owned()), (Instant::now(), why));
    }
}
