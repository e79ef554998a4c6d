//! The conversation as the caller heard it.

use std::collections::VecDeque;

use crate::tools::ToolUse;

/// Longest conversation given to the model; older messages are forgotten first.
const MAX_MESSAGES: usize = 200;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The agent.
    Assistant,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
    /// Instead of words: what the agent did, and what came of it.
    pub tools: Vec<ToolUse>,
}

/// Messages in order, bounded.
#[derive(Debug, Default)]
pub(crate) struct History {
    messages: VecDeque<Message>,
}

impl History {
    /// Adds what someone said; nothing said is nothing added.
    pub(crate) fn push(&mut self, role: Role, text: &str) {
        if !text.is_empty() {
            self.add(Message { role, text: text.to_owned(), tools: Vec::new() });
        }
    }

    /// Adds what the agent did; nothing done is nothing added.
    pub(crate) fn push_uses(&mut self, tools: Vec<ToolUse>) {
        if !tools.is_empty() {
            self.add(Message { role: Role::Assistant, text: String::new(), tools });
        }
    }

    fn add(&mut self, message: Message) {
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    /// Takes back the caller's last message: the caller went on speaking and it will be said again, longer.
    pub(crate) fn take_back_user(&mut self) {
        if let Some(index) = self.messages.iter().rposition(|message| message.role == Role::User) {
            self.messages.remove(index);
        }
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.iter().cloned().collect()
    }

    /// The messages, and before the last one what is still being done.
    pub(crate) fn messages_with(&self, pending: Vec<ToolUse>) -> Vec<Message> {
        let mut messages = self.messages();
        if !pending.is_empty() {
            let place = messages.len().saturating_sub(1);
            messages.insert(place, Message { role: Role::Assistant, text: String::new(), tools: pending });
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_are_forgotten_first() {
        let mut history = History::default();
        for n in 0..=MAX_MESSAGES {
            history.push(Role::User, &n.to_string());
        }
        let messages = history.messages();
        assert_eq!(messages.len(), MAX_MESSAGES);
        assert_eq!(messages[0].text, "1");
    }

    #[test]
    fn a_message_taken_back_is_the_callers_last() {
        let mut history = History::default();
        history.push(Role::User, "first");
        history.push(Role::User, "I would like");
        history.push(Role::Assistant, "Please hold");
        history.take_back_user();
        let texts: Vec<_> = history.messages().into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["first", "Please hold"]);
    }
}
