//! One call of a tool, from the model's wish to its result.

use super::{Effect, MAX_RESULT, ToolCall, ToolOutcome, ToolStatus, ToolUse, shortened};
use crate::ids::InvocationId;
use crate::time::CallTime;

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The ledger is being told; nothing has been done yet.
    Recording { by: CallTime },
    /// The owner is doing it.
    Running { by: CallTime },
    /// The engine will do it when everything is said.
    Leaving,
    /// Over.
    Done { status: ToolStatus, result: String },
}

/// One call of a tool.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) id: InvocationId,
    pub(crate) call: ToolCall,
    pub(crate) effect: Effect,
    pub(crate) on_complete: String,
    pub(crate) patience: std::time::Duration,
    pub(crate) since: CallTime,
    pub(crate) progress: Progress,
}

impl Invocation {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.progress, Progress::Done { .. })
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.progress, Progress::Running { .. })
    }

    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.progress, Progress::Done { status: ToolStatus::Ok, .. })
    }

    /// Whether it goes on although nobody waits for it.
    pub(crate) fn must_go_on(&self) -> bool {
        self.is_running() && self.effect != Effect::Read
    }

    pub(crate) fn deadline(&self) -> Option<CallTime> {
        match self.progress {
            Progress::Recording { by } | Progress::Running { by } => Some(by),
            Progress::Leaving | Progress::Done { .. } => None,
        }
    }

    /// What a deadline that passes means.
    pub(crate) fn overdue(&self) -> ToolOutcome {
        match (&self.progress, self.effect) {
            (Progress::Recording { .. }, _) => ToolOutcome::failed(
                "not_recorded",
                "It was not done: it could not be recorded. Say that it does not work at the moment.",
            ),
            (_, Effect::Read) => ToolOutcome::failed("timeout", "There was no answer in time."),
            _ => ToolOutcome {
                status: ToolStatus::Unknown,
                result: "There was no answer in time: nobody knows whether it was done. Do not repeat it; say so."
                    .to_owned(),
                error: Some("timeout"),
            },
        }
    }

    /// As the model reads it.
    pub(crate) fn as_use(&self) -> ToolUse {
        let result = match &self.progress {
            Progress::Done { result, .. } => shortened(result, MAX_RESULT),
            _ => "This is still being done; the result will follow. Do not repeat it.".to_owned(),
        };
        ToolUse {
            id: self.call.id.clone(),
            name: self.call.name.clone(),
            arguments: self.call.arguments.clone(),
            result,
        }
    }
}
