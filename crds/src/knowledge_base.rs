//! `KnowledgeBase`: what a tenant's agents may look up.

use crate::{
    defaults::{default_from_schema, defaults},
    schema::{OBJECT_NAME, UUID},
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
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
    doc = "Texts that a tenant's agents may look up to answer callers. They are split into passages and indexed for \
           full-text search.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name of a KnowledgeBase is at most 40 characters long"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Documents", type_ = "integer", json_path = ".status.documents"),
    printcolumn(name = "Chunks", type_ = "integer", json_path = ".status.chunks", priority = 1),
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
    /// How passages are chosen for a question.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub retrieval: Retrieval,
}

/// One text, or one place texts come from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'Inline' ? has(self.inline) : !has(self.inline)")
        .message("a source of type `Inline` needs the block `inline`, and only that type may have it")
)]
pub struct Source {
    /// Name of the source, unique in this knowledge base; shown beside answers taken from it.
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub name: String,
    /// Kind of source. `Inline`: the text stands in this object. Omitted: `Inline`.
    #[serde(rename = "type", default)]
    pub type_: SourceType,
    /// The text itself; needed when `type` is `Inline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineSource>,
}

/// Kinds of source.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceType {
    /// The text stands in the object.
    #[default]
    Inline,
}

/// A text that stands in the object.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InlineSource {
    /// Plain text or Markdown. Paragraphs (separated by an empty line) are kept together where possible.
    #[schemars(length(min = 1, max = 200_000))]
    pub text: String,
}

/// How passages are chosen for a question.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retrieval {
    /// The most passages handed to the language model per question. Omitted: 3.
    #[serde(default = "default::top_k")]
    #[schemars(range(min = 1, max = 20))]
    pub top_k: i32,
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
}

common_status!(KnowledgeBaseStatus);

defaults! {
    top_k: i32 = 3;
}
default_from_schema!(KnowledgeBaseSpec, Retrieval);
