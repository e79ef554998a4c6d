//! Embeddings: texts as points, so that what means the same lies close together. One trait, two providers.

mod minilm;
mod openai;
mod wordpiece;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

pub use self::minilm::{MODEL_FILE, MiniLm, VOCABULARY_FILE};
pub use self::openai::{OpenAiCompatible, OpenAiSettings, client};

/// The dimensions that the database has an index for.
pub const DIMENSIONS: [usize; 5] = [384, 768, 1024, 1536, 3072];

/// Which model made an embedding. Those of different models cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Model {
    /// Provider, model and, for a service, where it is; what is stored and shown.
    pub name: String,
    /// Numbers of an embedding.
    pub dimensions: usize,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} dimensions)", self.name, self.dimensions)
    }
}

/// Makes embeddings.
pub trait Embedder: fmt::Debug + Send + Sync {
    /// The model.
    fn model(&self) -> &Model;
    /// The most texts to hand over at once.
    fn batch(&self) -> usize;
    /// The embeddings of texts, in their order, each of length 1.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>>;
}

/// An embedder that several may hold.
pub type SharedEmbedder = Arc<dyn Embedder>;

/// Why there is no embedding.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file is not there, or not what it should be.
    #[error("{what}")]
    Missing {
        /// Which, and what is wrong.
        what: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Config(String),
    /// The service does not take the key.
    #[error("the embedding service does not accept the key")]
    Unauthorized,
    /// Too many questions.
    #[error("the embedding service was asked too often")]
    RateLimited {
        /// When to ask again, if the service said so.
        retry_after: Option<Duration>,
    },
    /// It does not work now.
    #[error("the embedding service does not answer{}", status.map(|status| format!(" (status {status})")).unwrap_or_default())]
    Unavailable {
        /// What HTTP said.
        status: Option<u16>,
        /// What the network said.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// It says no.
    #[error("the embedding service refuses (status {status}): {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Its words, shortened.
        message: String,
    },
    /// Its answer makes no sense.
    #[error("the embedding service answered something else: {0}")]
    Protocol(String),
    /// The model failed.
    #[error("the model failed")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl EmbedError {
    /// Whether it may go away by itself.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }
}

/// Scales to length 1; `None` for what has no direction.
fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length <= f32::EPSILON {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= length);
    Some(vector)
}
