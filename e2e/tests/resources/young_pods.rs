//! The promise: a runtime pod that carries no call goes as soon as it is deleted, even while it starts.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::DeleteParams};
use voxplane_e2e::{
    scratch::{one_of_everything, only_the_agency, with_own},
    world::{READY_LIMIT, RUNTIME, World},
};

/// The kubelet sends SIGTERM once, and a process that has not yet installed its handler as PID 1 never sees it: the pod
/// would live out the grace period that a call may need.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_deleted_while_it_starts_goes_at_once() -> Result<()> {
    const AGENCY: &str = "e2e-young";
    const NAMESPACE: &str = "vx-e2e-young--shop";
    with_own(&only_the_agency(AGENCY), |world| async move {
        world.cluster.apply_ready(&one_of_everything(AGENCY, "+15559014001"), READY_LIMIT).await?;
        let pods = Api::<Pod>::namespaced(world.cluster.client(), NAMESPACE);
        // Deleting the only pod makes the next one start; each is deleted within a moment of its start.
        for round in 0..4_u64 {
            let young = started(&world, NAMESPACE).await?;
            tokio::time::sleep(Duration::from_millis(round * 30)).await;
            pods.delete(&young.name_any(), &DeleteParams::default()).await?;
            let deleted = tokio::time::Instant::now();
            while pods.get_opt(&young.name_any()).await?.is_some_and(|pod| pod.uid() == young.uid()) {
                anyhow::ensure!(deleted.elapsed() < GONE_LIMIT, "the pod is still there after {GONE_LIMIT:?}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            println!("round {round}: gone after {:?}", deleted.elapsed());
        }
        Ok(())
    })
    .await
}

/// Far less than the grace period of a pod that may carry a call, which is a quarter of an hour at least.
const GONE_LIMIT: Duration = Duration::from_secs(90);

/// The first pod of a namespace whose container runs and that is not being deleted, the youngest first.
async fn started(world: &World, namespace: &str) -> Result<Pod> {
    let deadline = tokio::time::Instant::now() + READY_LIMIT;
    loop {
        let pods = world.pods(namespace, RUNTIME).await?;
        let runs = |pod: &Pod| {
            let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
            statuses
                .into_iter()
                .flatten()
                .any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
        };
        if let Some(pod) = pods.into_iter().find(|pod| pod.metadata.deletion_timestamp.is_none() && runs(pod)) {
            return Ok(pod);
        }
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "no runtime pod runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
