//! Who answers a number, as far as the operator sees it: the API decides for every call. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use voxplane_crds::conditions::{self, Desired, Status, reasons, types};
use voxplane_crds::phone_number::{Squad, SquadAgentStatus};
use voxplane_crds::{PhoneNumber, PhoneNumberStatus, VoiceAgent, duty};

use super::observe::Observed;
use crate::status::Problem;

/// The agents that a number names, by name; absent if missing.
pub type Named = BTreeMap<String, VoiceAgent>;

/// The agents that are named and do not exist.
pub fn missing(number: &PhoneNumber, agents: &Named) -> Option<Problem> {
    let missing: Vec<_> = number
        .spec
        .agents()
        .filter(|(_, name)| !agents.contains_key(*name))
        .map(|(field, name)| format!("{field}: there is no VoiceAgent {name:?} in this namespace"))
        .collect();
    (!missing.is_empty()).then(|| Problem::new(reasons::REF_NOT_FOUND, missing.join("; ")))
}

/// What is wrong with the schedule. The entry never counts, and calls are taken all the same: only readiness says it.
pub fn schedule(number: &PhoneNumber, seen: &Observed) -> Option<Problem> {
    let tenant = &seen.home.as_ref().ok()?.tenant;
    let bad = duty::check(&number.spec.schedule, &tenant.spec.timezone).err()?;
    let whose = if bad.field == "spec.timezone" { "the tenant's " } else { "" };
    Some(Problem::new(reasons::INVALID, format!("{whose}{bad}")))
}

/// Whether calls reach an agent, at any time of the week.
pub fn bound(number: &PhoneNumber, agents: &Named) -> Desired {
    let spec = &number.spec;
    let usually = match &spec.squad {
        Some(squad) => bound_squad(squad, agents),
        None => spec.agent_ref.as_ref().map_or_else(nobody, |own| bound_to(agents.get(&own.name))),
    };
    let at_times = spec.schedule.iter().filter_map(|entry| {
        // One that does not exist is passed over: who usually answers does then, too.
        let agent = agents.get(&entry.agent_ref.name)?;
        let bound = bound_to(Some(agent));
        (bound.status != Status::True)
            .then(|| Desired { message: format!("spec.schedule[{}]: {}", entry.name, bound.message), ..bound })
    });
    std::iter::once(usually.clone())
        .filter(|bound| bound.status != Status::True)
        .chain(at_times)
        .next()
        .unwrap_or(usually)
}

fn nobody() -> Desired {
    Desired::no(types::BOUND, reasons::REF_NOT_FOUND, "there is no agent to answer")
}

/// One agent that is ready is enough; who else is not, stands in the status.
fn bound_squad(squad: &Squad, agents: &Named) -> Desired {
    let bound: Vec<_> =
        squad.agents.iter().filter_map(|member| agents.get(&member.name)).map(|agent| bound_to(Some(agent))).collect();
    let ready = bound.iter().find(|bound| bound.status == Status::True);
    ready.or(bound.first()).cloned().unwrap_or_else(nobody)
}

fn bound_to(agent: Option<&VoiceAgent>) -> Desired {
    let Some(agent) = agent else { return nobody() };
    let name = agent.name_any();
    if agent.metadata.deletion_timestamp.is_some() {
        return Desired::no(types::BOUND, reasons::TERMINATING, format!("agent {name:?} is being deleted"));
    }
    let conditions = agent.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions::find(conditions, types::READY) {
        Some(ready) if ready.status == "True" => Desired::yes(types::BOUND, reasons::BOUND),
        Some(ready) if ready.status == "False" => {
            let message = format!("agent {name:?} is not ready ({}): {}", ready.reason, ready.message);
            Desired::no(types::BOUND, reasons::WAITING_FOR_DEPENDENCY, message)
        }
        _ => Desired::unknown(types::BOUND, reasons::PENDING, format!("whether agent {name:?} is ready is not known")),
    }
}

/// Says who answers.
pub fn tell(status: &mut PhoneNumberStatus, number: &PhoneNumber, agents: &Named) {
    let id = |name: &String| agents.get(name).and_then(|agent| agent.status.as_ref()?.id.clone());
    let spec = &number.spec;
    status.agent_id = spec.agent_ref.as_ref().and_then(|own| id(&own.name));
    status.squad = spec
        .squad
        .iter()
        .flat_map(|squad| &squad.agents)
        .map(|member| {
            let ready = bound_to(agents.get(&member.name)).status == Status::True;
            SquadAgentStatus { name: member.name.clone(), agent_id: id(&member.name), ready }
        })
        .collect();
    status.answers = match &spec.squad {
        Some(squad) => {
            let ready = status.squad.iter().filter(|member| member.ready).count();
            Some(format!("{}, {ready} of {} ready", squad.routing.as_str(), squad.agents.len()))
        }
        None => spec.agent_ref.as_ref().map(|own| own.name.clone()),
    };
}
