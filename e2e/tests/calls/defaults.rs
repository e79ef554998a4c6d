//! The promise: what an agency sets for its agents is what the next caller hears, and no pod restarts for it.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use voxplane_e2e::{
    cluster::changed,
    world::{LAW_NAMESPACE, LAW_NUMBER, World, of_kind},
};

const GREETINGS: [&str; 2] = [
    "this is an automated assistant stone and river law office how can i help you",
    "this is an automated assistant good morning this is the new greeting",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agency_sets_is_heard_without_a_restart_and_a_missing_key_is_seen() -> Result<()> {
    let world = World::open().await?;
    let clinic = world.sample("dental-clinic").await?;
    let office = world.sample("law-office").await?;
    let (agency, agent) = (of_kind(&clinic, "Agency"), of_kind(&office, "VoiceAgent"));
    let pods_before = world.incarnations(LAW_NAMESPACE).await?;

    // The agent says nothing of its own any more; the agency does.
    let silent = changed(agent, |spec| drop(spec.as_object_mut().and_then(|spec| spec.remove("greeting"))));
    let silent = world.cluster.apply(&silent).await?;
    let greeting = json!({"text": "Good morning, this is the new greeting."});
    world.cluster.apply(&changed(agency, |spec| spec["defaults"]["greeting"] = greeting)).await?;
    world.cluster.wait_condition(&silent, "Ready", "True", Duration::from_secs(30)).await?;
    let heard = world.first_words(LAW_NUMBER, &GREETINGS).await?;
    let pods_after = world.incarnations(LAW_NAMESPACE).await?;

    // A default that no agent can use wakes the agents that inherit it, though nobody touched them.
    let model = json!({"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                       "secretRef": {"name": "not-there"}});
    world.cluster.apply(&changed(agency, |spec| spec["defaults"]["llm"] = model)).await?;
    let woken = world.cluster.wait_condition(&silent, "ResolvedRefs", "False", Duration::from_secs(10)).await;
    // Back to the samples before anything is asserted, so that other tests find them as they expect.
    world.sample("dental-clinic").await?;
    world.sample("law-office").await?;

    assert_eq!(heard.as_deref(), Some(GREETINGS[1]));
    assert_eq!(pods_after, pods_before);
    woken?;
    Ok(())
}
