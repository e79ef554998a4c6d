//! Namespaces that the operator makes: whose they are, and what all of them have in common. Pure.

pub mod ensure;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use uuid::Uuid;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::{labels, names};

use crate::kind::RESYNC;
use crate::status::Problem;

/// Whether a namespace can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It does not exist.
    Missing,
    /// It carries our label and the owner's id.
    Ours,
    /// It cannot be used.
    Problem(Problem),
}

/// Whether the owner with this id may use the namespace.
#[must_use]
pub fn claim(namespace: Option<&Namespace>, owner: Uuid) -> Claim {
    let Some(namespace) = namespace else { return Claim::Missing };
    let name = namespace.name_any();
    if !is_ours(namespace, owner) {
        let message = format!(
            "namespace {name} exists and does not belong to this object: delete or rename it, or, to hand it over, \
             label it {}={} and {}={owner}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_OPERATOR,
            labels::OWNER_ID,
        );
        return Claim::Problem(Problem::new(reasons::NAMESPACE_CONFLICT, message));
    }
    if namespace.metadata.deletion_timestamp.is_some() {
        return Claim::Problem(Problem::new(
            reasons::TERMINATING,
            format!("namespace {name} is being deleted; it is made again when it is gone"),
        ));
    }
    Claim::Ours
}

/// Whether the namespace carries our label and the owner's id.
#[must_use]
pub fn is_ours(namespace: &Namespace, owner: Uuid) -> bool {
    let has = |key: &str, value: &str| namespace.labels().get(key).is_some_and(|found| found == value);
    has(labels::MANAGED_BY, labels::MANAGED_BY_OPERATOR) && has(labels::OWNER_ID, &owner.to_string())
}

/// What a namespace on its way out waits for, in the words of the cluster: somebody's finalizer, or an API that does not
/// answer.
#[must_use]
pub fn going(namespace: &Namespace) -> String {
    let name = namespace.name_any();
    let conditions = namespace.status.as_ref().and_then(|status| status.conditions.as_ref());
    let why: Vec<&str> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message.as_deref())
        .collect();
    match why.as_slice() {
        [] => format!("waiting for namespace {name} to go"),
        why => format!("waiting for namespace {name} to go: {}", why.join("; ")),
    }
}

/// Whether the cluster counts what a quota of ours limits.
///
/// Its quota controller learns of a new kind with a delay (five minutes at most, unless the cluster says otherwise), and
/// until then the API server refuses objects of that kind with "status unknown for quota".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Nothing is refused that fits.
    Yes,
    /// Objects of some kinds are refused, whether they fit or not.
    NotYet,
}

impl Counting {
    /// What the quota, as the API server returned it, says.
    #[must_use]
    pub fn of(quota: &ResourceQuota) -> Self {
        let limited = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
        let status = quota.status.as_ref();
        let (hard, used) =
            (status.and_then(|status| status.hard.as_ref()), status.and_then(|status| status.used.as_ref()));
        let counted = |what: &String| [hard, used].iter().all(|list| list.is_some_and(|list| list.contains_key(what)));
        if limited.is_none_or(|limited| limited.keys().all(counted)) { Self::Yes } else { Self::NotYet }
    }

    /// `Programmed`, while objects are refused.
    #[must_use]
    pub fn obstacle(self) -> Option<Desired> {
        let message = "waiting for the cluster's quota controller to count the kinds that ResourceQuota voxplane limits: \
                       kinds that were installed a moment ago are counted within five minutes";
        (self == Self::NotYet).then(|| Desired::no(types::PROGRAMMED, reasons::PENDING, message))
    }

    /// When to look again: the status of a quota is not watched.
    #[must_use]
    pub fn look_again(self) -> Duration {
        if self == Self::Yes { RESYNC } else { Duration::from_secs(2) }
    }
}

/// A namespace with these labels. Its pods must be `restricted` by the Pod Security Standards.
#[must_use]
pub fn namespace(name: &str, mut own_labels: BTreeMap<String, String>) -> Namespace {
    for mode in ["enforce", "audit", "warn"] {
        own_labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
    }
    Namespace {
        metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(own_labels), ..ObjectMeta::default() },
        ..Namespace::default()
    }
}

/// Metadata of an object in such a namespace.
#[must_use]
pub fn meta(namespace: &str, name: &str, own_labels: &BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(own_labels.clone()),
        ..ObjectMeta::default()
    }
}

/// Gives a fixed ClusterRole to somebody, in one namespace.
#[must_use]
pub fn binding(meta: ObjectMeta, role: &str, subjects: Vec<Subject>) -> RoleBinding {
    RoleBinding {
        metadata: meta,
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(subjects),
    }
}

/// The operator's own rights in a namespace it made; it has none before.
#[must_use]
pub fn operator_binding(namespace: &str, own_labels: &BTreeMap<String, String>, system_namespace: &str) -> RoleBinding {
    let operator = Subject {
        kind: "ServiceAccount".to_owned(),
        name: names::OPERATOR_SERVICE_ACCOUNT.to_owned(),
        namespace: Some(system_namespace.to_owned()),
        ..Subject::default()
    };
    binding(meta(namespace, names::RUNTIME_MANAGER_ROLE, own_labels), names::RUNTIME_MANAGER_ROLE, vec![operator])
}

/// A group of people as the identity provider names it.
#[must_use]
pub fn group(name: String) -> Subject {
    Subject {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: "Group".to_owned(),
        name,
        ..Subject::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(owner: &str) -> Namespace {
        namespace("vx-a", labels::for_agency("a", owner))
    }

    #[test]
    fn a_quota_counts_when_every_limited_kind_has_a_number() {
        let quota = |status: &str| -> ResourceQuota {
            let text =
                format!("{{spec: {{hard: {{pods: '4', count/voiceagents.voxplane.dev: '2'}}}}, status: {status}}}");
            serde_yaml_ng::from_str(&text).unwrap()
        };
        let all = "{pods: '4', count/voiceagents.voxplane.dev: '2'}";
        assert_eq!(Counting::of(&quota(&format!("{{hard: {all}, used: {all}}}"))), Counting::Yes);
        for waiting in
            ["{}".to_owned(), format!("{{hard: {all}, used: {{pods: '0'}}}}"), "{hard: {pods: '4'}}".to_owned()]
        {
            let counting = Counting::of(&quota(&waiting));
            assert_eq!(counting, Counting::NotYet, "{waiting}");
            assert!(counting.obstacle().is_some() && counting.look_again() < RESYNC);
        }
    }

    #[test]
    fn a_namespace_that_stays_says_why() {
        let mut namespace = existing("1");
        assert_eq!(going(&namespace), "waiting for namespace vx-a to go");
        let text = "{conditions: [
            {type: NamespaceDeletionContentFailure, status: 'False', reason: ContentDeleted, message: All content deleted},
            {type: NamespaceFinalizersRemaining, status: 'True', reason: SomeFinalizersRemain, \
             message: 'Some content in the namespace has finalizers remaining: backup.example.com/keep in 1 resource instances'}]}";
        namespace.status = serde_yaml_ng::from_str(text).unwrap();
        let said = going(&namespace);
        assert!(
            said.ends_with(
                "to go: Some content in the namespace has finalizers remaining: \
                                backup.example.com/keep in 1 resource instances"
            ),
            "{said}"
        );
    }

    #[test]
    fn a_namespace_is_used_only_with_our_label_and_the_owners_id() {
        let id = Uuid::from_u128(1);
        assert_eq!(claim(None, id), Claim::Missing);
        assert_eq!(claim(Some(&existing(&id.to_string())), id), Claim::Ours);
        let mut unlabelled = existing(&id.to_string());
        unlabelled.metadata.labels = None;
        for foreign in [existing(&Uuid::from_u128(2).to_string()), unlabelled] {
            let Claim::Problem(problem) = claim(Some(&foreign), id) else { panic!("not refused") };
            assert_eq!(problem.reason, reasons::NAMESPACE_CONFLICT);
        }
    }
}
