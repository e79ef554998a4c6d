//! Which pool an agent asks for, which one its calls go to now, and who shares a pool. Pure.
//!
//! The two differ while `runtime.placement` changes: `status.pool` names the former pool until the new one is ready.
//! The API sends new calls to where `status.pool` points.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;
use voxplane_crds::names::PoolId;
use voxplane_crds::voice_agent::Placement;

/// The pool that the agent asks for.
#[must_use]
pub fn asked_for(agent: &VoiceAgent) -> PoolId {
    let namespace = agent.namespace().unwrap_or_default();
    PoolId::asked_for(namespace, &agent.name_any(), agent.spec.runtime.placement)
}

/// The pool with the image that it tries, if it tries one. Only beside a pool of its own: [`validate`](super::validate)
/// says so to whoever asks for one elsewhere.
#[must_use]
pub fn canary(agent: &VoiceAgent) -> Option<PoolId> {
    let runtime = &agent.spec.runtime;
    let possible = runtime.canary.is_some() && runtime.placement == Placement::Dedicated;
    possible.then(|| PoolId::canary_in(agent.namespace().unwrap_or_default(), &agent.name_any()))
}

/// Whether the pool is as the agent says.
fn asks_for(agent: &VoiceAgent, pool: &PoolId) -> bool {
    asked_for(agent) == *pool || canary(agent).as_ref() == Some(pool)
}

/// The pool that its new calls go to now, if that is another one.
#[must_use]
pub fn former(agent: &VoiceAgent) -> Option<PoolId> {
    let pool = PoolId::parse(agent.status.as_ref()?.pool.as_deref()?)?;
    let (namespace, name) = (agent.namespace()?, agent.name_any());
    let possible =
        [Placement::Pooled, Placement::Dedicated].map(|placement| PoolId::asked_for(&namespace, &name, placement));
    // What else may stand in a status was not written by us.
    (possible.contains(&pool) && pool != asked_for(agent)).then_some(pool)
}

/// Whether the pool's keys must hold the agent's.
fn uses(agent: &VoiceAgent, pool: &PoolId) -> bool {
    asks_for(agent, pool) || former(agent).as_ref() == Some(pool)
}

/// Whether the agent's calls go to the pool with this Deployment in its own namespace, or will.
#[must_use]
pub fn may_use(agent: &VoiceAgent, deployment: &str) -> bool {
    let pools = [Some(asked_for(agent)), canary(agent), former(agent)];
    pools.into_iter().flatten().any(|pool| pool.deployment() == deployment)
}

/// The agents whose calls a pool serves, or will.
#[must_use]
pub fn users<'a>(agents: &[&'a VoiceAgent], pool: &PoolId) -> Vec<&'a VoiceAgent> {
    agents.iter().filter(|agent| uses(agent, pool)).copied().collect()
}

/// The agents that ask for a pool; its shape is theirs.
#[must_use]
pub fn members<'a>(agents: &[&'a VoiceAgent], pool: &PoolId) -> Vec<&'a VoiceAgent> {
    agents.iter().filter(|agent| asks_for(agent, pool)).copied().collect()
}

/// The pools that any of the agents needs.
#[must_use]
pub fn needed<'a>(agents: impl IntoIterator<Item = &'a VoiceAgent>) -> BTreeSet<PoolId> {
    agents.into_iter().flat_map(|agent| [Some(asked_for(agent)), canary(agent), former(agent)]).flatten().collect()
}
