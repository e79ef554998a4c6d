//! Small conversions between the contract's types and the database's.

use jiff::Timestamp;
use serde_json::{Value, json};
use voxplane_control::v1 as wire;
use voxplane_store::events::{Durability, MAX_PAYLOAD_BYTES, NewEvent};

/// An epoch; one that does not fit is no call's.
pub fn epoch(epoch: u32) -> i32 {
    i32::try_from(epoch).unwrap_or(i32::MAX)
}

/// A count.
pub fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A runtime's event as it is stored. What cannot be stored is replaced by a note, so that the numbers have no gap: a
/// gap would never be acknowledged, and the pod would send for ever.
pub fn event(event: &wire::Event) -> NewEvent {
    let known_type = !event.r#type.is_empty()
        && event.r#type.len() <= 64
        && event.r#type.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_'));
    let payload = match serde_json::from_str::<Value>(&event.payload_json) {
        _ if event.payload_json.len() > MAX_PAYLOAD_BYTES => Err("too long"),
        Ok(payload) if payload.is_object() => Ok(payload),
        _ if event.payload_json.is_empty() => Ok(json!({})),
        _ => Err("not a JSON object"),
    };
    let (r#type, payload) = match (known_type, payload) {
        (true, Ok(payload)) => (event.r#type.clone(), payload),
        (true, Err(fault)) => (event.r#type.clone(), json!({"malformed": fault})),
        (false, _) => ("runtime.malformed".to_owned(), json!({"malformed": "type"})),
    };
    NewEvent {
        seq: i64::try_from(event.seq).unwrap_or(i64::MAX),
        at: Timestamp::from_microsecond(event.at_unix_us).unwrap_or_else(|_| Timestamp::now()),
        call_us: event.call_us,
        r#type,
        durability: match event.durability() {
            wire::Durability::BeforeEffect => Durability::BeforeEffect,
            wire::Durability::Soon | wire::Durability::Unspecified => Durability::Soon,
            wire::Durability::BestEffort => Durability::BestEffort,
        },
        payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(r#type: &str, payload: &str) -> NewEvent {
        event(&wire::Event {
            seq: 7,
            r#type: r#type.into(),
            payload_json: payload.into(),
            at_unix_us: 1_000_000,
            durability: wire::Durability::BeforeEffect.into(),
            ..wire::Event::default()
        })
    }

    #[test]
    fn good_events_pass_and_bad_ones_leave_no_gap() {
        let good = sent("caller.said", r#"{"text":"hello"}"#);
        assert_eq!((good.seq, good.r#type.as_str(), good.durability), (7, "caller.said", Durability::BeforeEffect));
        assert_eq!(good.payload["text"], "hello");
        assert_eq!(sent("caller.said", "[1]").payload, json!({"malformed": "not a JSON object"}));
        assert_eq!(sent("caller.said", "").payload, json!({}));
        assert_eq!(sent("Caller Said", "{}").r#type, "runtime.malformed");
        let long = format!("{{\"text\":\"{}\"}}", "x".repeat(MAX_PAYLOAD_BYTES));
        assert_eq!(sent("caller.said", &long).payload, json!({"malformed": "too long"}));
    }
}
