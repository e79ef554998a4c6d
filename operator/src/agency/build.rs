//! What is made in the cluster for an agency. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Serialize;
use voxplane_crds::labels;
use voxplane_crds::members::MemberRole;

use super::validate::Valid;
use crate::apply::Applier;
use crate::error::Error;
use crate::members;
use crate::namespaces::ensure::{ensure_namespace, ensure_quota};
use crate::namespaces::{self, Counting};

/// One field per object, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Desired {
    /// Where the tenants live.
    pub namespace: Namespace,
    /// Our own rights there, before anything else is made.
    pub operator: RoleBinding,
    /// Limits the tenants.
    pub quota: ResourceQuota,
    /// No pod runs there; if one does, it reaches nothing.
    pub isolation: NetworkPolicy,
    /// Who may manage and look at the tenants.
    pub people: Vec<RoleBinding>,
}

/// Everything an agency needs.
#[must_use]
pub fn all(valid: &Valid) -> Desired {
    let own = labels::for_agency(&valid.holder.agency, &valid.holder.agency_id.to_string());
    let namespace = valid.namespace.as_str();
    Desired {
        namespace: namespaces::namespace(namespace, own.clone()),
        operator: namespaces::operator_binding(namespace, &own, &valid.system_namespace),
        quota: ResourceQuota {
            metadata: namespaces::meta(namespace, "voxplane", &own),
            spec: Some(ResourceQuotaSpec {
                hard: Some(BTreeMap::from([
                    ("count/tenants.voxplane.dev".to_owned(), Quantity(valid.max_tenants.to_string())),
                    ("pods".to_owned(), Quantity("0".to_owned())),
                ])),
                ..ResourceQuotaSpec::default()
            }),
            ..ResourceQuota::default()
        },
        isolation: NetworkPolicy {
            metadata: namespaces::meta(namespace, "default-deny", &own),
            spec: Some(NetworkPolicySpec {
                policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
                ..NetworkPolicySpec::default()
            }),
        },
        people: people(valid, &own),
    }
}

/// One binding per role, whether somebody has it or not: who leaves the list leaves the binding, and none has to be
/// looked for.
fn people(valid: &Valid, own: &BTreeMap<String, String>) -> Vec<RoleBinding> {
    let with = |role: MemberRole| {
        let cluster_role = members::in_agency(role);
        let subjects = members::subjects(&valid.members, role);
        namespaces::binding(namespaces::meta(&valid.namespace, cluster_role, own), cluster_role, subjects)
    };
    MemberRole::ALL.map(with).into()
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
        apply.ensure(&self.isolation).await?;
        for binding in &self.people {
            apply.ensure(binding).await?;
        }
        Ok(counting)
    }
}
