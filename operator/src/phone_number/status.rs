//! What is said about a phone number. Pure.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_crds::conditions::{self, Desired, Status, reasons, types};
use voxplane_crds::phone_number::{OrderState as Shown, OrderStatus, OutboundStatus};
use voxplane_crds::{PhoneNumber, PhoneNumberStatus};
use voxplane_store::number_orders::{NumberOrder, OrderState};
use voxplane_telephony::market::Reference;

use super::answers;
use super::observe::Observed;
use super::validate::Valid;
use crate::claims::Refusal;
use crate::home::Home;
use crate::identity::Identity;
use crate::status::{Judgement, Problem, begin};

/// Longest text of `status.order.message`.
const LONGEST_MESSAGE: usize = 1_024;

/// The status of a phone number after a pass.
#[must_use]
pub fn compute(
    number: &PhoneNumber,
    seen: &Observed,
    plan: &Result<Valid, Refusal>,
    now: Timestamp,
) -> PhoneNumberStatus {
    let (judgement, bound) = match plan {
        Err(refusal) => refused(refusal),
        Ok(valid) => judge(number, seen, valid),
    };
    let mut desired = judgement.conditions();
    // Before Ready, which is last.
    desired.insert(desired.len().saturating_sub(1), bound);
    let id = seen.identity.as_ref().and_then(Identity::id).map(|id| id.to_string());
    let mut status = begin(number.status.as_ref(), id, number.metadata.generation, desired, now);
    status.agency = seen.home.as_ref().ok().map(|home| home.agency.name_any());
    match plan {
        // What LiveKit has is not known just after a start: the last ids stay.
        Ok(_) if seen.connection.is_none() => {}
        Ok(_) => {
            status.trunk_id = seen.connection.as_ref().and_then(|connection| connection.trunk_id.clone());
            status.dispatch_rule_id = seen.connection.as_ref().and_then(|connection| connection.rule_id.clone());
        }
        Err(_) => (status.trunk_id, status.dispatch_rule_id) = (None, None),
    }
    if let Some(number) = &number.spec.number {
        status.number = Some(number.clone());
    } else if let Some(order) = &seen.carrier.order {
        let owned = matches!(order.state, OrderState::Ordered | OrderState::Routed);
        status.number = order.number.clone().filter(|_| owned);
    }
    // While the database is away, what was last said stays.
    if matches!(seen.identity, Some(Identity::Registered(_))) {
        status.order = seen.carrier.order.as_ref().map(order_status);
    }
    answers::tell(&mut status, number, &seen.agents);
    status.outbound = outbound_status(number, seen, plan);
    status.fallback = seen.fallback.told.clone();
    status
}

fn order_status(order: &NumberOrder) -> OrderStatus {
    OrderStatus {
        state: match order.state {
            OrderState::Choosing => Shown::Choosing,
            OrderState::Intended => Shown::Intended,
            OrderState::Ordering => Shown::Ordering,
            OrderState::Ordered => Shown::Ordered,
            OrderState::Routed => Shown::Routed,
            OrderState::Released => Shown::Released,
            OrderState::Failed => Shown::Failed,
        },
        number: order.number.clone(),
        // Where the carrier picks the number, it keeps no mark.
        reference: (order.buys() && order.baseline.is_none()).then(|| Reference::new(order.id).as_str().to_owned()),
        attempts: order.attempts,
        message: order.problem.as_ref().map(|problem| problem.message.chars().take(LONGEST_MESSAGE).collect()),
    }
}

fn refused(refusal: &Refusal) -> (Judgement, Desired) {
    let judgement = match refusal {
        Refusal::Spec(problem) => Judgement::refused(problem),
        Refusal::Reference(problem) => Judgement {
            resolved: problem.as_condition(types::RESOLVED_REFS),
            programmed: Desired::unknown(types::PROGRAMMED, reasons::PENDING, "waiting for the carrier connection"),
            ..Judgement::good()
        },
        Refusal::Carrier(problem) => {
            Judgement { programmed: problem.as_condition(types::PROGRAMMED), ..Judgement::good() }
        }
    };
    (judgement, Desired::no(types::BOUND, reasons::PENDING, "the number is not on a trunk"))
}

fn judge(number: &PhoneNumber, seen: &Observed, valid: &Valid) -> (Judgement, Desired) {
    let mut judgement = Judgement::good();
    if let Some(problem) = answers::missing(number, &seen.agents) {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    if let Some(Err(problem)) = &seen.caller_id {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    if let Some(problem) = valid.account.as_ref().or(seen.fallback.account.as_ref()) {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    let programmed = match &valid.carrier {
        Some(problem) => problem.as_condition(types::PROGRAMMED),
        None => programmed(number, seen, valid),
    };
    // Calls to the number come first: what stands in their way is told before what stands in the way of the rest.
    judgement.programmed = match programmed.status {
        Status::True => calling(number, seen)
            .or_else(|| seen.fallback.problem.clone())
            .map_or(programmed, |problem| problem.as_condition(types::PROGRAMMED)),
        _ => programmed,
    };
    let bound = answers::bound(number, &seen.agents);
    let schedule = answers::schedule(number, seen).map(|problem| problem.as_condition(types::READY));
    let suspended =
        seen.home.as_ref().ok().and_then(Home::suspension).map(|problem| problem.as_condition(types::READY));
    let database = seen.database_problem.as_ref().map(|why| {
        let message = format!("the route is kept; whether calls are taken is not known: {why}");
        Desired::unknown(types::READY, reasons::DATABASE_UNAVAILABLE, message)
    });
    judgement.obstacle = suspended.or(database).or(schedule).or_else(|| Some(bound.clone()));
    (judgement, bound)
}

fn programmed(number: &PhoneNumber, seen: &Observed, valid: &Valid) -> Desired {
    let no = |reason, message: &str| Desired::no(types::PROGRAMMED, reason, message);
    match &seen.connection {
        _ if !seen.livekit => no(reasons::LIVEKIT_ERROR, "no LiveKit is configured"),
        // Just after a start what was last said stays, too: the agency's pass is about to find out.
        None if was_programmed(number) => Desired::yes(types::PROGRAMMED, reasons::PROGRAMMED),
        None => Desired::unknown(types::PROGRAMMED, reasons::PENDING, "the trunk has not been looked at yet"),
        Some(connection) if connection.numbers.contains(&valid.number) => {
            Desired::yes(types::PROGRAMMED, reasons::PROGRAMMED)
        }
        Some(connection) if connection.blocked.contains(&valid.number) => {
            no(reasons::LIVEKIT_ERROR, "the number is on a trunk in LiveKit that does not belong to the agency")
        }
        Some(connection) if connection.problem.is_some() => no(
            reasons::LIVEKIT_ERROR,
            "the trunk of the carrier connection could not be changed: see the agency's status",
        ),
        Some(_) => no(reasons::PENDING, "the number is being put on the trunk of its carrier connection"),
    }
}

/// What stands in the way of calls that are placed with the number, if they may be.
fn calling(number: &PhoneNumber, seen: &Observed) -> Option<Problem> {
    let Some(Ok(caller_id)) = &seen.caller_id else { return None };
    let home = seen.home.as_ref().ok()?;
    let carrier = &number.spec.carrier;
    let connection = home.agency.spec.carriers.iter().find(|connection| connection.name == *carrier)?;
    if connection.outbound.is_none() {
        let message = format!(
            "spec.outbound: carrier connection {carrier:?} places no calls: the agency adds outbound under spec.carriers[], \
             or take spec.outbound out"
        );
        return Some(Problem::new(reasons::OUTBOUND_NOT_ALLOWED, message));
    }
    // Not known just after a start: what was said stays.
    let livekit = seen.connection.as_ref()?;
    match &livekit.outbound {
        Some(trunk) if trunk.caller_ids.contains(caller_id) => None,
        _ if livekit.outbound_problem.is_some() => Some(Problem::new(
            reasons::LIVEKIT_ERROR,
            "the outbound trunk of the carrier connection could not be made or changed: see the agency's status",
        )),
        _ => Some(Problem::new(
            reasons::PENDING,
            "the number is being put on the outbound trunk of its carrier connection; if that lasts, see the agency's \
             status",
        )),
    }
}

fn outbound_status(number: &PhoneNumber, seen: &Observed, plan: &Result<Valid, Refusal>) -> Option<OutboundStatus> {
    let (Some(Ok(caller_id)), Ok(_)) = (&seen.caller_id, plan) else { return None };
    let Some(connection) = &seen.connection else { return number.status.as_ref()?.outbound.clone() };
    let trunk = connection.outbound.as_ref().filter(|trunk| trunk.caller_ids.contains(caller_id))?;
    Some(OutboundStatus { caller_id: caller_id.as_str().to_owned(), trunk_id: trunk.trunk_id.clone() })
}

fn was_programmed(number: &PhoneNumber) -> bool {
    let conditions = number.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions::is_true_for(conditions, types::PROGRAMMED, number.metadata.generation)
}
