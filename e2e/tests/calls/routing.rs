//! The promise: a squad's agent that is paused gets no call, another one answers, and the ledger tells who was chosen.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use voxplane_e2e::{
    cluster::changed,
    world::{LAW_NUMBER, World, of_kind},
};

const WORDS: [&str; 2] = [
    "this is an automated assistant stone and river law office how can i help you",
    "this is an automated assistant the partner of the law office is speaking",
];

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_of_the_squad_answers_for_one_that_is_paused() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let office = world.sample("law-office").await?;
    let (number, agent) = (of_kind(&office, "PhoneNumber"), of_kind(&office, "VoiceAgent"));
    let mut partner = changed(agent, |spec| {
        spec["greeting"]["text"] = "The partner of the law office is speaking.".into();
        spec["paused"] = true.into();
    });
    partner.metadata.name = Some("partner".to_owned());
    partner.metadata.uid = None;
    let partner = world.cluster.apply(&partner).await?;
    let squad = json!({"routing": "Priority", "agents": [{"name": "partner"}, {"name": "secretary"}]});
    let shared = changed(number, |spec| {
        spec["squad"] = squad;
        spec.as_object_mut().map(|spec| spec.remove("agentRef"));
    });
    let shared = world.cluster.apply(&shared).await?;
    let told = world
        .cluster
        .wait_until(&shared, "to say who answers", Duration::from_secs(30), |number| {
            number.data["status"]["answers"] == "Priority, 1 of 2 ready"
        })
        .await;
    let call = world.remembered_call(LAW_NUMBER, &WORDS).await;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("law-office").await?;
    world.cluster.delete(&partner).await?;

    told?;
    let call = call?;
    assert_eq!(call.heard.as_deref(), Some(WORDS[0]));
    let entry = json!({"by": "squad", "agent": "secretary", "routing": "Priority", "agents": 2, "available": 1});
    assert_eq!(call.said("call.routing"), &entry, "{call:#?}");
    Ok(())
}
