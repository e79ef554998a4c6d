//! How texts are cut.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How texts are cut into passages. Sizes are in tokens, of four characters each.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.overlapTokens) || !has(self.sizeTokens) || self.overlapTokens * 2 <= self.sizeTokens")
        .message("`overlapTokens` is at most half of `sizeTokens`")
)]
pub struct Chunking {
    /// Kind of texts; it decides what is not given below. `Spoken`: 150 tokens without overlap, half a minute of speech.
    /// `Faq`: 256 tokens, 25 of them repeated. `Policy`: 512 and 50. `Technical`: 768 and 100. `Conversation`: 256 and 50,
    /// cut between speakers. `ProductSpecs`: 512 and 75. Omitted: `Spoken`.
    #[serde(default)]
    pub preset: ChunkPreset,
    /// Where texts may be cut. Omitted: as the preset says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ChunkStrategy>,
    /// The most tokens of a passage, not counting the headings above it. `minilm` reads 256 tokens of a passage and passes
    /// over the rest. Omitted: as the preset says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 32, max = 2048))]
    pub size_tokens: Option<i32>,
    /// The most tokens that a passage repeats of the one before, where a section is cut; never more than half of the size.
    /// Omitted: as the preset says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1024))]
    pub overlap_tokens: Option<i32>,
}

/// Kinds of texts.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChunkPreset {
    /// To be read out to callers.
    #[default]
    Spoken,
    /// Questions and answers.
    Faq,
    /// Terms, policies.
    Policy,
    /// Manuals.
    Technical,
    /// Transcripts, one line per speaker.
    Conversation,
    /// Data sheets.
    ProductSpecs,
}

/// Where texts may be cut. `Semantic`: between paragraphs and sentences. `Fixed`: between words, always at full size.
/// `Turns`: between lines, where each line is what one speaker says. Omitted: as the preset says.
// This text, not the field's, is what the schema of an optional enum shows.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChunkStrategy {
    /// Between paragraphs and sentences.
    Semantic,
    /// Between words.
    Fixed,
    /// Between lines.
    Turns,
}
