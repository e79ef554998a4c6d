//! What is said about an agency. Pure.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::agency::CarrierStatus;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::{Agency, AgencyStatus};

use super::observe::Observed;
use super::program::Outcome;
use super::validate::Valid;
use crate::home::suspension;
use crate::namespaces::Counting;
use crate::status::{Judgement, Problem, begin};

/// The status of an agency after a pass.
#[must_use]
pub fn compute(
    agency: &Agency,
    seen: &Observed,
    plan: &Result<Valid, Problem>,
    programmed: &Outcome,
    counting: Counting,
    now: Timestamp,
) -> AgencyStatus {
    let judgement = match plan {
        Err(problem) => Judgement::refused(problem),
        Ok(valid) => judge(agency, seen, valid, programmed, counting),
    };
    let id = seen.identity.id().map(|id| id.to_string());
    let mut status = begin(agency.status.as_ref(), id, agency.metadata.generation, judgement.conditions(), now);
    status.tenants = i32::try_from(seen.tenants).unwrap_or(i32::MAX);
    if let Ok(valid) = plan {
        status.namespace = Some(valid.namespace.clone());
        status.carriers =
            agency.spec.carriers.iter().map(|carrier| carrier_status(&carrier.name, valid, programmed)).collect();
    }
    status
}

fn judge(agency: &Agency, seen: &Observed, valid: &Valid, programmed: &Outcome, counting: Counting) -> Judgement {
    let mut judgement = Judgement::good();
    if let Some(problem) = valid.problems.values().next() {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    if let Some(message) = &programmed.problem {
        // Whatever was programmed before still works.
        judgement.programmed = Desired::no(types::PROGRAMMED, reasons::LIVEKIT_ERROR, message.clone());
    }
    if agency.spec.carriers.is_empty() {
        // Without a carrier nothing of LiveKit is needed.
        judgement.programmed = Desired::yes(types::PROGRAMMED, reasons::PROGRAMMED);
    }
    if let Some(obstacle) = counting.obstacle() {
        judgement.programmed = obstacle;
    }
    judgement.obstacle = suspension(agency, None).map(|problem| problem.as_condition(types::READY)).or_else(|| {
        let why = seen.identity.database_problem()?;
        let message = format!("what exists is kept; nothing new is made: {why}");
        Some(Desired::unknown(types::READY, reasons::DATABASE_UNAVAILABLE, message))
    });
    judgement
}

fn carrier_status(name: &str, valid: &Valid, programmed: &Outcome) -> CarrierStatus {
    let connection = programmed.connections.iter().find(|connection| connection.carrier == name);
    let outbound = connection.and_then(|connection| connection.outbound.as_ref());
    let problem = valid.problems.get(name).map(|problem| problem.message.clone());
    CarrierStatus {
        name: name.to_owned(),
        trunk_id: connection.and_then(|connection| connection.trunk_id.clone()),
        dispatch_rule_id: connection.and_then(|connection| connection.rule_id.clone()),
        numbers: connection.map_or(0, |connection| i32::try_from(connection.numbers.len()).unwrap_or(i32::MAX)),
        outbound_trunk_id: outbound.map(|trunk| trunk.trunk_id.clone()),
        caller_ids: outbound.map_or(0, |trunk| i32::try_from(trunk.caller_ids.len()).unwrap_or(i32::MAX)),
        message: problem
            .or_else(|| connection.and_then(|connection| connection.problem.clone()))
            .or_else(|| connection.and_then(|connection| connection.outbound_problem.clone()))
            .map(|message| message.chars().take(1_024).collect()),
    }
}
