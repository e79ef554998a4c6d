//! Where texts come from.

use crate::defaults::defaults;
use crate::schema::OBJECT_NAME;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One text, or one place texts come from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'Inline' ? has(self.inline) : !has(self.inline)")
        .message("a source of type `Inline` needs the block `inline`, and only that type may have it"),
    validation = Rule::new("self.type == 'Url' ? has(self.url) : !has(self.url)")
        .message("a source of type `Url` needs the block `url`, and only that type may have it")
)]
pub struct Source {
    /// Name of the source, unique in this knowledge base; shown beside answers taken from it.
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub name: String,
    /// Kind of source. `Inline`: the text stands in this object. `Url`: it is fetched, and fetched again as it changes.
    /// Omitted: `Inline`.
    #[serde(rename = "type", default)]
    pub type_: SourceType,
    /// The text itself; needed when `type` is `Inline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineSource>,
    /// Where the text is fetched; needed when `type` is `Url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<UrlSource>,
}

/// Kinds of source.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceType {
    /// The text stands in the object.
    #[default]
    Inline,
    /// The text is fetched from an address.
    Url,
}

/// A text that stands in the object.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InlineSource {
    /// The text. Paragraphs (separated by an empty line) are kept together where possible.
    #[schemars(length(min = 1, max = 200_000))]
    pub text: String,
    /// What the text is written in. `Markdown`: plain text, in which lines that begin with `#` are headings; a passage
    /// carries the headings it stands under. `Html`: what a reader of the page sees. `Csv`: every row is a passage, with the
    /// names of the first row. `Text`: no line is a heading. Omitted: `Markdown`.
    #[serde(default)]
    pub format: TextFormat,
}

/// What a text is written in.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TextFormat {
    /// Paragraphs.
    Text,
    /// Paragraphs and headings.
    #[default]
    Markdown,
    /// A page.
    Html,
    /// A table.
    Csv,
}

/// A text that is fetched.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlSource {
    /// Address of the text. It must be public unless the platform allows more: a tenant cannot look into the cluster's
    /// network through it. At most 2 MiB are read, and three redirects followed.
    #[schemars(length(min = 8, max = 2048), pattern(r"^https?://[^\s/@]+(/[^\s]*)?$"))]
    pub url: String,
    /// What the text is written in. `Auto`: as the server says. Omitted: `Auto`.
    #[serde(default)]
    pub format: UrlFormat,
    /// Minutes after which the text is fetched again. Nothing is stored anew unless it changed; while its server fails, the
    /// text fetched last stays in use. Omitted: 1440, once a day.
    #[serde(default = "default::refresh_minutes")]
    #[schemars(range(min = 5, max = 43_200))]
    pub refresh_minutes: i32,
}

/// What a fetched text is written in.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UrlFormat {
    /// As the server's `Content-Type` says.
    #[default]
    Auto,
    /// Paragraphs.
    Text,
    /// Paragraphs and headings.
    Markdown,
    /// A page.
    Html,
    /// A table.
    Csv,
}

defaults! {
    refresh_minutes: i32 = 1440;
}
