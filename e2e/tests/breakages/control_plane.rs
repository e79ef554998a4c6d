//! The promise: callers do not notice that Kubernetes' control plane is gone, and what is changed afterwards is done.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use voxplane_e2e::{
    caller::EndCause,
    lab, voice,
    world::{CLINIC_NUMBER, READY_LIMIT, World, of_kind},
};

/// What a lost machine of the control plane takes with it, but for its data.
const CONTROL_PLANE: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];
const CHANGED: [&str; 2] = [
    "this is an automated assistant the clinic is open again",
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
];
const ANSWERS: [&str; 2] = [
    "our opening hours are monday to friday from nine in the morning to five in the afternoon",
    "we are located at twelve maple street",
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_without_a_control_plane() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;

    for process in CONTROL_PLANE {
        lab::kill(&world.env, process).await?;
    }
    let outcome = during_the_outage(&world, call).await;
    lab::revive(&world.env, "cluster").await?;
    outcome?;

    // The operator and the API find their way back to what they watch.
    let agent = of_kind(&objects, "VoiceAgent");
    let greeting = world.cluster.get(agent).await?.data["spec"]["greeting"].clone();
    world.cluster.merge(agent, &json!({"spec": {"greeting": {"text": "The clinic is open again."}}})).await?;
    let heard = hear_the_change(&world).await;
    world.cluster.merge(agent, &json!({"spec": {"greeting": greeting}})).await?;
    world.cluster.wait_condition(agent, "Ready", "True", READY_LIMIT).await?;
    heard
}

/// Fails rather than panics: whatever it finds, the control plane has to come back.
async fn during_the_outage(world: &World, mut call: voxplane_e2e::scenario::Conversation) -> Result<()> {
    ensure!(world.cluster.client().apiserver_version().await.is_err(), "the API server still answers");
    call.say("what are your opening hours").await?;
    let answer = call.listen(Duration::from_secs(20)).await?;
    let heard = voice::recognise(&answer.samples, &ANSWERS)?;
    ensure!(heard.as_deref() == Some(ANSWERS[0]), "the caller heard {heard:?}");

    // A new caller is answered as well: everything a call needs is in memory or in Postgres.
    let mut next = world.dial(CLINIC_NUMBER).await?;
    let greeting = next.listen(Duration::from_secs(15)).await?;
    ensure!(greeting.segment.millis() > 300, "a call that comes during the outage is not greeted");
    next.hang_up().await?;

    call.say("goodbye").await?;
    let cause = call.ended(Duration::from_secs(30)).await?;
    ensure!(cause == EndCause::ByFarEnd, "the call ended otherwise: {cause:?}");
    Ok(())
}

async fn hear_the_change(world: &World) -> Result<()> {
    let deadline = tokio::time::Instant::now() + READY_LIMIT;
    loop {
        let heard = world.first_words(CLINIC_NUMBER, &CHANGED).await?;
        if heard.as_deref() == Some(CHANGED[0]) {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < deadline, "callers still hear {heard:?}");
    }
}
