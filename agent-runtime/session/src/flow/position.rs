//! Where a call stands in its flow.

use std::collections::BTreeMap;

use serde::Serialize;

use super::keys::Keys;
use crate::ids::{TurnId, UtteranceId};
use crate::time::CallTime;

/// Longest value of a variable, in characters. What is longer is cut off: values are put into values.
const MAX_VALUE: usize = 1_000;

/// How a node was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowOutcome {
    /// Its words were spoken to the end.
    Said,
    /// The caller interrupted them.
    Interrupted,
    /// The question was answered.
    Answered,
    /// An option was chosen.
    Chosen,
    /// The caller said nothing, after all repetitions.
    NoInput,
    /// What the caller said did not count, after all repetitions.
    NoMatch,
    /// A condition was judged.
    Judged,
    /// Variables got their values.
    Set,
    /// The caller said what ends the language model's part.
    Phrase,
    /// The language model gave all its answers.
    Turns,
    /// The agent took its leave.
    HungUp,
    /// The call ended in this node.
    CallEnded,
}

/// By what the caller answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowInput {
    /// The keypad.
    Keys,
    /// Their voice.
    Speech,
}

/// Where a call stands, and what its variables hold.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// The node; `None` without a flow, and when the call ends.
    pub(super) node: Option<String>,
    pub(super) values: BTreeMap<String, String>,
    /// What the node says.
    pub(super) saying: Option<UtteranceId>,
    /// Whether that was spoken to the end.
    pub(super) said: bool,
    /// When the caller began to hear the question.
    pub(super) asked_at: Option<CallTime>,
    /// Times that this node went without an answer.
    pub(super) failures: u32,
    /// Times in a row, in whichever node, that nothing was heard of the caller.
    pub(super) unheard: u32,
    pub(super) keys: Keys,
    /// The language model's answers in this node.
    pub(super) turns: u32,
    /// The latest of them.
    pub(super) counted: Option<TurnId>,
}

impl Position {
    /// Another node.
    pub(super) fn enter(&mut self, node: &str, now: CallTime) {
        self.node = Some(node.to_owned());
        self.saying = None;
        self.said = false;
        self.asked_at = None;
        self.failures = 0;
        self.turns = 0;
        self.counted = None;
        self.keys.wait_from(now);
    }

    /// Gives a variable another value and returns it as it is kept.
    pub(super) fn assign(&mut self, name: &str, mut value: String) -> String {
        if let Some((end, _)) = value.char_indices().nth(MAX_VALUE) {
            value.truncate(end);
        }
        self.values.insert(name.to_owned(), value.clone());
        value
    }
}
