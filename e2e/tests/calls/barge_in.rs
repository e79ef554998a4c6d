//! The promise: whoever speaks over the agent is heard, and the agent falls silent.

use std::time::Duration;

use anyhow::Result;
use voxplane_e2e::{
    heard::{self, RATE},
    world::{CLINIC_NUMBER, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_agent_stops_and_remembers_what_was_heard() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let before = world.rest.call_ids().await?;

    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;
    call.say("what are your opening hours").await?;
    call.hear_beginning(500, Duration::from_secs(20)).await?;
    let interruption = call.say("wait a moment please").await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;

    let recording = call.recording();
    let silent = heard::silence_after(&recording.heard, interruption.start, 500)
        .expect("the agent went on speaking through the interruption");
    println!("silent {silent} ms after the caller's first word");
    assert!(
        silent < interruption.end.saturating_sub(interruption.start) * 1000 / RATE + 1_000,
        "the agent needed {silent} ms to stop"
    );
    call.hang_up().await?;

    let id = world.rest.wait_new_call(&before, Duration::from_secs(15)).await?;
    world.rest.wait_ended(&id, Duration::from_secs(30)).await?;
    let events = world.rest.events(&id).await?;
    let of = |type_: &str| events.iter().filter(|event| event["type"] == type_).collect::<Vec<_>>();
    assert_eq!(of("barge_in.committed").len(), 1, "{events:#?}");
    let cut = of("agent.said")
        .into_iter()
        .find(|event| event["payload"]["interrupted"] == true)
        .expect("the interrupted answer is in the ledger");
    let (text, heard) = (cut["payload"]["text"].as_str().unwrap_or(""), cut["payload"]["heard"].as_str().unwrap_or(""));
    assert!(heard.len() < text.len() && text.starts_with(heard), "heard {heard:?} of {text:?}");
    Ok(())
}
