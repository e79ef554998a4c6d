//! Whose namespace a resource lives in. Nothing is made for a resource outside of a namespace that its agency and its
//! tenant have claimed.

use kube::ResourceExt as _;
use kube::core::ObjectMeta;
use uuid::Uuid;
use voxplane_crds::conditions::{self, reasons, types};
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{Agency, AgencySpec, Effective, Tenant, TenantSpec, VoiceAgent, effective};
use voxplane_store::{AgencyId, TenantId};

use crate::status::Problem;
use crate::watch::Stores;

/// The agency and the tenant of a resource.
#[derive(Clone, Debug)]
pub struct Home {
    /// The agency.
    pub agency: Agency,
    /// Its id.
    pub agency_id: AgencyId,
    /// The tenant.
    pub tenant: Tenant,
    /// Its id.
    pub tenant_id: TenantId,
}

impl Home {
    /// What an agent's calls use.
    #[must_use]
    pub fn effective<'a>(&'a self, agent: &'a VoiceAgent) -> Effective<'a> {
        effective(&self.agency.spec, &self.tenant.spec, &agent.spec)
    }

    /// Why no calls are taken, if none are.
    #[must_use]
    pub fn suspension(&self) -> Option<Problem> {
        suspension(&self.agency, Some(&self.tenant))
    }
}

/// Why no calls are taken, if none are.
#[must_use]
pub fn suspension(agency: &Agency, tenant: Option<&Tenant>) -> Option<Problem> {
    if agency.spec.suspended {
        return Some(Problem::new(reasons::SUSPENDED, "the agency is suspended: no call is taken"));
    }
    let suspended = tenant.is_some_and(|tenant| tenant.spec.suspended);
    suspended.then(|| Problem::new(reasons::SUSPENDED, "the tenant is suspended: no call is taken"))
}

/// The agency and the tenant whose namespace `meta` names.
///
/// # Errors
/// A problem for the condition `Accepted`.
pub fn find(stores: &Stores, meta: &ObjectMeta) -> Result<Home, Problem> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let Some(NamespaceOwner::Tenant { agency, tenant }) = names::owner_of_namespace(namespace) else {
        return Err(Problem::new(
            reasons::WRONG_NAMESPACE,
            format!("namespace {namespace} belongs to no tenant: create the object in `vx-<agency>--<tenant>`"),
        ));
    };
    let wrong = |what: String| Problem::new(reasons::WRONG_NAMESPACE, what);
    let Some(agency) = stores.agency(&agency) else {
        return Err(Problem::new(reasons::NO_AGENCY, format!("there is no agency {agency:?}")));
    };
    let Some(tenant) = stores.tenant(&agency.name_any(), &tenant) else {
        return Err(wrong(format!("agency {:?} has no tenant {tenant:?}", agency.name_any())));
    };
    let (agency_id, tenant_id) = claimed(&agency, &tenant, namespace)?;
    Ok(Home { agency, agency_id: agency_id.into(), tenant, tenant_id: tenant_id.into() })
}

fn claimed(agency: &Agency, tenant: &Tenant, namespace: &str) -> Result<(Uuid, Uuid), Problem> {
    let waiting = |what: &str| Problem::unknown(reasons::PENDING, format!("waiting for the {what} to be accepted"));
    let refused =
        |what: &str| Problem::new(reasons::WRONG_NAMESPACE, format!("the {what} is not accepted: see its status"));
    let agency_status = agency.status.as_ref().ok_or_else(|| waiting("agency"))?;
    let status = tenant.status.as_ref().ok_or_else(|| waiting("tenant"))?;
    for (what, conditions) in [("agency", &agency_status.conditions), ("tenant", &status.conditions)] {
        match conditions::find(conditions, types::ACCEPTED).map(|accepted| accepted.status.as_str()) {
            Some("True") => {}
            Some("False") => return Err(refused(what)),
            _ => return Err(waiting(what)),
        }
    }
    if status.namespace.as_deref() != Some(namespace) {
        return Err(waiting("tenant"));
    }
    let id =
        |id: &Option<String>, what| id.as_deref().and_then(|id| id.parse::<Uuid>().ok()).ok_or_else(|| waiting(what));
    Ok((id(&agency_status.id, "agency")?, id(&status.id, "tenant")?))
}

/// The ids that the statuses of the agency and the tenant of a namespace hold, however they are judged at present.
/// For clean-up, where the owners may be going too.
#[must_use]
pub fn last_ids(stores: &Stores, namespace: &str) -> Option<(AgencyId, TenantId)> {
    let NamespaceOwner::Tenant { agency, tenant } = names::owner_of_namespace(namespace)? else { return None };
    let agency_id = stores.agency(&agency)?.status?.id?.parse::<Uuid>().ok()?;
    let tenant_id = stores.tenant(&agency, &tenant)?.status?.id?.parse::<Uuid>().ok()?;
    Some((agency_id.into(), tenant_id.into()))
}

/// The longest that a call of an agent may last, in seconds, however its owners are judged at present. For clean-up.
#[must_use]
pub fn longest_call(stores: &Stores, agent: &VoiceAgent) -> i32 {
    let namespace = agent.namespace().unwrap_or_default();
    let (agency, tenant) = match names::owner_of_namespace(&namespace) {
        Some(NamespaceOwner::Tenant { agency, tenant }) => (stores.agency(&agency), stores.tenant(&agency, &tenant)),
        _ => (None, None),
    };
    let agency = agency.map_or_else(AgencySpec::default, |agency| agency.spec);
    let tenant = tenant.map_or_else(TenantSpec::default, |tenant| tenant.spec);
    effective(&agency, &tenant, &agent.spec).limits.value.max_duration_seconds
}

/// Whether an object is on its way out.
#[must_use]
pub fn is_being_deleted(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}
