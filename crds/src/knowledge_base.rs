//! `KnowledgeBase`: what a tenant's agents may look up.

mod chunking;
mod embedding;
mod source;

pub use chunking::{ChunkPreset, ChunkStrategy, Chunking};
pub use embedding::{Embedding, EmbeddingProvider};
pub use source::{InlineSource, Source, SourceType, TextFormat, UrlFormat, UrlSource};

use crate::{
    defaults::{default_from_schema, defaults},
    schema::UUID,
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What a knowledge base should hold.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "voxplane.dev",
    version = "v1alpha1",
    kind = "KnowledgeBase",
    shortname = "kb",
    category = "voxplane",
    namespaced,
    status = "KnowledgeBaseStatus",
    derive = "PartialEq",
    cel,
    doc = "Texts that a tenant's agents may look up to answer callers. They are split into passages and found by their \
           words and by their meaning.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name of a KnowledgeBase is at most 40 characters long"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Documents", type_ = "integer", json_path = ".status.documents"),
    printcolumn(name = "Chunks", type_ = "integer", json_path = ".status.chunks", priority = 1),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.embeddingModel", priority = 1),
    printcolumn(name = "Refreshed", type_ = "date", json_path = ".status.lastRefresh", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeBaseSpec {
    /// Name shown to people. Omitted: the object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// Where the texts come from. All inline texts of one knowledge base together are at most 900,000 characters long.
    /// Omitted: nothing to look up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.map(s, has(s.inline) ? size(s.inline.text) : 0).sum() <= 900000")
            .message("the inline texts are together more than 900,000 characters long: split the knowledge base in two"),
    )]
    pub sources: Vec<Source>,
    /// How texts are cut into passages. Omitted: short enough to be read out.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub chunking: Chunking,
    /// What makes passages comparable by meaning. Omitted: `minilm` where the platform has that model, else nothing, and
    /// passages are found by their words only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
    /// How passages are chosen for a question.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub retrieval: Retrieval,
}

/// How passages are chosen for a question.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retrieval {
    /// The most passages handed to the language model per question. Omitted: 3.
    #[serde(default = "default::top_k")]
    #[schemars(range(min = 1, max = 20))]
    pub top_k: i32,
    /// How alike question and passage must be, in percent. With embeddings: alike in meaning; a passage with every word of
    /// the question counts all the same. Without: the share of the question's words that the passage has. Omitted: 20 with
    /// embeddings, and one word suffices without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub threshold_percent: Option<i32>,
    /// How much the meaning of a passage counts in its place among those found; the rest is up to its words. 0: words only,
    /// 100: meaning only. Without embeddings words decide alone. Omitted: 60.
    #[serde(default = "default::meaning_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub meaning_percent: i32,
}

/// What the operator observed of a knowledge base.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeBaseStatus {
    /// Identifier of the knowledge base in the REST API, the database and external systems. Survives re-creation of the
    /// object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), pattern(UUID))]
    pub id: Option<String>,
    /// The generation this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `ResolvedRefs`, `Programmed` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Hash of the content that is indexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub content_hash: Option<String>,
    /// Number of indexed texts.
    #[serde(default)]
    pub documents: i32,
    /// Number of indexed passages.
    #[serde(default)]
    pub chunks: i32,
    /// Number of indexed passages that can be found by their meaning.
    #[serde(default)]
    pub embedded: i32,
    /// What makes them comparable by meaning: provider, model and dimensions. Absent: they are found by their words only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub embedding_model: Option<String>,
    /// When the texts of all sources with an address were last known to be as their servers have them. Absent: never, or
    /// no source has an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_refresh: Option<Time>,
}

common_status!(KnowledgeBaseStatus);

defaults! {
    top_k: i32 = 3;
    meaning_percent: i32 = 60;
}
default_from_schema!(KnowledgeBaseSpec, Retrieval);
