//! What is made in the cluster for a pool of runtime pods. Pure.

mod deployment;
mod scheduling;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use serde::Serialize;
use voxplane_crds::names::PoolId;
use voxplane_crds::{labels, names};

use super::credentials::{self, KeySet};
use super::validate::{Pool, Valid};
use crate::apply::Applier;
use crate::error::Error;
use crate::namespaces;

/// One field per object, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Desired {
    /// What pods run as. It has no rights in the cluster; its token tells the API which pool a pod belongs to.
    pub account: ServiceAccount,
    /// The keys of all providers.
    pub credentials: Secret,
    /// The keys of the pool that the agent leaves, as long as its calls go there. Its pods stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_left: Option<Secret>,
    /// The pods with the image that the agent tries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Box<CanaryObjects>>,
    /// Protects pods with calls from eviction, those of all the tenant's pools.
    pub disruption_budget: PodDisruptionBudget,
    /// The pods.
    pub deployment: Deployment,
}

/// What pods with an image that is tried need beside those of the agent's pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CanaryObjects {
    /// What they run as: the API reads from it that they are another pool.
    pub account: ServiceAccount,
    /// The same keys.
    pub credentials: Secret,
    /// The pods.
    pub deployment: Deployment,
}

/// Everything the agent's pools need.
#[must_use]
pub fn all(valid: &Valid) -> Desired {
    Desired {
        credentials_left: valid.leaving.as_ref().map(|left| credentials_of(&valid.pool, &left.id, &left.keys)),
        canary: valid.canary.as_ref().map(|pool| {
            let Desired { account, credentials, deployment, .. } = of_pool(pool);
            Box::new(CanaryObjects { account, credentials, deployment })
        }),
        ..of_pool(&valid.pool)
    }
}

/// Everything a pool needs.
#[must_use]
pub fn of_pool(pool: &Pool) -> Desired {
    Desired {
        account: ServiceAccount {
            // The API takes the account's name for the pool's.
            metadata: meta(pool, &pool.id, pool.id.deployment()),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        credentials: credentials_of(pool, &pool.id, &pool.keys),
        credentials_left: None,
        canary: None,
        disruption_budget: disruption_budget(pool),
        deployment: deployment::build(pool),
    }
}

fn own_labels(pool: &Pool) -> BTreeMap<String, String> {
    let mut own = labels::for_tenant(&pool.agency, &pool.tenant, &pool.tenant_id);
    own.insert(labels::COMPONENT.to_owned(), labels::COMPONENT_RUNTIME.to_owned());
    own
}

fn credentials_of(owner: &Pool, id: &PoolId, keys: &KeySet) -> Secret {
    Secret {
        metadata: meta(owner, id, &id.credentials()),
        type_: Some("Opaque".to_owned()),
        data: Some(credentials::data(keys)),
        ..Secret::default()
    }
}

/// Metadata of an object that belongs to one pool of the owner of `pool`.
fn meta(pool: &Pool, id: &PoolId, name: &str) -> ObjectMeta {
    let mut own = own_labels(pool);
    own.insert(labels::POOL.to_owned(), id.deployment().to_owned());
    namespaces::meta(id.namespace(), name, &own)
}

fn disruption_budget(pool: &Pool) -> PodDisruptionBudget {
    let mut busy = labels::runtime_selector(&pool.agency, &pool.tenant);
    busy.insert(labels::BUSY.to_owned(), "true".to_owned());
    PodDisruptionBudget {
        metadata: namespaces::meta(pool.namespace(), names::POOL_DISRUPTION_BUDGET, &own_labels(pool)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(0)),
            selector: Some(LabelSelector { match_labels: Some(busy), ..LabelSelector::default() }),
            // A pod that is not ready carries no call worth a stuck node.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

impl Desired {
    /// Makes it so. `deployment` and `canary`: as the watch has them.
    ///
    /// # Errors
    /// When the API server fails.
    pub async fn apply(
        &self,
        deployment: Option<&Deployment>,
        canary: Option<&Deployment>,
        apply: &Applier,
    ) -> Result<(), Error> {
        apply.ensure(&self.account).await?;
        apply.ensure(&self.credentials).await?;
        if let Some(left) = &self.credentials_left {
            apply.ensure(left).await?;
        }
        apply.ensure(&self.disruption_budget).await?;
        apply.ensure_deployment(&self.deployment, deployment).await?;
        let Some(tried) = &self.canary else { return Ok(()) };
        apply.ensure(&tried.account).await?;
        apply.ensure(&tried.credentials).await?;
        apply.ensure_deployment(&tried.deployment, canary).await
    }
}
