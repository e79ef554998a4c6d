//! What is made in the cluster for a tenant's pool of runtime pods. Pure.

mod deployment;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use serde::Serialize;
use voxplane_crds::{labels, names};

use super::credentials;
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
    /// Protects pods with calls from eviction.
    pub disruption_budget: PodDisruptionBudget,
    /// The pods.
    pub deployment: Deployment,
}

/// Everything the tenant's pool needs.
#[must_use]
pub fn all(valid: &Valid) -> Desired {
    of_pool(&valid.pool)
}

/// Everything a pool needs.
#[must_use]
pub fn of_pool(pool: &Pool) -> Desired {
    Desired {
        account: ServiceAccount {
            metadata: meta(pool, names::POOL_SERVICE_ACCOUNT),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        credentials: Secret {
            metadata: meta(pool, names::POOL_CREDENTIALS),
            type_: Some("Opaque".to_owned()),
            data: Some(credentials::data(&pool.keys)),
            ..Secret::default()
        },
        disruption_budget: disruption_budget(pool),
        deployment: deployment::build(pool),
    }
}

fn own_labels(pool: &Pool) -> BTreeMap<String, String> {
    let mut own = labels::for_tenant(&pool.agency, &pool.tenant, &pool.tenant_id);
    own.insert(labels::COMPONENT.to_owned(), labels::COMPONENT_RUNTIME.to_owned());
    own
}

fn meta(pool: &Pool, name: &str) -> ObjectMeta {
    namespaces::meta(&pool.namespace, name, &own_labels(pool))
}

fn disruption_budget(pool: &Pool) -> PodDisruptionBudget {
    let mut busy = labels::runtime_selector(&pool.agency, &pool.tenant);
    busy.insert(labels::BUSY.to_owned(), "true".to_owned());
    PodDisruptionBudget {
        metadata: meta(pool, names::POOL_DISRUPTION_BUDGET),
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
    /// Makes it so.
    ///
    /// # Errors
    /// When the API server fails.
    pub async fn apply(&self, apply: &Applier) -> Result<(), Error> {
        apply.apply(&self.account).await?;
        apply.apply(&self.credentials).await?;
        apply.apply(&self.disruption_budget).await?;
        apply.apply(&self.deployment).await?;
        Ok(())
    }
}
