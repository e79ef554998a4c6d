//! The transcript: the ledger's `caller.said` and `agent.said` events as lines, and the tools that were used in between.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Event, MAX_BATCH, read};
use crate::text_enum::text_enum;
use crate::{CallId, ScopedTx, StoreError};

const CALLER_SAID: &str = "caller.said";
const AGENT_SAID: &str = "agent.said";

const TOOL_INTENT: &str = "tool.intent";
const TOOL_RESULT: &str = "tool.result";

text_enum! {
    /// What a line is.
    LineKind {
        /// Something that was said.
        Speech => "speech",
        /// A tool that the agent used.
        FunctionCall => "function_call",
    }
}

text_enum! {
    /// Who spoke.
    Speaker {
        /// The caller.
        User => "user",
        /// The agent.
        Assistant => "assistant",
    }
}

/// One thing that was said, or done.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Who spoke.
    pub speaker: Speaker,
    /// What the caller said as recognised, or what the agent meant to say; of a tool, its name, arguments and result.
    pub text: String,
    /// What the caller heard of the agent's text when it was interrupted; else the same text. Nothing of tools.
    pub heard: String,
    /// The caller interrupted the agent.
    pub interrupted: bool,
    /// What made the agent speak: `greeting`, `answer`, …; none for the caller.
    pub source: Option<String>,
    /// The recogniser's confidence, 0 to 1.
    pub confidence: Option<f64>,
    /// The writer's wall clock.
    pub at: Timestamp,
    /// Microseconds since the writer joined the room.
    pub call_us: i64,
    /// The owner's epoch.
    pub epoch: i32,
}

/// What was said in a call, in order. Empty once the call is erased.
///
/// # Errors
/// As [`list`](super::list).
pub async fn transcript(tx: &mut ScopedTx, call: CallId) -> Result<Vec<Line>, StoreError> {
    // The ledger of a long call is large, and speech is little of it.
    let speech = [CALLER_SAID, AGENT_SAID, TOOL_INTENT, TOOL_RESULT].map(str::to_owned);
    let mut events = Vec::new();
    loop {
        let after = events.last().map(Event::cursor);
        let page = read(tx, call, after, MAX_BATCH as i64, Some(&speech)).await?;
        let last = page.len() < MAX_BATCH;
        events.extend(page);
        if last {
            return Ok(lines(&events));
        }
    }
}

/// An utterance may be written more than once (when it starts, when it ends): the first says where it belongs, the last
/// what became of it.
fn lines(events: &[Event]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut utterances: HashMap<(i32, String), usize> = HashMap::new();
    let mut uses: HashMap<(i32, String), usize> = HashMap::new();
    for event in events {
        if let Some((invocation, text)) = used(event) {
            match uses.get(&(event.epoch, invocation.clone())).and_then(|index| lines.get_mut(*index)) {
                Some(begun) => begun.text.push_str(&text),
                None => {
                    uses.insert((event.epoch, invocation), lines.len());
                    lines.push(of_tool(event, text));
                }
            }
            continue;
        }
        let Some(line) = line(event) else { continue };
        let utterance = event.payload.as_ref().and_then(|payload| payload.get("utterance")).map(Value::to_string);
        let known = utterance.map(|utterance| utterances.entry((event.epoch, utterance)).or_insert(lines.len()));
        match known.and_then(|index| lines.get_mut(*index)) {
            Some(earlier) => *earlier = Line { at: earlier.at, call_us: earlier.call_us, ..line },
            None => lines.push(line),
        }
    }
    lines
}

/// Which use of a tool the event is about, and what it adds to its line.
fn used(event: &Event) -> Option<(String, String)> {
    let payload = event.payload.as_ref()?;
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let invocation = payload.get("invocation")?.to_string();
    match event.r#type.as_str() {
        TOOL_INTENT => Some((invocation, format!("[Function Call: {}({})]", text("tool"), text("arguments")))),
        TOOL_RESULT => Some((invocation, format!(" → {}", text("result")))),
        _ => None,
    }
}

fn of_tool(event: &Event, text: String) -> Line {
    Line {
        kind: LineKind::FunctionCall,
        speaker: Speaker::Assistant,
        text,
        heard: String::new(),
        interrupted: false,
        source: None,
        confidence: None,
        at: event.at,
        call_us: event.call_us,
        epoch: event.epoch,
    }
}

fn line(event: &Event) -> Option<Line> {
    let payload = event.payload.as_ref()?;
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    let speaker = match event.r#type.as_str() {
        CALLER_SAID => Speaker::User,
        AGENT_SAID => Speaker::Assistant,
        _ => return None,
    };
    let said = text("text")?;
    Some(Line {
        kind: LineKind::Speech,
        speaker,
        heard: text("heard").unwrap_or_else(|| said.clone()),
        text: said,
        interrupted: payload.get("interrupted").and_then(Value::as_bool).unwrap_or(false),
        source: text("source"),
        confidence: payload.get("confidence").and_then(Value::as_f64),
        at: event.at,
        call_us: event.call_us,
        epoch: event.epoch,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Durability;
    use super::*;

    fn event(seq: i64, r#type: &str, payload: Option<Value>) -> Event {
        Event {
            call: CallId::new(),
            epoch: 1,
            seq,
            at: Timestamp::from_second(seq).unwrap(),
            call_us: seq * 1_000_000,
            r#type: r#type.to_owned(),
            durability: Durability::Soon,
            payload,
        }
    }

    #[test]
    fn only_speech_makes_lines_and_repeated_utterances_make_one() {
        let greeting = json!({"utterance": 1, "text": "Hello, dental clinic", "source": "greeting"});
        let cut = json!({"utterance": 1, "text": "Hello, dental clinic", "heard": "Hello,", "interrupted": true,
                         "source": "greeting"});
        let lines = lines(&[
            event(1, "call.joined", Some(json!({"ms": 40}))),
            event(2, "agent.said", Some(greeting)),
            event(3, "caller.said", Some(json!({"turn": 1, "text": "opening hours", "confidence": 0.9}))),
            event(4, "agent.said", Some(cut)),
            event(5, "caller.said", None),
        ]);
        let read: Vec<_> =
            lines.iter().map(|line| (line.speaker, line.heard.as_str(), line.interrupted, line.call_us)).collect();
        assert_eq!(
            read,
            [(Speaker::Assistant, "Hello,", true, 2_000_000), (Speaker::User, "opening hours", false, 3_000_000),]
        );
        assert_eq!(lines[0].text, "Hello, dental clinic");
        assert_eq!(lines[1].confidence, Some(0.9));
    }

    #[test]
    fn tools_stand_where_they_were_used_with_what_came_of_them() {
        let intent = |invocation, tool| {
            Some(json!({"invocation": invocation, "tool": tool, "effect": "once", "arguments": "{\"day\":\"friday\"}"}))
        };
        let result = |invocation, result| Some(json!({"invocation": invocation, "status": "ok", "result": result}));
        let lines = lines(&[
            event(1, "caller.said", Some(json!({"turn": 1, "text": "a table please"}))),
            event(2, "tool.intent", intent(1, "look_up")),
            event(3, "tool.intent", intent(2, "book")),
            event(4, "agent.said", Some(json!({"utterance": 3, "text": "One moment."}))),
            event(5, "tool.result", result(2, "{\"id\":7}")),
            event(6, "tool.result", result(1, "free")),
            event(7, "tool.intent", intent(3, "book")),
        ]);
        let read: Vec<_> = lines.iter().map(|line| (line.kind, line.text.as_str())).collect();
        assert_eq!(
            read,
            [
                (LineKind::Speech, "a table please"),
                (LineKind::FunctionCall, "[Function Call: look_up({\"day\":\"friday\"})] → free"),
                (LineKind::FunctionCall, "[Function Call: book({\"day\":\"friday\"})] → {\"id\":7}"),
                (LineKind::Speech, "One moment."),
                (LineKind::FunctionCall, "[Function Call: book({\"day\":\"friday\"})]"),
            ]
        );
        assert_eq!((lines[1].call_us, lines[1].heard.as_str()), (2_000_000, ""));
    }
}
