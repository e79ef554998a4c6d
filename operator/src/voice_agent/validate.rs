//! Whether a voice agent can be as it says. Pure.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::PoolId;

use super::credentials::{self, KeySet};
use super::observe::{Former, Observed};
use super::pool::{self, PoolShape};
use super::{membership, scaling, scheduling};
use crate::config::RuntimeSettings;
use crate::home::Home;
use crate::identity::Identity;
use crate::pool::closed_nodes::Decision;
use crate::pool::{PoolReport, replicas};
use crate::status::Problem;

/// An agent whose pool can be made, and what is wrong with its references.
#[derive(Clone, Debug)]
pub struct Valid {
    /// The pool that it asks for.
    pub pool: Pool,
    /// The pods with the image that it tries, a pool of their own.
    pub canary: Option<Pool>,
    /// The pool that its calls go to until the other one is ready.
    pub leaving: Option<Leaving>,
    /// What is wrong with this agent's references, if anything. The pool is made all the same.
    pub unresolved: Option<Problem>,
}

/// A pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Which.
    pub id: PoolId,
    /// Name of the agency.
    pub agency: String,
    /// Name of the tenant.
    pub tenant: String,
    /// `status.id` of the tenant, which owns the pool.
    pub tenant_id: String,
    /// Its shape.
    pub shape: PoolShape,
    /// Its keys.
    pub keys: KeySet,
    /// What is decided about its pods on closed nodes, if it has any.
    pub closed_nodes: Option<Decision>,
    /// What pods need to be told.
    pub runtime: RuntimeSettings,
}

impl Pool {
    /// The tenant's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.id.namespace()
    }

    /// Call slots when all its pods are connected.
    #[must_use]
    pub fn slots(&self) -> i32 {
        self.shape.replicas.saturating_mul(self.shape.calls_per_replica)
    }
}

/// A pool that is left. Its pods stay as they are; its keys follow the agent's, because it still takes calls.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Which.
    pub id: PoolId,
    /// Its keys.
    pub keys: KeySet,
}

/// Judges a voice agent.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(agent: &VoiceAgent, seen: &Observed) -> Result<Valid, Problem> {
    let home = seen.home.as_ref().map_err(Clone::clone)?;
    if seen.identity.as_ref().and_then(Identity::id).is_none() {
        let why = seen.identity.as_ref().and_then(Identity::database_problem).unwrap_or_default();
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    }
    let agents = pool::by_age(&seen.agents);
    let id = membership::asked_for(agent);
    scheduling::check(agent, &membership::members(&agents, &id), &home.tenant.spec.quotas)?;
    can_try(agent)?;
    let pool = describe(&id, home, &agents, seen);
    let canary = membership::canary(agent).map(|id| describe(&id, home, &agents, seen));
    let leaving = seen.former.as_ref().and_then(|former| leaving(former, &pool, home, &agents, seen));
    Ok(Valid { pool, canary, leaving, unresolved: unresolved(agent, home, seen) })
}

fn can_try(agent: &VoiceAgent) -> Result<(), Problem> {
    if agent.spec.runtime.canary.is_none() || membership::canary(agent).is_some() {
        return Ok(());
    }
    let message = "spec.runtime.canary: pooled agents share their pods, and an image that one of them tries would get the \
                   keys and calls of all: set spec.runtime.placement to Dedicated, or leave the field out";
    Err(Problem::new(reasons::INVALID, message))
}

/// The pools of the agents that stay when this one goes; none when the tenant is not accepted.
#[must_use]
pub fn pools_of_others(seen: &Observed) -> Vec<Pool> {
    let Ok(home) = &seen.home else { return Vec::new() };
    let agents = pool::by_age(&seen.agents);
    let asked_for: BTreeSet<PoolId> = agents.iter().map(|agent| membership::asked_for(agent)).collect();
    asked_for
        .iter()
        // Only the shared one loses anything. How many pods a scaled pool has is decided in its agents' own passes.
        .filter(|id| id.is_shared() && !scaling::is_scaled(&membership::members(&agents, id)))
        .map(|id| describe(id, home, &agents, seen))
        .collect()
}

fn describe(id: &PoolId, home: &Home, agents: &[&VoiceAgent], seen: &Observed) -> Pool {
    let members = membership::members(agents, id);
    let users = membership::users(agents, id);
    let quotas = &home.tenant.spec.quotas;
    let mut shape = pool::shape(&members, home, &seen.runtime.image);
    if users.len() > members.len() {
        // Who leaves still needs its pods until it has gone; what it writes is meant for the pool that it goes to.
        shape.replicas = shape.replicas.max(deployed(id, seen));
    }
    let mut most = shape.replicas;
    if let Some(verdict) = &seen.scaling {
        shape.replicas = verdict.decision.replicas;
        let asked = members.iter().filter_map(|agent| agent.spec.runtime.scaling.as_ref());
        most = asked.map(|scaling| scaling.max).max().unwrap_or(most).max(shape.replicas);
    }
    if let Some(canary) = pool::canary(id, &members) {
        shape.image.clone_from(&canary.image);
        (shape.replicas, most) = (canary.pods_beside(shape.replicas), canary.pods_beside(most));
    }
    shape.surges = scheduling::has_room_to_surge(agents, id, most, quotas);
    // One more than now, which may fit where one more than the most does not.
    let has_room = scheduling::has_room_to_surge(agents, id, shape.replicas, quotas);
    let substitute = seen.substitutes.get(id).filter(|_| shape.replicas > 0);
    shape.one_more = substitute.is_some_and(|substitute| substitute.one_more(has_room));
    Pool {
        id: id.clone(),
        agency: home.agency.name_any(),
        tenant: home.tenant.name_any(),
        tenant_id: home.tenant_id.to_string(),
        shape,
        keys: credentials::of_pool(&users, home, &seen.secrets),
        closed_nodes: substitute.and_then(|substitute| substitute.decision(has_room)),
        runtime: seen.runtime.clone(),
    }
}

/// Pods that the pool's Deployment was asked to have until now.
fn deployed(id: &PoolId, seen: &Observed) -> i32 {
    let deployment = seen.deployment.as_ref().filter(|found| found.metadata.name.as_deref() == Some(id.deployment()));
    deployment.and_then(replicas::wanted).unwrap_or_default()
}

/// The former pool, while it must still be used: new calls move when every pod of the new one is connected and one of
/// them has the keys.
fn leaving(former: &Former, pool: &Pool, home: &Home, agents: &[&VoiceAgent], seen: &Observed) -> Option<Leaving> {
    let gone = former.deployment.is_none() && former.report.is_none();
    let is_ready = |report: &PoolReport| {
        let hash = credentials::hash(&pool.keys);
        report.slots >= pool.slots() && report.by_credentials_hash.get(&hash).is_some_and(|pods| *pods > 0)
    };
    let moved = pool.slots() == 0 || seen.report.as_ref().is_some_and(is_ready);
    // While the database is away nothing is known about sessions: calls stay where they are.
    let moved = moved && seen.database_problem.is_none();
    (!gone && !moved).then(|| Leaving {
        id: former.id.clone(),
        keys: credentials::of_pool(&membership::users(agents, &former.id), home, &seen.secrets),
    })
}

fn unresolved(agent: &VoiceAgent, home: &Home, seen: &Observed) -> Option<Problem> {
    if let Err(problem) = credentials::permitted(&home.effective(agent), &seen.secrets) {
        return Some(problem);
    }
    if let Some(problem) = stand_in(agent, home, seen) {
        return Some(problem);
    }
    let missing = seen.missing_knowledge.first()?;
    let message = format!("spec.knowledgeBases: there is no KnowledgeBase {missing:?} in this namespace");
    Some(Problem::new(reasons::REF_NOT_FOUND, message))
}

/// What is wrong with the agent that answers outside of business hours.
fn stand_in(agent: &VoiceAgent, home: &Home, seen: &Observed) -> Option<Problem> {
    let closed = home.effective(agent).closed?;
    let name = &closed.value.agent_ref.as_ref()?.name;
    let field = closed.origin.path("closed.agentRef");
    if seen.agents.iter().any(|other| other.name_any() == *name) {
        return None;
    }
    Some(Problem::new(reasons::REF_NOT_FOUND, format!("{field}: there is no VoiceAgent {name:?} in this namespace")))
}
