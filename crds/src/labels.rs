//! Labels, annotations, the finalizer and field managers.

use std::collections::BTreeMap;

/// Set by the operator on every object it makes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`].
pub const MANAGED_BY_OPERATOR: &str = "voxplane-operator";
/// Name of the agency an object belongs to.
pub const AGENCY: &str = "voxplane.dev/agency";
/// Name of the tenant an object belongs to; absent on an agency's own objects.
pub const TENANT: &str = "voxplane.dev/tenant";
/// `status.id` of the resource that an object was made for. A namespace is used only if it carries its owner's.
pub const OWNER_ID: &str = "voxplane.dev/owner-id";
/// What an object is for, see [`COMPONENT_RUNTIME`].
pub const COMPONENT: &str = "voxplane.dev/component";
/// [`COMPONENT`] of everything that belongs to a pool of runtime pods.
pub const COMPONENT_RUNTIME: &str = "runtime";
/// Name of the Deployment of the pool that an object or a pod belongs to.
pub const POOL: &str = "voxplane.dev/pool";
/// `true` on runtime pods that carry a call; what the disruption budget selects.
pub const BUSY: &str = "voxplane.dev/busy";
/// On a Secret that users make: the provider that may read it.
pub const PROVIDER: &str = "voxplane.dev/provider";
/// Annotation on a pool's pod template: hash of the credential set, so that a reader sees which set a pod began with.
pub const CREDENTIALS_HASH: &str = "voxplane.dev/credentials-hash";
/// Annotation on a pool's Deployment while it has one pod more than anybody asked for, because pods leave a closed node:
/// how many were asked for.
pub const WANTED_REPLICAS: &str = "voxplane.dev/wanted-replicas";

/// Removed from a resource only after everything outside it is gone.
pub const FINALIZER: &str = "voxplane.dev/finalizer";
/// Type that a Secret must have to be referenced from a resource.
pub const CREDENTIALS_SECRET_TYPE: &str = "voxplane.dev/credentials";
/// Field manager of the operator. Controllers may append `/<controller>`.
pub const OPERATOR_FIELD_MANAGER: &str = "voxplane-operator";
/// Field manager of the API.
pub const API_FIELD_MANAGER: &str = "voxplane-api";
/// Audience of the ServiceAccount token with which runtime pods introduce themselves to the API.
pub const RUNTIME_TOKEN_AUDIENCE: &str = "voxplane-runtime";

/// The labels of an object that belongs to an agency itself.
#[must_use]
pub fn for_agency(agency: &str, owner_id: &str) -> BTreeMap<String, String> {
    [(MANAGED_BY, MANAGED_BY_OPERATOR), (AGENCY, agency), (OWNER_ID, owner_id)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The labels of an object that belongs to a tenant.
#[must_use]
pub fn for_tenant(agency: &str, tenant: &str, owner_id: &str) -> BTreeMap<String, String> {
    let mut labels = for_agency(agency, owner_id);
    labels.insert(TENANT.to_owned(), tenant.to_owned());
    labels
}

/// What a tenant's runtime pods of all its pools have in common; the disruption budget and network policies select
/// by it.
#[must_use]
pub fn runtime_selector(agency: &str, tenant: &str) -> BTreeMap<String, String> {
    [(AGENCY, agency), (TENANT, tenant), (COMPONENT, COMPONENT_RUNTIME)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// What a pool's Deployment and the scale subresource select pods by. Never changes for a pool: a Deployment's selector
/// is immutable.
#[must_use]
pub fn pool_selector(agency: &str, tenant: &str, deployment: &str) -> BTreeMap<String, String> {
    let mut labels = runtime_selector(agency, tenant);
    labels.insert(POOL.to_owned(), deployment.to_owned());
    labels
}

/// Labels written as a selector (`a=b,c=d`).
#[must_use]
pub fn selector_string(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
