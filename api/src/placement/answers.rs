//! Which agent answers a number: the one of its schedule, its own, or one of its squad. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use voxplane_crds::conditions::{find, types};
use voxplane_crds::duty::on_duty;
use voxplane_crds::names::PoolId;
use voxplane_crds::phone_number::{Squad, SquadRouting};
use voxplane_crds::{PhoneNumber, Tenant, VoiceAgent};

use super::resolve::pool_of;
use crate::cluster::{Directory, id_of, is_being_deleted};

/// What is known of a call before it has an agent.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// When it arrived.
    pub at: Timestamp,
    /// Its room: a random name that every replica knows, so that all of them draw the same lot.
    pub room: &'a str,
    /// The agent that has the call already.
    pub agent: Option<Uuid>,
    /// Pools without a free call slot.
    pub full: HashSet<PoolId>,
}

/// A call of which only the time matters.
impl From<Timestamp> for Arrival<'_> {
    fn from(at: Timestamp) -> Self {
        Self { at, room: "", agent: None, full: HashSet::new() }
    }
}

/// Who answers.
#[derive(Debug, Clone)]
pub struct Answerer {
    /// The agent.
    pub agent: Arc<VoiceAgent>,
    /// Its id.
    pub id: Uuid,
    /// The schedule named it: business hours are not asked.
    pub by_schedule: bool,
    /// For the ledger: why this one. `None` for a number that only ever has one agent.
    pub entry: Option<Value>,
}

/// Says who answers a call to a number.
///
/// # Errors
/// Why nobody does, for the log.
pub fn decide(
    world: &Directory,
    claim: &PhoneNumber,
    tenant: &Tenant,
    arrival: &Arrival<'_>,
) -> Result<Answerer, &'static str> {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let timezone = &tenant.spec.timezone;
    for duty in on_duty(&claim.spec.schedule, timezone, arrival.at) {
        // Without its agent an entry counts as little as if it were not there; the number's status says so.
        let Some((agent, id)) = known(world, namespace, &duty.entry.agent_ref.name) else { continue };
        let entry = json!({
            "by": "schedule", "agent": duty.entry.agent_ref.name, "entry": duty.entry.name, "rule": duty.moment.rule,
            "local_time": duty.moment.local, "timezone": timezone,
        });
        return Ok(Answerer { agent, id, by_schedule: true, entry: Some(entry) });
    }
    let (agent, id, entry) = match (&claim.spec.agent_ref, &claim.spec.squad) {
        (_, Some(squad)) => {
            let candidates = candidates(world, namespace, squad, arrival);
            let chosen =
                choose(squad, &candidates, arrival).ok_or("none of its squad's agents exists and is registered")?;
            (chosen.agent.clone(), chosen.id, Some(chosen.entry))
        }
        (Some(own), None) => {
            let agent = world.agent(namespace, &own.name).ok_or("its agent does not exist")?;
            let id = id_of(agent.status.as_ref()).ok_or("its agent is not registered yet")?;
            let entry = json!({"by": "agentRef", "agent": own.name});
            (agent, id, (!claim.spec.schedule.is_empty()).then_some(entry))
        }
        (None, None) => return Err("it names neither an agent nor a squad"),
    };
    Ok(Answerer { agent, id, by_schedule: false, entry })
}

/// The pools of a squad, when it makes a difference which of them has a free slot.
pub fn pools(world: &Directory, claim: &PhoneNumber) -> HashSet<PoolId> {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let squad = claim.spec.squad.iter().flat_map(|squad| &squad.agents);
    let pools: HashSet<_> =
        squad.filter_map(|member| world.agent(namespace, &member.name)).map(|agent| pool_of(&agent)).collect();
    if pools.len() > 1 { pools } else { HashSet::new() }
}

fn known(world: &Directory, namespace: &str, name: &str) -> Option<(Arc<VoiceAgent>, Uuid)> {
    let agent = world.agent(namespace, name)?;
    let id = id_of(agent.status.as_ref())?;
    Some((agent, id))
}

/// How likely an agent takes a call; the more, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    /// It refuses every call.
    Off,
    /// It is not ready or has no free slot, as far as is known.
    Doubtful,
    /// Nothing stands in the way.
    Available,
}

#[derive(Debug)]
struct Candidate {
    agent: Arc<VoiceAgent>,
    id: Uuid,
    name: String,
    weight: u64,
    fitness: Fitness,
}

/// The agents of a squad that exist, in its order.
fn candidates(world: &Directory, namespace: &str, squad: &Squad, arrival: &Arrival<'_>) -> Vec<Candidate> {
    let of = |name: &String, weight: Option<i32>| {
        let (agent, id) = known(world, namespace, name)?;
        let weight = weight.and_then(|weight| u64::try_from(weight).ok()).unwrap_or(1).max(1);
        let fitness = fitness(&agent, arrival);
        Some(Candidate { agent, id, name: name.clone(), weight, fitness })
    };
    squad.agents.iter().filter_map(|member| of(&member.name, member.weight)).collect()
}

fn fitness(agent: &VoiceAgent, arrival: &Arrival<'_>) -> Fitness {
    if is_being_deleted(agent) || agent.spec.paused {
        return Fitness::Off;
    }
    let conditions = agent.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    // Not known to be ready is no reason to pass it over: an operator that is away must not shrink a squad.
    let unready = find(conditions, types::READY).is_some_and(|ready| ready.status == "False");
    if unready || arrival.full.contains(&pool_of(agent)) { Fitness::Doubtful } else { Fitness::Available }
}

struct Chosen<'a> {
    agent: &'a Arc<VoiceAgent>,
    id: Uuid,
    entry: Value,
}

/// One of the fittest. `None`: there is nobody.
fn choose<'a>(squad: &Squad, all: &'a [Candidate], arrival: &Arrival<'_>) -> Option<Chosen<'a>> {
    let best = all.iter().map(|candidate| candidate.fitness).max()?;
    let fittest: Vec<_> = all.iter().filter(|candidate| candidate.fitness == best).collect();
    // A call that is placed again stays with its agent.
    let own = arrival.agent.and_then(|own| all.iter().find(|candidate| candidate.id == own));
    let chosen = match (own, squad.routing) {
        (Some(own), _) => own,
        (None, SquadRouting::Priority) => fittest.first()?,
        (None, SquadRouting::RoundRobin | SquadRouting::Weighted) => by_lot(&fittest, arrival.room)?,
    };
    let available = if best == Fitness::Available { fittest.len() } else { 0 };
    let entry = json!({
        "by": "squad", "agent": chosen.name, "routing": squad.routing.as_str(), "agents": squad.agents.len(),
        "available": available,
    });
    Some(Chosen { agent: &chosen.agent, id: chosen.id, entry })
}

/// Shares by weight (all 1 with `RoundRobin`, which the schema sees to). The lot is the room's name, which is random:
/// no counter that all replicas would have to write, and the same answer whoever asks.
fn by_lot<'a>(candidates: &[&'a Candidate], room: &str) -> Option<&'a Candidate> {
    let total: u64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let digest: [u8; 32] = Sha256::digest(room.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let mut lot = u64::from_be_bytes([a, b, c, d, e, f, g, h]).checked_rem(total)?;
    for candidate in candidates {
        if lot < candidate.weight {
            return Some(candidate);
        }
        lot -= candidate.weight;
    }
    None
}

#[cfg(test)]
mod tests;
