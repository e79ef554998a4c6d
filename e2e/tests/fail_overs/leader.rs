//! The promise: with two operators, killing the one that leads in the middle of its work leaves nothing undone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};
use voxplane_e2e::{
    cluster::documents,
    scratch::{one_of_everything, only_the_agency, with_own},
    world::{READY_LIMIT, SYSTEM_NAMESPACE, World},
};

const AGENCY: &str = "e2e-failover";
const NAMESPACE: &str = "vx-e2e-failover--shop";
const OPERATOR: &str = "voxplane-operator";
const AGENTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_finishes_what_the_old_one_began() -> Result<()> {
    with_own(&only_the_agency(AGENCY), |world| async move {
        let objects = one_of_everything(AGENCY, "+15559015001")
            .replace("voiceAgents: 2", &format!("voiceAgents: {}", AGENTS + 1));
        world.cluster.apply_ready(&objects, READY_LIMIT).await?;
        scale(&world, 2).await?;
        let outcome = lose_the_leader(&world).await;
        scale(&world, 1).await?;
        outcome
    })
    .await
}

async fn lose_the_leader(world: &World) -> Result<()> {
    let former = leader(world).await?;
    let manifest: Vec<String> = (0..AGENTS)
        .map(|n| {
            let metadata = json!({"name": format!("clerk-{n:02}"), "namespace": NAMESPACE});
            json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent", "metadata": metadata, "spec": {}})
                .to_string()
        })
        .collect();
    let agents = documents(&manifest.join("\n---\n"))?;
    let begun = Instant::now();
    for (n, agent) in agents.iter().enumerate() {
        world.cluster.apply(agent).await?;
        if n == AGENTS / 2 {
            let pods = Api::<Pod>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
            pods.delete(&former, &DeleteParams::default().grace_period(0)).await?;
        }
    }
    for agent in &agents {
        world.cluster.wait_condition(agent, "Ready", "True", READY_LIMIT).await?;
    }
    let now = leader(world).await?;
    println!("{former} was killed, {now} leads; {AGENTS} agents Ready after {:.1} s", begun.elapsed().as_secs_f64());
    assert_ne!(former, now);
    Ok(())
}

/// The pod that holds the operator's lease.
async fn leader(world: &World) -> Result<String> {
    let leases = Api::<Lease>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
    let holder = leases.get(OPERATOR).await?.spec.and_then(|spec| spec.holder_identity).context("nobody leads")?;
    let pods = world.pods(SYSTEM_NAMESPACE, "app.kubernetes.io/component=operator").await?;
    let name = pods.into_iter().filter_map(|pod| pod.metadata.name).find(|name| holder.contains(name.as_str()));
    name.with_context(|| format!("the lease is held by {holder}, which is no pod"))
}

/// Sets the number of operators and waits until all of them are ready.
async fn scale(world: &World, replicas: i32) -> Result<()> {
    let deployments = Api::<Deployment>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
    let change = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments.patch_scale(OPERATOR, &PatchParams::default(), &change).await?;
    let begun = Instant::now();
    loop {
        let status = deployments.get(OPERATOR).await?.status.unwrap_or_default();
        if status.replicas == Some(replicas) && status.ready_replicas == Some(replicas) {
            return Ok(());
        }
        ensure!(begun.elapsed() < READY_LIMIT, "{OPERATOR} has not got {replicas} ready pods: {status:?}");
        sleep(Duration::from_millis(200)).await;
    }
}
