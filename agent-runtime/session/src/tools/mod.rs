//! What the agent can do besides talking: the language model asks for it, the owner does it, the model reads the result.
//!
//! One generation may ask for several things at once: a round. They run side by side; when all are done the model is
//! asked again. Whatever changes something outside is in the ledger before it is done, and is never called off once it
//! has begun: if the caller goes on speaking, the conversation does too, and the model is told when it is done.

mod acting;
mod invocation;
mod lifeline;

use std::time::Duration;

use serde::Serialize;

pub(crate) use self::invocation::Invocation;

/// Rounds of one answer; then the model has to answer with what it knows.
pub(crate) const MAX_ROUNDS: u32 = 5;
/// Calls of one round.
const MAX_CALLS: usize = 8;
/// Calls that may run at once, those from earlier turns included.
const MAX_RUNNING: usize = 16;
/// Longest arguments, in bytes: they have to fit into an event of the ledger.
const MAX_ARGUMENTS: usize = 8 * 1024;
/// Longest name that is repeated.
const MAX_NAME: usize = 64;
/// What the model reads of a result, in characters.
const MAX_RESULT: usize = 4_000;

/// A tool, as far as it concerns the course of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRules {
    /// Name by which the model calls it.
    pub name: String,
    /// What it is.
    pub kind: ToolKind,
    /// What doing it twice would do.
    pub effect: Effect,
    /// Spoken when it starts; empty = nothing.
    pub on_start: String,
    /// Spoken when it succeeded; empty = nothing.
    pub on_complete: String,
    /// After this time it has failed.
    pub patience: Duration,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// The session's owner.
    Remote,
    /// The engine: it takes its leave and hangs up.
    EndCall,
}

/// What doing it twice would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: it only reads.
    Read,
    /// The same as doing it once.
    Idempotent,
    /// Something else.
    Once,
}

/// A call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's own name for it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, as it was written.
    pub arguments: String,
    /// Why the arguments cannot be used, for the model; `None`: they can.
    pub problem: Option<String>,
}

/// A call and what came of it, as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// The model's own name for it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
    /// What came of it.
    pub result: String,
}

/// How a tool that was invoked ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutcome {
    /// Whether it was done.
    pub status: ToolStatus,
    /// What the model is told.
    pub result: String,
    /// The class of the failure (`timeout`, `status`, …); `None` when it was done.
    pub error: Option<&'static str>,
}

/// Whether a tool did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// It did.
    Ok,
    /// It did not.
    Failed,
    /// Nobody knows: the request went out, and no answer came.
    Unknown,
}

impl ToolOutcome {
    fn failed(error: &'static str, result: impl Into<String>) -> Self {
        Self { status: ToolStatus::Failed, result: result.into(), error: Some(error) }
    }
}

/// The tools of a session and what they are doing.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// What the running generation has asked for so far.
    pub(crate) wanted: Vec<ToolCall>,
    /// The calls of the answer's present round.
    pub(crate) round: Vec<Invocation>,
    /// Calls of earlier turns that must not be called off.
    pub(crate) background: Vec<Invocation>,
    /// Something of `background` is done, and the caller has not heard about it.
    pub(crate) untold: bool,
    invocations: u32,
}

/// The beginning of a text, and a mark if there is more.
fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} … (shortened)", &text[..end]),
    }
}
