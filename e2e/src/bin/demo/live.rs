//! Prints a call's ledger while the call happens.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use voxplane_e2e::rest::Rest;

/// The longest a demo call can take.
const LIMIT: Duration = Duration::from_secs(180);

/// Follows a call until its end is in the ledger.
pub fn follow(rest: Rest, call: String) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        let deadline = Instant::now() + LIMIT;
        let mut shown = 0;
        while Instant::now() < deadline {
            let events = rest.events(&call).await?;
            for event in &events[shown.min(events.len())..] {
                if let Some(line) = line(event) {
                    println!("{line}");
                }
            }
            shown = events.len();
            if events.iter().any(|event| event["type"] == "call.ended") {
                break;
            }
            sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    })
}

/// What a person wants to see of an event; `None` for the rest.
fn line(event: &Value) -> Option<String> {
    let payload = &event["payload"];
    let text = |key: &str| payload[key].as_str().unwrap_or_default();
    match event["type"].as_str()? {
        "agent.said" if payload["interrupted"] == true => Some(format!("   agent    {} —", text("heard"))),
        "agent.said" => Some(format!("   agent    {}", text("text"))),
        "caller.said" => Some(format!("   caller   {}", text("text"))),
        "turn.completed" => {
            let stages = payload["latency"].as_object()?;
            let stages: Vec<String> = stages
                .iter()
                .filter_map(|(stage, ms)| {
                    Some(format!("{} {}", stage.trim_end_matches("_ms").replace('_', " "), ms.as_f64()?.round()))
                })
                .collect();
            Some(format!("            ms: {}", stages.join(" · ")))
        }
        _ => None,
    }
}
