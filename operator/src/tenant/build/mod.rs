//! What is made in the cluster for a tenant. Pure.

mod access;
mod limits;
mod network;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt as _;
use serde::Serialize;
use voxplane_crds::{labels, names};

use super::validate::Valid;
use crate::apply::Applier;
use crate::error::Error;
use crate::namespaces::ensure::{ensure_namespace, ensure_quota};
use crate::namespaces::{self, Counting};

/// One field per kind of object, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Desired {
    /// Where the tenant's resources and pods live.
    pub namespace: Namespace,
    /// Our own rights there, before anything else is made.
    pub operator: RoleBinding,
    /// What the namespace may hold.
    pub quota: ResourceQuota,
    /// What a container gets that does not say.
    pub limits: LimitRange,
    /// What pods may reach; everything else is denied.
    pub network: Vec<NetworkPolicy>,
    /// Who may manage and look at the tenant's resources.
    pub people: Vec<RoleBinding>,
    /// The authorities of the control port, once they are known.
    pub control_ca: Option<ConfigMap>,
}

/// Everything a tenant needs.
#[must_use]
pub fn all(valid: &Valid) -> Desired {
    let own = labels::for_tenant(&valid.agency, &valid.tenant, &valid.tenant_id.to_string());
    let namespace = valid.namespace.as_str();
    Desired {
        namespace: namespaces::namespace(namespace, own.clone()),
        operator: namespaces::operator_binding(namespace, &own, &valid.system_namespace),
        quota: limits::quota(valid, &own),
        limits: limits::defaults(valid, &own),
        network: network::policies(valid, &own),
        people: access::bindings(valid, &own),
        control_ca: valid.control_ca.as_ref().map(|bundle| ConfigMap {
            metadata: namespaces::meta(namespace, names::CONTROL_CA_CONFIG_MAP, &own),
            data: Some(BTreeMap::from([("ca.crt".to_owned(), bundle.clone())])),
            ..ConfigMap::default()
        }),
    }
}

impl Desired {
    /// Makes it so; `found`: the namespace, if it exists. Returns whether the quota counts already.
    ///
    /// # Errors
    /// When the API server fails; a conflict when somebody else made the namespace in the meantime.
    pub async fn apply(&self, found: Option<&Namespace>, apply: &Applier) -> Result<Counting, Error> {
        ensure_namespace(&self.namespace, found, apply).await?;
        apply.ensure(&self.operator).await?;
        let counting = ensure_quota(&self.quota, apply).await?;
        apply.ensure(&self.limits).await?;
        let mut is_new = false;
        for policy in &self.network {
            is_new |= apply.ensure(policy).await?.is_some();
        }
        let policies: Vec<_> = self.network.iter().filter_map(|policy| policy.metadata.name.as_deref()).collect();
        let (namespace, owner) = (self.namespace.name_any(), self.namespace.labels().get(labels::OWNER_ID));
        // What the installation allows is settled when the process starts.
        if let Some(owner) = owner.filter(|_| is_new) {
            // An allowance that the installation has withdrawn.
            apply.delete_others::<NetworkPolicy>(&namespace, owner, &policies).await?;
        }
        for binding in &self.people {
            apply.ensure(binding).await?;
        }
        if let Some(control_ca) = &self.control_ca {
            apply.ensure(control_ca).await?;
        }
        Ok(counting)
    }
}
