//! When the caller is speaking, has finished, or interrupts.

use crate::defaults::{default_from_schema, defaults};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Voice activity detection: when somebody is speaking.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.preset) && has(self.custom))")
        .message("`preset` and `custom` exclude each other: remove one of them")
)]
pub struct Vad {
    /// Settings for a situation.
    // Not a schema default: the API server would add it beside `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<VadPreset>,
    /// Settings of your own, instead of a preset. Omitted: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<VadCustom>,
}

impl Vad {
    /// The settings in force.
    #[must_use]
    pub fn parameters(&self) -> VadCustom {
        self.custom.unwrap_or_else(|| self.preset.unwrap_or_default().parameters())
    }
}

/// Settings for a situation. `QuietOffice`: threshold 50 %, 250 ms of speech, 300 ms of silence. `Noisy`: 70 %, 300 ms,
/// 400 ms. `FastConversation`: 40 %, 150 ms, 200 ms. `ElderlyCallers`: 40 %, 200 ms, 500 ms. `CallCentre`: 50 %, 250 ms,
/// 350 ms. Omitted: `CallCentre`, unless `custom` is set.
// This text, not the field's, is what the schema of an optional enum shows.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VadPreset {
    /// A quiet room.
    QuietOffice,
    /// Street, car or workshop.
    Noisy,
    /// Short exchanges.
    FastConversation,
    /// Callers who pause.
    ElderlyCallers,
    /// The usual telephone line.
    #[default]
    CallCentre,
}

impl VadPreset {
    /// The settings the preset stands for.
    #[must_use]
    pub const fn parameters(self) -> VadCustom {
        let (threshold_percent, min_speech_ms, min_silence_ms) = match self {
            Self::QuietOffice => (50, 250, 300),
            Self::Noisy => (70, 300, 400),
            Self::FastConversation => (40, 150, 200),
            Self::ElderlyCallers => (40, 200, 500),
            Self::CallCentre => (50, 250, 350),
        };
        VadCustom { threshold_percent, min_speech_ms, min_silence_ms }
    }
}

/// Settings of voice activity detection.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VadCustom {
    /// How sure the detector must be that it hears speech, in percent. Omitted: 50.
    #[serde(default = "default::threshold_percent")]
    #[schemars(range(min = 1, max = 99))]
    pub threshold_percent: i32,
    /// Milliseconds of speech before it counts. Omitted: 250.
    #[serde(default = "default::min_speech_ms")]
    #[schemars(range(min = 0, max = 2_000))]
    pub min_speech_ms: i32,
    /// Milliseconds of silence after which speech counts as ended. Omitted: 350.
    #[serde(default = "default::min_silence_ms")]
    #[schemars(range(min = 50, max = 5_000))]
    pub min_silence_ms: i32,
}

/// When the caller has finished and the agent may answer.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.maxSilenceMs) || (has(self.strategy) && self.strategy == 'Adaptive')")
        .message("`maxSilenceMs` belongs to the strategy `Adaptive`: set it, or remove `maxSilenceMs`"),
    validation = Rule::new("!has(self.maxSilenceMs) || !has(self.silenceMs) || self.silenceMs <= self.maxSilenceMs")
        .message("`silenceMs` is at most `maxSilenceMs`: lower `silenceMs`, or raise `maxSilenceMs`")
)]
pub struct Turn {
    /// `Fixed`: after a fixed time of silence. `Adaptive`: the same, until the caller pauses and goes on; who does is
    /// waited for longer from then on, and less long again when their pauses stay away. Omitted: `Fixed`.
    #[serde(default)]
    pub strategy: TurnStrategy,
    /// Milliseconds of silence that end the caller's turn; with `Adaptive` the least. Omitted: those of `vad`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 5_000))]
    pub silence_ms: Option<i32>,
    /// With `Adaptive`: the most milliseconds of silence that are waited for. Omitted: 1500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 5_000))]
    pub max_silence_ms: Option<i32>,
}

impl Turn {
    /// The most silence that `Adaptive` waits for, where the author says nothing.
    pub const MAX_SILENCE_MS: i32 = 1_500;
}

/// How the end of the caller's turn is found.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TurnStrategy {
    /// By a fixed time of silence.
    #[default]
    Fixed,
    /// By a time of silence that follows the caller's pauses.
    Adaptive,
}

/// Whether and when the caller can interrupt the agent. At the first sound the agent only becomes quieter; what is set
/// here decides whether it then stops or goes on. The tenant's disclosure and consent message are never interrupted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BargeIn {
    /// Whether the caller can interrupt at all. Omitted: true.
    #[serde(default = "default::enabled")]
    pub enabled: bool,
    /// Words after which the agent stops. Omitted: 2.
    #[serde(default = "default::min_words")]
    #[schemars(range(min = 1, max = 20))]
    pub min_words: i32,
    /// Milliseconds of speech after which the agent stops, whatever was understood. Omitted: 500.
    #[serde(default = "default::barge_in_min_speech_ms")]
    #[schemars(range(min = 100, max = 5_000))]
    pub min_speech_ms: i32,
}

defaults! {
    threshold_percent: i32 = 50;
    min_speech_ms: i32 = 250;
    min_silence_ms: i32 = 350;
    enabled: bool = true;
    min_words: i32 = 2;
    barge_in_min_speech_ms: i32 = 500;
}
default_from_schema!(VadCustom, BargeIn);
