//! What an agency or a tenant sets once for all its agents.

use crate::{
    schema::LANGUAGE,
    voice_agent::{BargeIn, Closed, Goodbye, Greeting, Limits, Llm, Messages, Prompt, Silence, Stt, Tts, Turn, Vad},
};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Settings for all agents below. Each is one block, as in a VoiceAgent, and counts as a whole: the agent's own block
/// comes first, then the tenant's, then the agency's, then what is built in. Blocks are never mixed, so a key only goes
/// to the address that is written beside it. `kubectl voxplane explain` shows which block an agent uses.
///
/// A Secret that is named here lies in the agency's namespace `vx-<agency>`, whoever names it. Tenants cannot read it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentDefaults {
    /// Who the agents are and how they talk. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_000))]
    pub persona: Option<String>,
    /// What the language model is told to do. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// How calls begin. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<Greeting>,
    /// Language of the conversations as a BCP 47 tag. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35), pattern(LANGUAGE))]
    pub language: Option<String>,
    /// Speech recognition. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stt: Option<Stt>,
    /// The language model. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<Llm>,
    /// Speech synthesis. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts: Option<Tts>,
    /// Voice activity detection. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vad: Option<Vad>,
    /// When the caller has finished. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Whether and when the caller can interrupt. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_in: Option<BargeIn>,
    /// What ends a call, and the last words. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodbye: Option<Goodbye>,
    /// What happens when the caller says nothing. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Limits of one call. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What is said when something goes wrong. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// What happens to calls outside of the tenant's `businessHours`; an agent that it names is looked for beside the
    /// one that was called. Omitted: nothing is set here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

impl AgentDefaults {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
