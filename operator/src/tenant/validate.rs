//! Whether a tenant can be as it says. Pure.

use kube::ResourceExt as _;
use uuid::Uuid;
use voxplane_crds::conditions::{self, reasons, types};
use voxplane_crds::members::Member;
use voxplane_crds::tenant::GpuQuota;
use voxplane_crds::{Agency, Tenant, names};

use super::observe::Observed;
use crate::config::EgressAllowance;
use crate::namespaces::{self, Claim};
use crate::status::Problem;

/// A tenant that can be made.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Name of the agency.
    pub agency: String,
    /// Its name.
    pub tenant: String,
    /// Its id.
    pub tenant_id: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// Calls at one time.
    pub max_calls: i32,
    /// PhoneNumbers it may have.
    pub phone_numbers: i32,
    /// VoiceAgents it may have.
    pub voice_agents: i32,
    /// Accelerators it may use.
    pub gpus: Vec<GpuQuota>,
    /// Who may work with it, those of its agency included.
    pub members: Vec<Member>,
    /// The authorities of the control port.
    pub control_ca: Option<String>,
    /// What runtime pods may reach.
    pub egress: Vec<EgressAllowance>,
    /// The namespace of the platform itself.
    pub system_namespace: String,
}

/// Judges a tenant.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(tenant: &Tenant, seen: &Observed) -> Result<Valid, Problem> {
    let agency = seen.agency.clone()?;
    agency_accepts(&agency)?;
    let most = agency.spec.quotas.max_tenants;
    if seen.older_siblings >= usize::try_from(most).unwrap_or(0) {
        return Err(Problem::new(
            reasons::QUOTA_EXCEEDED,
            format!(
                "the agency may have {most} tenants and has that many older ones: raise its spec.quotas.maxTenants"
            ),
        ));
    }
    let identity = seen.identity.as_ref();
    let Some(tenant_id) = identity.and_then(crate::identity::Identity::id) else {
        let why = identity.and_then(|identity| identity.database_problem()).unwrap_or("waiting for the agency's id");
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    };
    let namespace = names::tenant_namespace(&agency.name_any(), &tenant.name_any());
    if let Claim::Problem(problem) = namespaces::claim(seen.namespace.as_ref(), tenant_id) {
        return Err(problem);
    }
    let quotas = &tenant.spec.quotas;
    Ok(Valid {
        agency: agency.name_any(),
        tenant: tenant.name_any(),
        tenant_id,
        namespace,
        max_calls: quotas.concurrent_calls.max,
        phone_numbers: quotas.phone_numbers,
        voice_agents: quotas.voice_agents,
        gpus: quotas.gpus.clone(),
        members: agency.spec.members.iter().chain(&tenant.spec.members).cloned().collect(),
        control_ca: seen.control_ca.clone(),
        egress: seen.egress.clone(),
        system_namespace: seen.system_namespace.clone(),
    })
}

fn agency_accepts(agency: &Agency) -> Result<(), Problem> {
    let name = agency.name_any();
    if agency.metadata.deletion_timestamp.is_some() {
        return Err(Problem::new(reasons::NO_AGENCY, format!("agency {name:?} is being deleted")));
    }
    let conditions = agency.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions::find(conditions, types::ACCEPTED).map(|accepted| accepted.status.as_str()) {
        Some("True") => Ok(()),
        Some("False") => {
            Err(Problem::new(reasons::NO_AGENCY, format!("agency {name:?} is not accepted: see its status")))
        }
        _ => Err(Problem::unknown(reasons::PENDING, format!("waiting for agency {name:?} to be accepted"))),
    }
}
