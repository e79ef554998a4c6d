//! Calls, their events and what was said. Numbers are shown: callers of these routes are authorised to see them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use voxplane_platform::redact::Redacted;
use voxplane_store::calls::Call;
use voxplane_store::events::{Event, Line};

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    /// Id.
    pub id: Uuid,
    /// Agency.
    pub agency_id: Uuid,
    /// Tenant.
    pub tenant_id: Uuid,
    /// Agent that answers.
    pub agent_id: Uuid,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// `queued`, `ringing`, `in_progress`, `completed`, `transferred`, `failed`, `no_answer`, `busy`, `cancelled` or
    /// `rejected`.
    pub status: &'static str,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The other party's number; null when withheld or erased.
    pub from: Option<String>,
    /// Our number; null when erased.
    pub to: Option<String>,
    /// When it arrived.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Answer to end, milliseconds.
    pub duration_ms: Option<i64>,
    /// Pod that has or had it.
    pub pod: Option<String>,
    /// How often it was given to a pod.
    pub epoch: i32,
    /// Its personal data was erased.
    pub erased: bool,
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        let duration = call.answered_at.zip(call.ended_at).map(|(from, to)| to.duration_since(from));
        Self {
            id: call.id.0,
            agency_id: call.agency.0,
            tenant_id: call.tenant.0,
            agent_id: call.agent.0,
            direction: call.direction.as_str(),
            status: call.status.as_str(),
            end_reason: call.end_reason,
            from: call.caller.map(Redacted::into_inner),
            to: call.number.map(Redacted::into_inner),
            created_at: call.created_at,
            answered_at: call.answered_at,
            ended_at: call.ended_at,
            duration_ms: duration.map(|duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
            pod: call.pod,
            epoch: call.epoch,
            erased: call.erased,
        }
    }
}

/// One event of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// 0 for the API, else the pod's turn.
    pub epoch: i32,
    /// Number within the epoch.
    pub seq: i64,
    /// The writer's wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Milliseconds since the pod joined the room.
    pub call_ms: f64,
    /// Dotted name, for example `caller.said`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `before_effect`, `soon` or `best_effort`.
    pub durability: &'static str,
    /// Content; null once the call is erased.
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Value>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            epoch: event.epoch,
            seq: event.seq,
            at: event.at,
            call_ms: milliseconds(event.call_us),
            type_: event.r#type,
            durability: event.durability.as_str(),
            payload: event.payload,
        }
    }
}

/// What was said in a call.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptView {
    /// The call.
    pub call_id: Uuid,
    /// Line by line.
    pub lines: Vec<TranscriptLine>,
}

/// One thing that was said, or done.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptLine {
    /// `speech`, or `function_call`: a tool that the agent used.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// `user` (the caller) or `assistant` (the agent).
    pub role: &'static str,
    /// The caller's words as recognised, or what the agent meant to say; of a tool, `[Function Call: name({…})] → result`.
    pub text: String,
    /// What the caller heard of the agent's text; empty for a tool.
    pub heard: String,
    /// The caller interrupted the agent.
    pub interrupted: bool,
    /// Why the agent spoke: `greeting`, `answer` …; null for the caller.
    pub source: Option<String>,
    /// The recogniser's confidence, 0 to 1.
    pub confidence: Option<f64>,
    /// The writer's wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Milliseconds since the pod joined the room.
    pub call_ms: f64,
}

impl From<Line> for TranscriptLine {
    fn from(line: Line) -> Self {
        Self {
            type_: line.kind.as_str(),
            role: line.speaker.as_str(),
            text: line.text,
            heard: line.heard,
            interrupted: line.interrupted,
            source: line.source,
            confidence: line.confidence,
            at: line.at,
            call_ms: milliseconds(line.call_us),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 285 years of call")]
fn milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1_000.0
}
