//! What is said about a tenant. Pure.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::hours::{self, Schedule};
use voxplane_crds::{Tenant, TenantStatus};

use super::observe::Observed;
use super::validate::Valid;
use crate::home::suspension;
use crate::identity::Identity;
use crate::namespaces::Counting;
use crate::status::{Judgement, Problem, begin};

/// The status of a tenant after a pass.
#[must_use]
pub fn compute(
    tenant: &Tenant,
    seen: &Observed,
    plan: &Result<Valid, Problem>,
    counting: Counting,
    now: Timestamp,
) -> TenantStatus {
    let judgement = match plan {
        Err(problem) => Judgement::refused(problem),
        Ok(valid) => judge(tenant, seen, valid, counting),
    };
    let id = seen.identity.as_ref().and_then(Identity::id).map(|id| id.to_string());
    let mut status = begin(tenant.status.as_ref(), id, tenant.metadata.generation, judgement.conditions(), now);
    if let Ok(agency) = &seen.agency {
        status.agency = Some(agency.name_any());
    }
    if let Ok(valid) = plan {
        status.namespace = Some(valid.namespace.clone());
    }
    status
}

/// What is wrong with the hours. Calls are taken all the same, so only readiness says it.
fn hours(tenant: &Tenant) -> Option<Problem> {
    let spec = &tenant.spec;
    let bad = match &spec.business_hours {
        Some(hours) => Schedule::new(hours, &spec.timezone).err(),
        None => hours::zone(&spec.timezone).err(),
    };
    bad.map(|bad| Problem::new(reasons::INVALID, bad.to_string()))
}

fn judge(tenant: &Tenant, seen: &Observed, valid: &Valid, counting: Counting) -> Judgement {
    let mut judgement = Judgement::good();
    if let Some(obstacle) = counting.obstacle() {
        judgement.programmed = obstacle;
    }
    if valid.control_ca.is_none() {
        let message = "waiting for the certificate authority of the control port";
        judgement.programmed = Desired::no(types::PROGRAMMED, reasons::PENDING, message);
    }
    let suspended = seen.agency.as_ref().ok().and_then(|agency| suspension(agency, Some(tenant)));
    let hours = hours(tenant).map(|problem| problem.as_condition(types::READY));
    judgement.obstacle = suspended.map(|problem| problem.as_condition(types::READY)).or(hours).or_else(|| {
        let why = seen.identity.as_ref().and_then(Identity::database_problem)?;
        let message = format!("what exists is kept; nothing new is made: {why}");
        Some(Desired::unknown(types::READY, reasons::DATABASE_UNAVAILABLE, message))
    });
    judgement
}
