//! The promise: deleting a runtime pod never cuts a call; it ends when its people end it.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::DeleteParams};
use voxplane_e2e::{
    caller::EndCause,
    world::{CLINIC_NAMESPACE, CLINIC_NUMBER, RUNTIME, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_finishes_its_call_and_a_new_one_takes_the_next() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    call.listen(Duration::from_secs(15)).await?;

    let pods = Api::<Pod>::namespaced(world.cluster.client(), CLINIC_NAMESPACE);
    let running = world.pods(CLINIC_NAMESPACE, RUNTIME).await?;
    for pod in &running {
        pods.delete(&pod.name_any(), &DeleteParams::default()).await?;
    }

    // The pod is terminating; its call goes on.
    tokio::time::sleep(Duration::from_secs(2)).await;
    call.say("where are you located").await?;
    let answer = call.listen(Duration::from_secs(20)).await?;
    assert!(answer.segment.millis() > 300, "the draining pod still answers");

    // Meanwhile its replacement takes the next call.
    world.sample("dental-clinic").await?;
    let mut next = None;
    for _ in 0..30 {
        match world.dial(CLINIC_NUMBER).await {
            Ok(call) => {
                next = Some(call);
                break;
            }
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    let mut next = next.expect("the replacement pod takes calls");
    next.listen(Duration::from_secs(15)).await?;
    next.hang_up().await?;

    call.say("goodbye").await?;
    assert_eq!(call.ended(Duration::from_secs(20)).await?, EndCause::ByFarEnd);
    // The drained pod goes away by itself, long before its grace period is over.
    for _ in 0..60 {
        let names: Vec<String> =
            world.pods(CLINIC_NAMESPACE, RUNTIME).await?.iter().map(ResourceExt::name_any).collect();
        if running.iter().all(|pod| !names.contains(&pod.name_any())) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the drained pod is still there 30 s after its last call");
}
