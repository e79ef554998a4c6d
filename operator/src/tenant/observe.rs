//! Everything that is read for a tenant.

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::status::CommonStatus as _;
use voxplane_crds::{Agency, Tenant};
use voxplane_store::resources::ResourceKind;

use crate::config::EgressAllowance;
use crate::context::Context;
use crate::error::Error;
use crate::identity::{Identity, identify};
use crate::namespaces::ensure::look_up;
use crate::status::Problem;
use crate::watch::{Stores, decoded};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its agency, or why it has none.
    pub agency: Result<Agency, Problem>,
    /// Its id; `None` while its agency has none.
    pub identity: Option<Identity>,
    /// The namespace of the tenant's name, whoever made it.
    pub namespace: Option<Namespace>,
    /// How many tenants of the agency are older.
    pub older_siblings: usize,
    /// The authorities of the control port; `None` before they are known.
    pub control_ca: Option<String>,
    /// What runtime pods may reach.
    pub egress: Vec<EgressAllowance>,
    /// The namespace of the platform itself.
    pub system_namespace: String,
}

/// Reads everything.
///
/// # Errors
/// When the API server or the database fails.
pub async fn read(tenant: &Tenant, ctx: &Context) -> Result<Observed, Error> {
    let home = tenant.namespace().unwrap_or_default();
    let agency = agency_of(&home, ctx.stores());
    let mut identity = None;
    let mut namespace = None;
    if let Ok(agency) = &agency {
        if let Some(agency_id) = agency.status.as_ref().and_then(|status| status.id()).and_then(|id| id.parse().ok()) {
            identity = Some(identify(ctx, tenant, ResourceKind::Tenant, Some(agency_id), None).await?);
        }
        let own = names::tenant_namespace(&agency.name_any(), &tenant.name_any());
        namespace = look_up(&own, ctx).await?;
    }
    Ok(Observed {
        agency,
        identity,
        namespace,
        older_siblings: older_siblings(tenant, &home, ctx.stores()),
        control_ca: ctx.control_ca.bundle(),
        egress: ctx.settings.egress.clone(),
        system_namespace: ctx.settings.system_namespace.clone(),
    })
}

fn agency_of(namespace: &str, stores: &Stores) -> Result<Agency, Problem> {
    let Some(NamespaceOwner::Agency(name)) = names::owner_of_namespace(namespace) else {
        return Err(Problem::new(
            reasons::WRONG_NAMESPACE,
            format!("namespace {namespace} belongs to no agency: create the Tenant in `vx-<agency>`"),
        ));
    };
    let missing = || Problem::new(reasons::NO_AGENCY, format!("there is no agency {name:?}: create it first"));
    stores.agency(&name).ok_or_else(missing)
}

fn older_siblings(tenant: &Tenant, namespace: &str, stores: &Stores) -> usize {
    let age = |tenant: &Tenant| {
        (tenant.metadata.creation_timestamp.as_ref().map(|time| time.0), tenant.uid().unwrap_or_default())
    };
    let own = age(tenant);
    stores
        .tenants
        .within(namespace)
        .iter()
        .filter_map(|sibling| decoded(sibling))
        .filter(|sibling| age(sibling) < own)
        .count()
}
