//! A model that uses tools, and the services behind them.

use std::collections::HashSet;

use voxplane_session::{InvocationId, Message, ToolCall, ToolOutcome, ToolStatus};

/// What the model writes: words, and what it asks for.
pub type Writes = (String, Vec<ToolCall>);
/// Decides by the conversation, and by whether tools may be asked for.
pub type Model = Box<dyn Fn(&[Message], bool) -> Writes>;
/// Answers after a delay in milliseconds; `None`: never.
pub type Service = Box<dyn Fn(&str, &str) -> Option<(i64, ToolOutcome)>>;

/// The part of the world that has to do with tools.
pub struct Workshop {
    pub model: Option<Model>,
    pub service: Service,
    pub invoked: Vec<(i64, String, String)>,
    pub called_off: HashSet<InvocationId>,
}

impl Default for Workshop {
    fn default() -> Self {
        Self { model: None, service: Box::new(|_, _| None), invoked: Vec::new(), called_off: HashSet::new() }
    }
}

/// A call as a model writes it.
pub fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: format!("id-{name}"), name: name.into(), arguments: arguments.into(), problem: None }
}

/// A service's answer.
pub fn done(result: &str) -> ToolOutcome {
    ToolOutcome { status: ToolStatus::Ok, result: result.into(), error: None }
}

/// What came of tools, as the model reads it: (tool, result).
pub fn results(messages: &[Message]) -> Vec<(String, String)> {
    messages.iter().flat_map(|message| &message.tools).map(|used| (used.name.clone(), used.result.clone())).collect()
}

/// A model that asks for these tools first and then says this.
pub fn asks_then_says(calls: Vec<ToolCall>, words: &'static str) -> Model {
    Box::new(move |messages, _| match results(messages).is_empty() {
        true => (String::new(), calls.clone()),
        false => (words.to_owned(), Vec::new()),
    })
}
