//! Conversations in steps: the flow decides what is said and asked, and where the call goes on.
//!
//! A [`Flow`] is followed node by node. Nodes that need no time (conditions, new values) are passed at once; a node that
//! speaks is left when it was heard or interrupted; one that asks waits for keys, words or silence. In an `agent` node the
//! conversation is the language model's, as in a call without a flow.
//!
//! | file | holds |
//! | --- | --- |
//! | `program` | the flow as it was configured, checked |
//! | `expression` | conditions |
//! | `position` | where the call stands, and what its variables hold |
//! | `hear` | what words and digits mean as an answer; pure |
//! | `keys` | keys that were pressed and not used yet |
//! | `walk` | entering and leaving nodes |
//! | `ask` | questions and menus: answers, silence, repetitions |
//! | `talk` | the language model's part |
//!
//! What a caller said or typed is only ever put into a text or compared; it is never read as a template or an expression.

mod ask;
mod expression;
mod hear;
mod keys;
mod position;
mod program;
mod talk;
mod walk;

pub use expression::Expression;
pub use position::{FlowInput, FlowOutcome};
pub use program::{
    AnswerKind, Ask, Branch, Flow, FlowError, Listen, Menu, MenuOption, Node, Part, Retry, Say, Step, Talk, Text,
};

pub(crate) use position::Position;
