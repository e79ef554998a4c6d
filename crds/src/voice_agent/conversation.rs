//! What the agent says: prompt, greeting, goodbye, silence, limits, messages.

use crate::defaults::{default_from_schema, defaults};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the language model is told to do.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// Instructions to the language model. Omitted: to answer briefly, and only from what it was given to read.
    #[serde(default = "default::system")]
    #[schemars(length(max = 65_536))]
    pub system: String,
}

/// How the call begins.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    /// `AgentFirst`: the agent speaks first. `CallerFirst`: it waits for the caller. Omitted: `AgentFirst`.
    #[serde(default)]
    pub mode: GreetingMode,
    /// The first words, after the tenant's disclosure and consent message. Omitted: a neutral greeting in English.
    #[serde(default = "default::greeting")]
    #[schemars(length(max = 1_000))]
    pub text: String,
}

/// Who speaks first.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GreetingMode {
    /// The agent.
    #[default]
    AgentFirst,
    /// The caller.
    CallerFirst,
}

/// What ends the call, and the last words.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Goodbye {
    /// What a caller says to end the call: a turn that is, or ends with, one of these phrases. Omitted: `goodbye` and
    /// `bye`. Empty: only the caller, silence or a limit ends the call.
    #[serde(default = "default::goodbye_phrases")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub phrases: Vec<String>,
    /// Spoken before hanging up. Omitted: a neutral goodbye in English. Empty: nothing is said.
    #[serde(default = "default::goodbye_message")]
    #[schemars(length(max = 500))]
    pub message: String,
}

/// What happens when the caller says nothing.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Seconds of silence after which the agent asks whether somebody is there. 0: never. Omitted: 8.
    #[serde(default = "default::prompt_after_seconds")]
    #[schemars(range(min = 0, max = 300))]
    pub prompt_after_seconds: i32,
    /// What the agent asks then. Omitted: a neutral question in English.
    #[serde(default = "default::silence_prompt")]
    #[schemars(length(min = 1, max = 500))]
    pub prompt: String,
    /// Questions without an answer after which the agent hangs up. Omitted: 2.
    #[serde(default = "default::max_prompts")]
    #[schemars(range(min = 1, max = 10))]
    pub max_prompts: i32,
    /// Spoken before hanging up. Omitted: a neutral goodbye in English. Empty: nothing is said.
    #[serde(default = "default::farewell")]
    #[schemars(length(max = 500))]
    pub farewell: String,
}

/// Limits of the agent's calls.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Seconds after which the agent ends the call. Pods that must stop wait this long for their calls. Omitted: 1800.
    #[serde(default = "default::max_duration_seconds")]
    #[schemars(range(min = 10, max = 14_400))]
    pub max_duration_seconds: i32,
    /// The most calls the agent takes within any 60 minutes; more are refused as busy. Omitted: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub calls_per_hour: Option<i32>,
    /// Spoken before the call is ended for its length. Omitted: a neutral sentence in English. Empty: nothing is said.
    #[serde(default = "default::max_duration_message")]
    #[schemars(length(max = 500))]
    pub max_duration_message: String,
}

/// What is said when something goes wrong.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// Spoken when a provider fails for good, before hanging up. Omitted: a neutral sentence in English.
    #[serde(default = "default::error")]
    #[schemars(length(min = 1, max = 500))]
    pub error: String,
    /// Spoken to callers for whom no slot is free, before hanging up. Omitted: a neutral sentence in English.
    #[serde(default = "default::busy")]
    #[schemars(length(min = 1, max = 500))]
    pub busy: String,
}

defaults! {
    system: String = "Answer the caller's question in one or two short spoken sentences. Use only the passages you are \
                      given. If they hold no answer, say that you do not know.";
    greeting: String = "Hello, how can I help you?";
    goodbye_phrases: Vec<String> = vec!["goodbye".to_owned(), "bye".to_owned()];
    goodbye_message: String = "Goodbye.";
    prompt_after_seconds: i32 = 8;
    silence_prompt: String = "Are you still there?";
    max_prompts: i32 = 2;
    farewell: String = "I cannot hear you, so I will hang up now. Goodbye.";
    max_duration_seconds: i32 = 1_800;
    max_duration_message: String = "We have reached the end of the time for this call. Goodbye.";
    error: String = "I am sorry, something went wrong on our side. Please call again later.";
    busy: String = "All our lines are busy. Please call again in a few minutes.";
}
default_from_schema!(Prompt, Greeting, Goodbye, Silence, Limits, Messages);
