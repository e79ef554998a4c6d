//! Reads the sessions of all pools, for the status of agents, the marks on pods, scaling and closed nodes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use tokio_util::sync::CancellationToken;
use voxplane_crds::labels;
use voxplane_crds::names::PoolId;
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::sessions;

use super::busy::{self, Mark, MarkedPod, Memory};
use super::scalers::sample;
use super::{PodReport, PoolReport, substitutes};
use crate::apply::Applier;
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::watch::Change;

/// How often sessions are read. A busy pod is marked at most this much later.
const EVERY: Duration = Duration::from_secs(2);

/// Reads sessions and keeps the marks of pods until `stop` is cancelled.
pub async fn observe(ctx: Arc<Context>, stop: CancellationToken) {
    let apply = Applier::new(ctx.client.clone(), "pods");
    let mut memory = Memory::default();
    loop {
        // Nothing is known while the database is away: status and marks stay as they are.
        if ctx.database.available().is_ok() {
            match read(&ctx).await {
                Ok(reports) => {
                    let closed = closed_nodes(&ctx);
                    let marks = memory.decide(&pods(&ctx, closed.as_ref()), &calls(&reports), Instant::now());
                    remember(&ctx, &reports);
                    if let Some(closed) = &closed {
                        decide_about(closed, &ctx, &reports);
                    }
                    for namespace in ctx.pools.replace(reports) {
                        ctx.router.announce(&Change::Pool { namespace, deployment: None });
                    }
                    write(&ctx, &apply, &marks).await;
                }
                Err(error) => tracing::warn!(error = %ErrorChain(&error), "cannot read the sessions of runtime pods"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What scaling looks back on.
fn remember(ctx: &Context, reports: &HashMap<PoolId, PoolReport>) {
    let now = Instant::now();
    for pool in ctx.pools.scalers.pools() {
        let deployment = ctx.stores().deployment(&pool);
        let ready = deployment.and_then(|deployment| deployment.status?.ready_replicas).unwrap_or_default();
        if let Some(sample) = sample(reports.get(&pool), ready) {
            ctx.pools.scalers.record(&pool, sample, now);
        }
    }
}

async fn read(ctx: &Context) -> Result<HashMap<PoolId, PoolReport>, DatabaseAway> {
    let mut tx = ctx.database.begin().await?;
    let mut reports: HashMap<PoolId, PoolReport> = HashMap::new();
    for (name, _) in sessions::pools(&mut tx).await? {
        let Some(pool) = PoolId::parse(&name) else { continue };
        let report = reports.entry(pool).or_default();
        for pod in sessions::pods(&mut tx, &name).await? {
            report.busy += pod.busy;
            if !pod.draining {
                report.slots += pod.slots;
                report.active += 1;
                report.active_busy += pod.busy;
            }
            *report.by_credentials_hash.entry(pod.credentials_hash).or_insert(0) += 1;
            report.pods.push(PodReport {
                name: pod.pod_name,
                uid: pod.pod_uid,
                busy: pod.busy,
                takes_calls: !pod.draining,
            });
        }
    }
    tx.rollback().await?;
    Ok(reports)
}

/// Names of the nodes that take no new pods; none until all nodes, pods and pools have been seen.
fn closed_nodes(ctx: &Context) -> Option<HashSet<String>> {
    let nodes = ctx.stores().pods_and_nodes_are_listed().then(|| ctx.stores().closed_nodes.state())?;
    Some(nodes.iter().map(|node| node.name_any()).collect())
}

/// What is to be done about pods on closed nodes.
fn decide_about(closed: &HashSet<String>, ctx: &Context, reports: &HashMap<PoolId, PoolReport>) {
    for pool in ctx.pools.substitutes.decide(&substitutes::views(ctx.stores(), closed, reports)) {
        let (namespace, deployment) = (pool.namespace().to_owned(), Some(pool.deployment().to_owned()));
        ctx.router.announce(&Change::Pool { namespace, deployment });
    }
}

fn pods(ctx: &Context, closed: Option<&HashSet<String>>) -> Vec<MarkedPod> {
    let marked = |pod: &Pod| pod.labels().get(labels::BUSY).is_some_and(|value| value == "true");
    ctx.stores()
        .pods
        .state()
        .iter()
        .map(|pod| MarkedPod {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            marked: marked(pod),
            gives_way: busy::gives_way(pod),
            on_closed_node: closed
                .map_or_else(|| busy::gives_way(pod), |closed| substitutes::is_on_closed_node(pod, closed)),
        })
        .collect()
}

fn calls(reports: &HashMap<PoolId, PoolReport>) -> HashMap<String, i32> {
    reports.values().flat_map(|report| &report.pods).map(|pod| (pod.uid.clone(), pod.busy)).collect()
}

async fn write(ctx: &Context, apply: &Applier, marks: &[Mark]) {
    for mark in marks {
        let written = apply.annotate::<Pod>(&mark.namespace, &mark.name, mark.patch()).await;
        ctx.metrics.wrote("pod_marks", written.is_ok());
        if let Err(error) = written {
            let pod = format!("{}/{}", mark.namespace, mark.name);
            tracing::warn!(pod, error = %ErrorChain(&error), "cannot mark a runtime pod, trying again");
        }
    }
}
