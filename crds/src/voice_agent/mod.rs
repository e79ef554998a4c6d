//! `VoiceAgent`: who answers, how it listens, thinks and speaks, and what it runs on.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`canary`] | an image that is tried on a share of the calls |
//! | [`closed`] | what happens outside of the tenant's business hours |
//! | [`conversation`] | what the agent says: prompt, greeting, goodbye, silence, limits, messages |
//! | [`listening`] | when the caller is speaking, has finished, or interrupts |
//! | [`providers`] | speech recognition, language model, speech synthesis |
//! | [`runtime`] | the pods the agent's calls run on |
//! | [`scheduling`] | which nodes they run on, with which accelerators and model files |
//! | [`scaling`] | who decides how many there are |

pub mod canary;
pub mod closed;
pub mod conversation;
pub mod listening;
pub mod providers;
pub mod runtime;
pub mod scaling;
pub mod scheduling;

pub use canary::{Canary, CanaryStatus};
pub use closed::Closed;
pub use conversation::{Goodbye, Greeting, GreetingMode, Limits, Messages, Prompt, Silence};
pub use listening::{BargeIn, Turn, TurnStrategy, Vad, VadCustom, VadPreset};
pub use providers::{Llm, LlmOptions, LlmProvider, Stt, SttOptions, SttProvider, Tts, TtsProvider};
pub use runtime::{Placement, RuntimeSpec};
pub use scaling::{Scaling, ScalingMode, ScalingStatus};
pub use scheduling::{Gpu, ModelVolume, Toleration, TopologySpread};

use crate::{
    defaults::default_from_schema,
    refs::LocalRef,
    schema::{LANGUAGE, UUID},
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What a voice agent should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "voxplane.dev",
    version = "v1alpha1",
    kind = "VoiceAgent",
    shortname = "va",
    category = "voxplane",
    namespaced,
    status = "VoiceAgentStatus",
    derive = "PartialEq",
    cel,
    doc = "A voice agent answers telephone calls: it greets, listens, answers from its knowledge bases and hangs up. A \
           change of what it says applies to the next call; only a change of `runtime` can replace pods, which finish \
           their calls first.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name of a VoiceAgent is at most 40 characters long"),
    scale(
        spec_replicas_path = ".spec.runtime.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Slots", type_ = "integer", json_path = ".status.slots.ready", description = "Calls its pods can carry at once"),
    printcolumn(name = "Busy", type_ = "integer", json_path = ".status.slots.busy", description = "Calls its pods carry now"),
    printcolumn(name = "Language", type_ = "string", json_path = ".spec.language", priority = 1, description = "Language that the agent states itself; empty: inherited"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".status.pool", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct VoiceAgentSpec {
    /// Name shown to people. Omitted: the object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// Who the agent is and how it talks, in a sentence or two. The language model reads it before the prompt. Omitted:
    /// the tenant's default, else the agency's, else nothing is said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_000))]
    pub persona: Option<String>,
    /// What the language model is told to do. Omitted: the tenant's default, else the agency's, else to answer briefly,
    /// and only from what it was given to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// How the call begins. Omitted: the tenant's default, else the agency's, else a neutral greeting in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<Greeting>,
    /// Language of the conversation as a BCP 47 tag. Omitted: the tenant's default, else the agency's, else `en-US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35), pattern(LANGUAGE))]
    pub language: Option<String>,
    /// Speech recognition (speech to text). Omitted: the tenant's default, else the agency's, else `pocketsphinx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stt: Option<Stt>,
    /// The language model that finds the answers. Omitted: the tenant's default, else the agency's, else `extractive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<Llm>,
    /// Speech synthesis (text to speech). Omitted: the tenant's default, else the agency's, else `flite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts: Option<Tts>,
    /// Voice activity detection: when somebody is speaking. Omitted: the tenant's default, else the agency's, else the
    /// preset `CallCentre`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vad: Option<Vad>,
    /// When the caller has finished and the agent may answer. Omitted: the tenant's default, else the agency's, else
    /// after the silence that `vad` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Whether and when the caller can interrupt the agent. Omitted: the tenant's default, else the agency's, else
    /// after two words or half a second of speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_in: Option<BargeIn>,
    /// The KnowledgeBases in the same namespace that the agent answers from. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub knowledge_bases: Vec<LocalRef>,
    /// What ends the call, and the last words. Omitted: the tenant's default, else the agency's, else `goodbye` and
    /// `bye`, and a neutral goodbye in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodbye: Option<Goodbye>,
    /// What happens when the caller says nothing. Omitted: the tenant's default, else the agency's, else two questions,
    /// 8 seconds apart, before hanging up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Limits of the agent's calls. Omitted: the tenant's default, else the agency's, else 1800 seconds a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What is said when something goes wrong. Omitted: the tenant's default, else the agency's, else neutral sentences
    /// in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// What happens to calls outside of the tenant's `businessHours`. Omitted: the tenant's default, else the agency's,
    /// else the agent takes calls at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// The pods the agent's calls run on.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub runtime: RuntimeSpec,
    /// Refuses new calls as busy; calls that are under way go on. Omitted: false.
    #[serde(default)]
    pub paused: bool,
}

/// What the operator observed of a voice agent.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoiceAgentStatus {
    /// Identifier of the agent in the REST API, the database and external systems. Survives re-creation of the object.
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
    /// Pool of pods that gets the agent's new calls, as `<namespace>/<deployment>`. While `runtime.placement` changes,
    /// the former one until the new one is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 127))]
    pub pool: Option<String>,
    /// Calls the pool can carry and carries. Omitted: no pod has reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
    /// Pods of the pool that `runtime` describes.
    #[serde(default)]
    pub replicas: i32,
    /// Pods of that pool that are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// What the operator decided about the number of pods. Omitted: it does not decide, see `runtime.scaling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingStatus>,
    /// The pods with the image that is tried. Omitted: none is, see `runtime.canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStatus>,
    /// Label selector of the pool's pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
    /// Hash of the credential set that the pool's pods must have read before they get this agent's calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub credentials_hash: Option<String>,
    /// Pods that reported this hash.
    #[serde(default)]
    pub credentials_acknowledged: i32,
}

common_status!(VoiceAgentStatus);

/// Calls that a pool of pods can carry.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slots {
    /// Calls that connected pods can carry at once, busy ones included.
    #[serde(default)]
    pub ready: i32,
    /// Calls that they carry now.
    #[serde(default)]
    pub busy: i32,
}

default_from_schema!(VoiceAgentSpec);
