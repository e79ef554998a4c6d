//! What makes passages comparable by meaning.

use crate::refs::LocalSecretRef;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What makes passages comparable by meaning.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.provider != 'openai-compatible' || (has(self.model) && has(self.baseUrl) && has(self.secretRef) && has(self.dimensions))")
        .message("the provider `openai-compatible` needs `model`, `dimensions`, `baseUrl` (for example https://embeddings.example.com/v1) and `secretRef`"),
    validation = Rule::new("self.provider == 'openai-compatible' || !(has(self.model) || has(self.baseUrl) || has(self.secretRef) || has(self.dimensions))")
        .message("only the provider `openai-compatible` takes `model`, `dimensions`, `baseUrl` and `secretRef`: remove them, or choose it")
)]
pub struct Embedding {
    /// Who computes embeddings. `minilm`: all-MiniLM-L6-v2 with 384 dimensions, inside the platform, offline; made for
    /// English. `openai-compatible`: any service that speaks the OpenAI embeddings protocol. `none`: passages are found by
    /// their words only.
    pub provider: EmbeddingProvider,
    /// Model of the service, for example `text-embedding-3-small`; needed by `openai-compatible`, and only for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub model: Option<String>,
    /// Dimensions of the model's embeddings: 384, 768, 1024, 1536 or 3072; needed by `openai-compatible`, and only for it.
    /// `text-embedding-3-…` are asked for so many, any other model must have so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "dimensions")]
    pub dimensions: Option<i32>,
    /// Address of the service up to and including the version (`https://embeddings.example.com/v1`); needed by
    /// `openai-compatible`, and only for it. The Secret's key `allowed-endpoints` must list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 256), pattern(r"^https?://[^\s]+$"))]
    pub base_url: Option<String>,
    /// Secret with the service's key; needed by `openai-compatible`, and only for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
}

/// The dimensions that there is an index for.
fn dimensions(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "integer", "format": "int32", "minimum": 384, "maximum": 3072, "enum": [384, 768, 1024, 1536, 3072],
    })
}

/// Providers of embeddings.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddingProvider {
    /// Nobody.
    None,
    /// all-MiniLM-L6-v2, inside the platform.
    #[default]
    Minilm,
    /// Any service that speaks the OpenAI embeddings protocol.
    OpenaiCompatible,
}

impl EmbeddingProvider {
    /// The value as it is written in a manifest and in the label of a Secret.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minilm => "minilm",
            Self::OpenaiCompatible => "openai-compatible",
        }
    }
}
