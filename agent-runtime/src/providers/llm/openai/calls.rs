//! Calls of tools, put together from the pieces of a stream. Pure.

use super::wire::CallDelta;
use crate::providers::llm::ToolCall;
use crate::providers::{ProviderError, Result};

/// Calls of one answer.
const MAX_CALLS: usize = 32;
/// All that is written for calls in one answer, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The calls of one answer as far as they are written.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By the vendor's index.
    written: Vec<(usize, ToolCall)>,
    bytes: usize,
}

impl Calls {
    /// Takes the pieces of one chunk. True: there were some.
    pub(super) fn push(&mut self, pieces: Vec<CallDelta>) -> Result<bool> {
        let any = !pieces.is_empty();
        for piece in pieces {
            self.push_one(piece)?;
        }
        Ok(any)
    }

    fn push_one(&mut self, piece: CallDelta) -> Result<()> {
        let function = piece.function.unwrap_or_default();
        let (name, arguments) = (function.name.unwrap_or_default(), function.arguments.unwrap_or_default());
        self.bytes += name.len() + arguments.len();
        // Some servers number no calls and write each in one piece: a name then begins another one.
        let next = self.written.last().map_or(0, |(index, _)| index.saturating_add(1));
        let last = self.written.last().map(|(index, _)| *index);
        let index = piece.index.or(last.filter(|_| name.is_empty())).unwrap_or(next);
        let position = self.written.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.written.push((index, ToolCall { id: String::new(), name: String::new(), arguments: String::new() }));
            self.written.len() - 1
        });
        if self.written.len() > MAX_CALLS || self.bytes > MAX_BYTES {
            return Err(ProviderError::protocol("more calls of tools than an answer can have"));
        }
        let Some((_, call)) = self.written.get_mut(position) else { return Ok(()) };
        if call.id.is_empty() {
            call.id = piece.id.unwrap_or_default();
        }
        if call.name.is_empty() {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// What was asked for, in order; nothing is left.
    pub(super) fn take(&mut self) -> Vec<ToolCall> {
        let mut written = std::mem::take(&mut self.written);
        written.sort_by_key(|(index, _)| *index);
        let complete = |(index, mut call): (usize, ToolCall)| {
            if call.id.is_empty() {
                call.id = format!("call_{index}");
            }
            // A tool without arguments is often called with none at all.
            if call.arguments.trim().is_empty() {
                call.arguments = "{}".to_owned();
            }
            call
        };
        written.into_iter().map(complete).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn put_together(chunks: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for chunk in chunks {
            calls.push(serde_json::from_value(chunk.clone()).unwrap()).unwrap();
        }
        calls.take().into_iter().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn fragments_of_several_calls_may_be_mixed() {
        let written = put_together(&[
            json!([{"index": 1, "id": "b", "type": "function", "function": {"name": "book", "arguments": ""}}]),
            json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "find", "arguments": "{\"q\""}}]),
            json!([{"index": 1, "function": {"arguments": "{}"}}, {"index": 0, "function": {"arguments": ":1}"}}]),
        ]);
        assert_eq!(written, [call("a", "find", r#"{"q":1}"#), call("b", "book", "{}")]);
    }

    #[test]
    fn servers_that_leave_out_what_they_can_are_understood() {
        let written = put_together(&[
            json!([{"function": {"name": "find", "arguments": "{\"q\":1}"}}]),
            json!([{"function": {"name": "list", "arguments": null}}]),
        ]);
        assert_eq!(written, [call("call_0", "find", r#"{"q":1}"#), call("call_1", "list", "{}")]);
    }

    #[test]
    fn what_is_written_is_bounded() {
        let piece =
            || serde_json::from_value(json!([{"index": 0, "function": {"arguments": "x".repeat(9_000)}}])).unwrap();
        let mut calls = Calls::default();
        assert!((0..7).all(|_| calls.push(piece()).is_ok()));
        assert!(calls.push(piece()).is_err());
        let mut calls = Calls::default();
        let mut begin = |index| calls.push(serde_json::from_value(json!([{"index": index}])).unwrap());
        assert!((0..MAX_CALLS).all(|index| begin(index).is_ok()));
        assert!(begin(usize::MAX).is_err());
    }
}
