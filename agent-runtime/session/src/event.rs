//! What the ledger is told. Payloads are the serialised variants; the names and classes are part of the contract.

use serde::Serialize;

use crate::flow::{FlowInput, FlowOutcome};
use crate::ids::{InvocationId, TurnId, UtteranceId};
use crate::latency::TurnLatency;
use crate::tools::{Effect, ToolStatus};

/// How durable an event must be, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Stored before the effect it announces happens.
    BeforeEffect,
    /// On its way within 200 ms.
    Soon,
    /// May be lost with the pod.
    BestEffort,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The caller said goodbye.
    Goodbye,
    /// The agent had nothing more to do and hung up.
    AgentHungUp,
    /// The caller hung up.
    CallerHungUp,
    /// The caller did not answer to prompts.
    Silence,
    /// The longest call was reached.
    MaxDuration,
    /// Something failed for good.
    Error,
    /// The call was not taken; the caller heard why.
    Refused,
    /// Someone asked for it.
    Command,
    /// A flow came to its end.
    FlowEnded,
    /// The pod had to go.
    Drained,
    /// Another owner has the call.
    LeaseLost,
    /// The room was lost.
    TransportLost,
}

impl EndReason {
    /// The name used in the ledger and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Goodbye => "goodbye",
            Self::AgentHungUp => "agent_hung_up",
            Self::CallerHungUp => "caller_hung_up",
            Self::Silence => "silence",
            Self::MaxDuration => "max_duration",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Command => "command",
            Self::FlowEnded => "flow_ended",
            Self::Drained => "drained",
            Self::LeaseLost => "lease_lost",
            Self::TransportLost => "transport_lost",
        }
    }
}

/// Why the agent said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentSource {
    /// The greeting.
    Greeting,
    /// Disclosure or consent message.
    Disclosure,
    /// An answer to the caller.
    Answer,
    /// Words that belong to a tool.
    Tool,
    /// A silence prompt.
    Prompt,
    /// The last words.
    Farewell,
    /// The apology for a failure.
    Error,
    /// A command from outside.
    Command,
    /// A step of a flow.
    Flow,
}

/// How it is known which words the caller heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeardBy {
    /// Everything was played.
    Complete,
    /// The voice's word timestamps.
    Timestamps,
    /// In proportion to the audio played.
    Proportional,
    /// From a usual rate of speech, because the length of the audio was not known yet.
    Estimated,
}

/// What turned speech over the agent into an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeInTrigger {
    /// Enough words.
    Words,
    /// Enough speech.
    Speech,
    /// A key.
    Dtmf,
}

/// The part of the pipeline something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Answering the call.
    Answer,
    /// Speech to text.
    Stt,
    /// Language model.
    Llm,
    /// Text to speech.
    Tts,
    /// Sending audio.
    Playout,
}

/// One entry of the call's ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LedgerEvent {
    /// The leg is up and hears the agent.
    CallAnswered {
        /// Since the agent joined.
        ms: u64,
    },
    /// The agent said something.
    AgentSaid {
        /// Which utterance.
        utterance: UtteranceId,
        /// What it was going to say.
        text: String,
        /// What the caller heard of it.
        heard: String,
        /// How that is known.
        heard_by: HeardBy,
        /// Whether the caller cut it short.
        interrupted: bool,
        /// Why it was said.
        source: AgentSource,
    },
    /// The caller said something.
    CallerSaid {
        /// The turn it belongs to; absent for a backchannel.
        #[serde(skip_serializing_if = "Option::is_none")]
        turn: Option<TurnId>,
        /// The words.
        text: String,
        /// Start on the call clock, microseconds.
        start_us: i64,
        /// End on the call clock, microseconds.
        end_us: i64,
        /// 0–1, when the recogniser says.
        #[serde(skip_serializing_if = "Option::is_none")]
        confidence: Option<f32>,
        /// Said while the agent went on speaking ("mhm").
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        backchannel: bool,
    },
    /// What the recogniser believes so far.
    CallerPartial {
        /// The words.
        text: String,
    },
    /// An answer was played, fully or until interrupted.
    TurnCompleted {
        /// The turn.
        turn: TurnId,
        /// Where the time went.
        latency: TurnLatency,
    },
    /// The agent lowered its voice.
    BargeInDucked {
        /// From the onset of speech to the decision.
        ms: u64,
    },
    /// The caller took the floor.
    BargeInCommitted {
        /// What the caller heard of the agent.
        heard: String,
        /// What decided it.
        trigger: BargeInTrigger,
    },
    /// It was not an interruption.
    BargeInResumed {},
    /// The caller pressed a key.
    DtmfReceived {
        /// The key.
        digit: char,
    },
    /// The agent prompted a silent caller.
    SilencePrompted {
        /// How many times in a row.
        n: u32,
    },
    /// A tool is about to be used.
    ToolIntent {
        /// Which use.
        invocation: InvocationId,
        /// The tool.
        tool: String,
        /// What doing it twice would do.
        effect: Effect,
        /// Whether it waits for this to be stored.
        #[serde(skip)]
        durable: bool,
        /// JSON, as the model wrote it.
        arguments: String,
    },
    /// A tool was used, or was not.
    ToolResult {
        /// Which use.
        invocation: InvocationId,
        /// The tool.
        tool: String,
        /// Whether it was done.
        status: ToolStatus,
        /// The class of the failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
        /// From the intent to the result.
        ms: u64,
        /// What the model is told.
        result: String,
    },
    /// The call came to a step of its flow.
    FlowNodeEntered {
        /// Id of the node.
        node: String,
        /// What the node is.
        kind: &'static str,
    },
    /// The call left a step of its flow.
    FlowNodeLeft {
        /// Id of the node.
        node: String,
        /// How it was left.
        outcome: FlowOutcome,
        /// Which option or branch, from 0; absent: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        choice: Option<usize>,
        /// By what the caller answered.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<FlowInput>,
        /// Branches that could not be judged.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failed: Vec<usize>,
        /// The node that follows; absent: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// A question was asked again.
    FlowRepeated {
        /// Id of the node.
        node: String,
        /// Why.
        outcome: FlowOutcome,
        /// How many times in this node.
        n: u32,
    },
    /// A variable has another value.
    FlowVariableSet {
        /// Its name.
        name: String,
        /// What it holds.
        value: String,
    },
    /// Something failed for good.
    ProviderFailed {
        /// What it was for.
        stage: Stage,
        /// Which provider; empty when a time-out found it.
        provider: String,
        /// Why.
        error: String,
    },
    /// The agent is about to hang up.
    CallHangingUp {
        /// Why.
        reason: EndReason,
    },
    /// The call is over.
    CallEnded {
        /// Why.
        reason: EndReason,
        /// From the answer to the end; 0 when it was never answered.
        duration_ms: u64,
        /// Caller turns that were answered.
        turns: u32,
    },
}

impl LedgerEvent {
    /// The event's type in the ledger.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CallAnswered { .. } => "call.answered",
            Self::AgentSaid { .. } => "agent.said",
            Self::CallerSaid { .. } => "caller.said",
            Self::CallerPartial { .. } => "caller.partial",
            Self::TurnCompleted { .. } => "turn.completed",
            Self::BargeInDucked { .. } => "barge_in.ducked",
            Self::BargeInCommitted { .. } => "barge_in.committed",
            Self::BargeInResumed {} => "barge_in.resumed",
            Self::DtmfReceived { .. } => "dtmf.received",
            Self::SilencePrompted { .. } => "silence.prompted",
            Self::ToolIntent { .. } => "tool.intent",
            Self::ToolResult { .. } => "tool.result",
            Self::FlowNodeEntered { .. } => "flow.node_entered",
            Self::FlowNodeLeft { .. } => "flow.node_left",
            Self::FlowRepeated { .. } => "flow.repeated",
            Self::FlowVariableSet { .. } => "flow.variable_set",
            Self::ProviderFailed { .. } => "provider.failed",
            Self::CallHangingUp { .. } => "call.hanging_up",
            Self::CallEnded { .. } => "call.ended",
        }
    }

    /// How durable it must be.
    pub fn durability(&self) -> Durability {
        match self {
            Self::CallHangingUp { .. } | Self::ToolIntent { durable: true, .. } => Durability::BeforeEffect,
            Self::CallerPartial { .. } | Self::BargeInDucked { .. } | Self::BargeInResumed {} => Durability::BestEffort,
            _ => Durability::Soon,
        }
    }
}
