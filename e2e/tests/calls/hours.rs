//! The promise: outside of business hours the caller hears what the agent's `closed` says, and the ledger tells why.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use voxplane_e2e::{
    cluster::changed,
    world::{LAW_NUMBER, World, of_kind},
};

const WORDS: [&str; 2] = [
    "we are closed please call again tomorrow morning",
    "this is an automated assistant stone and river law office how can i help you",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_office_says_so_and_an_open_one_answers() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let office = world.sample("law-office").await?;
    let (tenant, agent) = (of_kind(&office, "Tenant"), of_kind(&office, "VoiceAgent"));
    let words = json!({"message": "We are closed. Please call again tomorrow morning."});
    let agent = world.cluster.apply(&changed(agent, |spec| spec["closed"] = words)).await?;

    // No day is open.
    world.cluster.apply(&changed(tenant, |spec| spec["businessHours"] = json!({}))).await?;
    world.cluster.wait_condition(&agent, "Ready", "True", Duration::from_secs(30)).await?;
    // The API follows its own watch of the tenant.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let closed = world.remembered_call(LAW_NUMBER, &WORDS).await;

    let always = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        .map(|day| json!({"day": day, "ranges": [{"from": "00:00", "to": "24:00"}]}));
    let always = changed(tenant, |spec| spec["businessHours"] = json!({"weekly": always}));
    let always = world.cluster.apply(&always).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let open = world.remembered_call(LAW_NUMBER, &WORDS).await;

    let nowhere = changed(&always, |spec| spec["timezone"] = "America/Chicagoo".into());
    let nowhere = world.cluster.apply(&nowhere).await?;
    let told = world.cluster.wait_condition(&nowhere, "Ready", "False", Duration::from_secs(10)).await;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("law-office").await?;

    let closed = closed?;
    assert_eq!(closed.heard.as_deref(), Some(WORDS[0]));
    assert_eq!(closed.record["status"], "rejected", "{closed:#?}");
    assert_eq!(closed.said("call.rejected")["reason"], "closed", "{closed:#?}");
    let hours = closed.said("call.hours");
    assert_eq!((&hours["state"], &hours["action"]), (&json!("closed"), &json!("message")), "{closed:#?}");

    let open = open?;
    assert_eq!(open.heard.as_deref(), Some(WORDS[1]));
    let hours = open.said("call.hours");
    assert_eq!((&hours["state"], &hours["timezone"]), (&json!("open"), &json!("America/Chicago")), "{open:#?}");
    assert!(hours["rule"].as_str().is_some_and(|rule| rule.ends_with("day 00:00-24:00")), "{hours}");
    told?;
    Ok(())
}
