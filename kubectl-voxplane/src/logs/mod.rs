//! Which log lines speak of a call, and which pods had it. Pure; the loops that read are in [`run`].

pub mod run;

use std::collections::BTreeSet;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::paper::{Paper, Tone};

/// Clocks of nodes differ by this much at most, or logs would be of little use anyway.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);
/// What the last lines about a call say: the API's, and the pod's.
const LAST: [&str; 2] = ["a call ended", "call over"];

/// One line about a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// When it was written.
    pub at: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// `INFO`, `WARN`, …
    pub level: String,
    /// What it says.
    pub message: String,
    /// Everything else in the line.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// A call's id as logs have it, and since when there can be lines about it.
///
/// # Errors
/// Says what an id looks like.
pub fn parse_call(text: &str) -> Result<(String, Option<Timestamp>), String> {
    let id: Uuid = text.trim().parse().map_err(|_| {
        format!(
            "{text:?} is no id of a call: it looks like 0197c3a2-51f0-7cc3-98c4-dc0c0c07398f, as REST and logs have it"
        )
    })?;
    // Our ids are of version 7 and begin with the time.
    let since = id.get_timestamp().and_then(|time| {
        let (seconds, nanos) = time.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    });
    Ok((id.to_string(), since.and_then(|since| since.checked_sub(CLOCKS).ok())))
}

/// A line of a pod's log (with the time that Kubernetes puts before it), if it speaks of the call.
#[must_use]
pub fn entry(namespace: &str, pod: &str, line: &str, call: &str) -> Option<Entry> {
    if !line.contains(call) {
        return None;
    }
    let (at, text) = line.split_once(' ').unwrap_or(("", line));
    let (namespace, pod, at) = (namespace.to_owned(), pod.to_owned(), at.to_owned());
    // Not every line of a container is ours: a panic is not.
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        let (level, message) = (String::new(), text.to_owned());
        return Some(Entry { at, namespace, pod, level, message, fields: Map::new() });
    };
    let mut take = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (level, message, _) = (take("level"), take("message"), take("timestamp"));
    take("target");
    take("call.id");
    Some(Entry { at, namespace, pod, level, message, fields })
}

/// Runtime pods that the API's lines name.
#[must_use]
pub fn named(entries: &[Entry]) -> BTreeSet<String> {
    entries.iter().filter_map(|entry| entry.fields.get("pod")?.as_str()).map(str::to_owned).collect()
}

/// Whether nothing comes after this line.
#[must_use]
pub fn is_last(entry: &Entry) -> bool {
    LAST.contains(&entry.message.as_str())
}

/// A line for people.
#[must_use]
pub fn render(entry: &Entry, paper: &Paper) -> String {
    let tone = match entry.level.as_str() {
        "ERROR" => Tone::Bad,
        "WARN" => Tone::Wait,
        _ => Tone::Quiet,
    };
    let fields: Vec<String> = entry.fields.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
    let head = format!("{}  ", time(&entry.at));
    let pod = format!("{}  ", entry.pod);
    let level = format!("{:5}  ", entry.level);
    // Log lines are for pipes, too: they are not cut.
    let paper = Paper { width: None, ..*paper };
    let mut line = paper.line(&[
        (Tone::Quiet, &head),
        (Tone::Plain, &pod),
        (tone, &level),
        (Tone::Plain, &entry.message),
        (Tone::Quiet, &if fields.is_empty() { String::new() } else { format!("  {}", fields.join(" ")) }),
    ]);
    line.push('\n');
    line
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The time of day with milliseconds: all lines of a call are of one day, or nearly.
fn time(at: &str) -> &str {
    at.split_once('T').map_or(at, |(_, time)| time.get(..12).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "0197c3a2-51f0-7cc3-98c4-dc0c0c07398f";

    fn line(message: &str, more: &str) -> String {
        format!(
            r#"2026-11-21T15:00:00.123456789Z {{"timestamp":"2026-11-21T15:00:00.123Z","level":"INFO","message":"{message}","call.id":"{CALL}","target":"voxplane_api"{more}}}"#
        )
    }

    #[test]
    fn only_lines_of_the_call_are_taken() {
        let found = entry("ns", "api-1", &line("a pod has the call", r#","pod":"runtime-1","epoch":1"#), CALL).unwrap();
        assert_eq!((found.level.as_str(), found.message.as_str()), ("INFO", "a pod has the call"));
        assert_eq!(found.fields.keys().collect::<Vec<_>>(), ["pod", "epoch"]);
        assert_eq!(named(&[found]), BTreeSet::from(["runtime-1".to_owned()]));
        assert!(entry("ns", "api-1", &line("x", "").replace(CALL, "another"), CALL).is_none());
    }

    #[test]
    fn lines_that_are_not_json_are_kept_as_they_are() {
        let found = entry("ns", "p", &format!("2026-11-21T15:00:00Z thread panicked in call {CALL}"), CALL).unwrap();
        assert_eq!(found.message, format!("thread panicked in call {CALL}"));
        assert!(entry("ns", "p", CALL, CALL).is_some(), "a line without a time");
    }

    #[test]
    fn a_line_for_people_has_time_pod_level_message_and_fields() {
        let found = entry("ns", "api-1", &line("a pod has the call", r#","pod":"runtime-1","epoch":1"#), CALL).unwrap();
        assert_eq!(
            render(&found, &Paper::plain(Some(20))),
            "15:00:00.123  api-1  INFO   a pod has the call  pod=runtime-1 epoch=1\n"
        );
        assert!(!is_last(&found));
        assert!(is_last(&entry("ns", "api-1", &line("a call ended", ""), CALL).unwrap()));
    }

    #[test]
    fn an_id_says_when_its_call_began() {
        let (id, since) = parse_call("0197C3A2-51F0-7CC3-98C4-DC0C0C07398F").unwrap();
        assert_eq!(id, CALL);
        // 0x0197c3a251f0 milliseconds, less what clocks may differ.
        assert_eq!(since.map(Timestamp::as_millisecond), Some(0x0197_c3a2_51f0 - 60_000));
        assert_eq!(parse_call("7f1f2d10-7f0c-4f62-b9e7-31e1d3a3a1a1").unwrap().1, None);
        assert!(parse_call("call-1").is_err());
    }
}
