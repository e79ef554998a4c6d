//! The transcript: the ledger's `caller.said` and `agent.said` events as lines.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Event, MAX_BATCH, read};
use crate::text_enum::text_enum;
use crate::{CallId, ScopedTx, StoreError};

const CALLER_SAID: &str = "caller.said";
const AGENT_SAID: &str = "agent.said";

text_enum! {
    /// Who spoke.
    Speaker {
        /// The caller.
        User => "user",
        /// The agent.
        Assistant => "assistant",
    }
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Who spoke.
    pub speaker: Speaker,
    /// What the caller said as recognised, or what the agent meant to say.
    pub text: String,
    /// What the caller heard of the agent's text when it was interrupted; else the same text.
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
    let speech = [CALLER_SAID.to_owned(), AGENT_SAID.to_owned()];
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
    for event in events {
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
}
