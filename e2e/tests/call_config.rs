//! The promise: `kubectl apply` changes what the next caller hears, and no pod restarts for it.
#![cfg(feature = "lab")]
#![allow(missing_docs)]

use std::time::Duration;

use anyhow::Result;
use kube::ResourceExt;
use voxplane_e2e::{
    voice,
    world::{CLINIC_NAMESPACE, CLINIC_NUMBER, World, of_kind},
};

const RUNTIME: &str = "voxplane.dev/component=runtime";
const GREETINGS: [&str; 3] = [
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
    "this is an automated assistant good morning this is the new greeting",
    "a check up costs fifty dollars",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_new_greeting_is_heard_without_a_restart() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let original = of_kind(&objects, "VoiceAgent");
    let identity = |pods: Vec<k8s_openapi::api::core::v1::Pod>| {
        let mut seen: Vec<_> = pods
            .iter()
            .map(|pod| {
                let restarts: i32 = pod
                    .status
                    .iter()
                    .flat_map(|status| status.container_statuses.iter().flatten())
                    .map(|container| container.restart_count)
                    .sum();
                (pod.uid(), restarts)
            })
            .collect();
        seen.sort();
        seen
    };
    let pods_before = identity(world.pods(CLINIC_NAMESPACE, RUNTIME).await?);

    let mut changed = original.clone();
    changed.metadata.managed_fields = None;
    changed.metadata.resource_version = None;
    changed.data["spec"]["greeting"]["text"] = "Good morning, this is the new greeting.".into();
    let changed = world.cluster.apply(&changed).await?;
    world.cluster.wait_condition(&changed, "Ready", "True", Duration::from_secs(30)).await?;

    let mut call = world.dial(CLINIC_NUMBER).await?;
    let greeting = call.listen(Duration::from_secs(15)).await?;
    call.hang_up().await?;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("dental-clinic").await?;

    assert_eq!(voice::recognise(&greeting.samples, &GREETINGS)?.as_deref(), Some(GREETINGS[1]));
    assert_eq!(identity(world.pods(CLINIC_NAMESPACE, RUNTIME).await?), pods_before);
    Ok(())
}
