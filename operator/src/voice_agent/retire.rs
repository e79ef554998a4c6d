//! Pools that no agent needs any more: their pods finish their calls, then everything of them goes.
//!
//! The Deployment is first told to have no pods, and deleted last: as long as it stands, something is left to do.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::ResourceExt as _;
use voxplane_crds::labels;
use voxplane_crds::names::PoolId;

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::watch::Stores;

/// Does the next step for every pool of a namespace that is not in `needed`. Returns how many pods still finish their
/// calls, and `None` when there is no such pool.
///
/// # Errors
/// When the API server fails.
pub async fn unneeded(
    namespace: &str,
    needed: &BTreeSet<PoolId>,
    ctx: &Context,
    apply: &Applier,
) -> Result<Option<usize>, Error> {
    let mut left = None;
    for (pool, deployment) in pools(ctx.stores(), namespace) {
        if needed.contains(&pool) {
            continue;
        }
        ctx.pools.scalers.forget(&pool);
        ctx.pools.substitutes.forget(&pool);
        let pods = pods(ctx.stores(), &pool);
        *left.get_or_insert(0) += pods;
        match next(&deployment, pods) {
            Next::Empty => apply.scale::<Deployment>(namespace, pool.deployment(), 0).await?,
            Next::Wait => {}
            Next::Remove => {
                apply.delete::<Secret>(namespace, &pool.credentials()).await?;
                apply.delete::<ServiceAccount>(namespace, pool.deployment()).await?;
                apply.delete::<Deployment>(namespace, pool.deployment()).await?;
            }
        }
    }
    Ok(left)
}

/// What to do with a pool that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Tell its pods to finish.
    Empty,
    /// They are finishing.
    Wait,
    /// Nothing of it is in use.
    Remove,
}

fn next(deployment: &Deployment, pods: usize) -> Next {
    let spec = deployment.spec.as_ref();
    // Without a number it would be one.
    if spec.and_then(|spec| spec.replicas).unwrap_or(1) > 0 {
        return Next::Empty;
    }
    let status = deployment.status.as_ref();
    let seen = status.and_then(|status| status.observed_generation) >= deployment.metadata.generation;
    let replicas = status.and_then(|status| status.replicas).unwrap_or_default();
    if seen && replicas == 0 && pods == 0 { Next::Remove } else { Next::Wait }
}

/// The pools of a namespace that exist.
fn pools(stores: &Stores, namespace: &str) -> Vec<(PoolId, Deployment)> {
    let deployments = stores.deployments.within(namespace);
    deployments
        .iter()
        .filter_map(|deployment| {
            let pool = PoolId::parse(&format!("{namespace}/{}", deployment.name_any()))?;
            Some((pool, Deployment::clone(deployment)))
        })
        .collect()
}

fn pods(stores: &Stores, pool: &PoolId) -> usize {
    let is_of_pool = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(labels::POOL).is_some_and(|name| name == pool.deployment())
    };
    stores.pods.within(pool.namespace()).iter().filter(|pod| is_of_pool(pod.labels())).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(generation: i64, replicas: i32, status: &Value) -> Deployment {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "voxplane-runtime-a", "generation": generation},
            "spec": {"replicas": replicas, "selector": {}, "template": {}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_pool_goes_when_its_pods_have_finished_and_not_before() {
        assert_eq!(next(&deployment(1, 2, &json!({"observedGeneration": 1, "replicas": 2})), 2), Next::Empty);
        assert_eq!(next(&deployment(2, 0, &json!({"observedGeneration": 1})), 0), Next::Wait, "not seen yet");
        assert_eq!(next(&deployment(2, 0, &json!({"observedGeneration": 2, "replicas": 1})), 1), Next::Wait);
        assert_eq!(next(&deployment(2, 0, &json!({"observedGeneration": 2})), 1), Next::Wait, "a pod has calls");
        assert_eq!(next(&deployment(2, 0, &json!({"observedGeneration": 2})), 0), Next::Remove);
    }
}
