//! Speech recognition, language model, speech synthesis.

use crate::{
    defaults::{default_from_schema, defaults},
    refs::LocalSecretRef,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Speech recognition.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stt {
    /// Who recognises. `pocketsphinx`: inside the pod, offline; accurate only when `options.phrases` lists what callers
    /// say. Omitted: `pocketsphinx`.
    #[serde(default)]
    pub provider: SttProvider,
    /// Model of the provider. Omitted: the provider's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub model: Option<String>,
    /// Settings of the recogniser.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub options: SttOptions,
    /// Secret with the provider's key. Omitted: the provider needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
}

/// Providers of speech recognition.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SttProvider {
    /// CMU PocketSphinx, inside the pod.
    #[default]
    Pocketsphinx,
}

/// Settings of a speech recogniser.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SttOptions {
    /// Sentences and words that callers are likely to say, in lower case and without punctuation. For `pocketsphinx`
    /// they are all that is recognised. Omitted: the provider's whole vocabulary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub phrases: Vec<String>,
}

/// The language model that finds the answers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.provider != 'openai-compatible' || (has(self.model) && has(self.baseUrl))")
        .message("the provider `openai-compatible` needs `model` and `baseUrl` (for example https://llm.example.com/v1)"),
    validation = Rule::new("self.provider != 'extractive' || !(has(self.baseUrl) || has(self.secretRef))")
        .message("the provider `extractive` runs inside the pod: remove `baseUrl` and `secretRef`, or choose another provider")
)]
pub struct Llm {
    /// Who answers. `extractive`: inside the pod, offline; answers with sentences of the knowledge base.
    /// `openai-compatible`: any service that speaks the OpenAI chat completions protocol with streaming. Omitted:
    /// `extractive`.
    #[serde(default)]
    pub provider: LlmProvider,
    /// Model of the provider; needed by `openai-compatible`. Omitted: the provider's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub model: Option<String>,
    /// Address of the service up to and including the version (`https://llm.example.com/v1`); needed by
    /// `openai-compatible`. If `secretRef` is set, the Secret's key `allowed-endpoints` must list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512), pattern(r"^https?://[^\s]+$"))]
    pub base_url: Option<String>,
    /// Settings of the model.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub options: LlmOptions,
    /// Secret with the service's key. Omitted: the service needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
}

/// Providers of language models.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LlmProvider {
    /// Sentences of the knowledge base, chosen inside the pod.
    #[default]
    Extractive,
    /// Any service that speaks the OpenAI chat completions protocol.
    OpenaiCompatible,
}

/// Settings of a language model.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LlmOptions {
    /// Sampling temperature in percent: 0 is the most predictable, 100 is 1.0. Omitted: 30.
    #[serde(default = "default::temperature_percent")]
    #[schemars(range(min = 0, max = 200))]
    pub temperature_percent: i32,
    /// The most tokens of one answer. Omitted: 300.
    #[serde(default = "default::max_tokens")]
    #[schemars(range(min = 1, max = 8_192))]
    pub max_tokens: i32,
}

/// Speech synthesis.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tts {
    /// Who speaks. `flite`: inside the pod, offline. Omitted: `flite`.
    #[serde(default)]
    pub provider: TtsProvider,
    /// Voice of the provider. For `flite`: `slt`, `kal`, `awb` or `rms`. Omitted: `slt`.
    #[serde(default = "default::voice")]
    #[schemars(length(min = 1, max = 128))]
    pub voice: String,
    /// Speed in percent of the voice's own. Omitted: 100.
    #[serde(default = "default::speed_percent")]
    #[schemars(range(min = 50, max = 200))]
    pub speed_percent: i32,
    /// Secret with the provider's key. Omitted: the provider needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalSecretRef>,
}

/// Providers of speech synthesis.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TtsProvider {
    /// CMU Flite, inside the pod.
    #[default]
    Flite,
}

impl SttProvider {
    /// The value as it is written in a manifest and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pocketsphinx => "pocketsphinx",
        }
    }
}

impl LlmProvider {
    /// The value as it is written in a manifest and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Extractive => "extractive",
            Self::OpenaiCompatible => "openai-compatible",
        }
    }
}

impl TtsProvider {
    /// The value as it is written in a manifest and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flite => "flite",
        }
    }
}

defaults! {
    temperature_percent: i32 = 30;
    max_tokens: i32 = 300;
    voice: String = "slt";
    speed_percent: i32 = 100;
}
default_from_schema!(LlmOptions, Tts);
