//! The promise: when the minutes of a month or the calls of an hour are used up, the next caller is told that the lines
//! are busy, and the ledger names the limit.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use voxplane_e2e::{
    cluster::changed,
    world::{LAW_NUMBER, World, of_kind},
};

const WORDS: [&str; 2] = [
    "all our lines are busy please call again in a few minutes",
    "this is an automated assistant stone and river law office how can i help you",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_used_up_is_heard_and_named() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let office = world.sample("law-office").await?;
    let (tenant, agent) = (of_kind(&office, "Tenant"), of_kind(&office, "VoiceAgent"));

    let none = changed(tenant, |spec| spec["quotas"]["monthlyMinutes"] = 0.into());
    world.cluster.apply(&none).await?;
    // The API follows its own watch.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let month = world.remembered_call(LAW_NUMBER, &WORDS).await;

    world.cluster.apply(&changed(tenant, |_| ())).await?;
    // The length as before: another one would have the pods replaced.
    let limits = json!({"callsPerHour": 0, "maxDurationSeconds": 600});
    world.cluster.apply(&changed(agent, |spec| spec["limits"] = limits)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let hour = world.remembered_call(LAW_NUMBER, &WORDS).await;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("law-office").await?;

    for (call, limit) in [(month?, "tenant_monthly_minutes"), (hour?, "agent_calls_per_hour")] {
        assert_eq!(call.heard.as_deref(), Some(WORDS[0]), "{limit}");
        assert_eq!(call.record["status"], "busy", "{call:#?}");
        let why = call.said("call.rejected");
        assert_eq!((&why["reason"], &why["limit"]), (&json!("limit_reached"), &json!(limit)), "{call:#?}");
    }
    Ok(())
}
