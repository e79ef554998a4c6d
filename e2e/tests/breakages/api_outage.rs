//! The promise: the API may die in mid-call; the conversation goes on and the ledger is complete afterwards.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::DeleteParams};
use voxplane_e2e::{
    caller::EndCause,
    voice,
    world::{CLINIC_NUMBER, SYSTEM_NAMESPACE, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_api_in_mid_call_loses_no_event() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let before = world.rest.call_ids().await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;
    let id = world.rest.wait_new_call(&before, Duration::from_secs(15)).await?;

    let pods = Api::<Pod>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
    for pod in world.pods(SYSTEM_NAMESPACE, "app.kubernetes.io/component=api").await? {
        pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await?;
    }

    call.say("what are your opening hours").await?;
    let answer = call.listen(Duration::from_secs(20)).await?;
    assert!(answer.segment.millis() > 300, "the agent still speaks while the API is away");
    call.say("goodbye").await?;
    assert_eq!(call.ended(Duration::from_secs(30)).await?, EndCause::ByFarEnd);

    // A new API pod, and the runtime's spool delivered to it.
    let mut ended = None;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Ok(events) = world.rest.events(&id).await else { continue };
        if events.iter().any(|event| event["type"] == "call.ended") {
            ended = Some(events);
            break;
        }
    }
    let events = ended.context("the end of the call never reached the ledger")?;
    let mut sequences: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in &events {
        let number = |key: &str| event[key].as_u64().with_context(|| format!("{key} in {event}"));
        sequences.entry(number("epoch")?).or_default().push(number("seq")?);
    }
    for (epoch, mut seen) in sequences.into_iter().filter(|(epoch, _)| *epoch > 0) {
        seen.sort_unstable();
        let complete: Vec<u64> = (1..=seen.len() as u64).collect();
        assert_eq!(seen, complete, "epoch {epoch} has a gap");
    }
    let transcript = world.transcript(&id).await?;
    assert!(
        transcript
            .iter()
            .any(|(role, text)| role == "user" && voice::spoken_form(text) == "what are your opening hours"),
        "{transcript:?}"
    );
    Ok(())
}
