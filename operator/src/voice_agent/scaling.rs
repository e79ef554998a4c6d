//! By which rules a pool is scaled, from all its agents and the tenant's quotas. Pure.

use std::time::Duration;

use voxplane_crds::VoiceAgent;
use voxplane_crds::names::PoolId;
use voxplane_crds::tenant::TenantQuotas;
use voxplane_crds::voice_agent::scaling::DEFAULT_HEADROOM_PERCENT;
use voxplane_crds::voice_agent::{Scaling, ScalingMode};

use super::{membership, scheduling};
use crate::pool::scaling::{Cap, Headroom, Policy, divide_up};

/// The scaling block of an agent that leaves the number of pods to the operator.
fn by_operator(agent: &VoiceAgent) -> Option<&Scaling> {
    agent.spec.runtime.scaling.as_ref().filter(|scaling| scaling.mode == ScalingMode::Operator)
}

/// Whether any member of a pool leaves the number of pods to the operator.
#[must_use]
pub fn is_scaled(members: &[&VoiceAgent]) -> bool {
    members.iter().any(|agent| by_operator(agent).is_some())
}

/// The fewest pods that the members of a pool ask for while calls may come.
#[must_use]
pub fn fewest(members: &[&VoiceAgent]) -> i32 {
    let of = |agent: &&VoiceAgent| by_operator(agent).map_or(agent.spec.runtime.replicas, |scaling| scaling.min);
    members.iter().map(of).max().unwrap_or_default()
}

/// By which rules the operator scales a pool; `None`: it does not. `is_suspended`: no call reaches any agent.
#[must_use]
pub fn policy(
    agents: &[&VoiceAgent],
    pool: &PoolId,
    calls_per_replica: i32,
    quotas: &TenantQuotas,
    is_suspended: bool,
) -> Option<Policy> {
    let members = membership::members(agents, pool);
    let scaled: Vec<&Scaling> = members.iter().filter_map(|agent| by_operator(agent)).collect();
    if scaled.is_empty() {
        return None;
    }
    let largest = |of: fn(&Scaling) -> i32| scaled.iter().map(|scaling| of(scaling)).max().unwrap_or_default();
    // Who leaves nothing to the operator gets the pods that were asked for, whatever the others need.
    let written = members.iter().filter(|agent| by_operator(agent).is_none());
    let written = written.map(|agent| agent.spec.runtime.replicas).max().unwrap_or_default();
    let min = largest(|scaling| scaling.min).max(written);
    Some(Policy {
        min,
        max: largest(|scaling| scaling.max).max(written),
        warm_minimum: largest(|scaling| scaling.warm_minimum.unwrap_or(scaling.min)).max(written),
        is_open: !is_suspended && members.iter().any(|agent| !agent.spec.paused),
        headroom: headroom(&scaled),
        stabilisation: Duration::from_secs(
            u64::try_from(largest(|scaling| scaling.stabilisation_seconds)).unwrap_or_default(),
        ),
        calls_per_replica,
        caps: caps(agents, pool, calls_per_replica, quotas),
    })
}

/// Slots win over percent where agents ask for both: they hold from the first call on.
fn headroom(scaled: &[&Scaling]) -> Headroom {
    match scaled.iter().filter_map(|scaling| scaling.headroom_slots).max() {
        Some(slots) => Headroom::Slots(slots),
        None => {
            let percent = scaled.iter().filter_map(|scaling| scaling.headroom_percent).max();
            Headroom::Percent(percent.unwrap_or(DEFAULT_HEADROOM_PERCENT))
        }
    }
}

/// What the tenant's quotas can use: more pods would wait for calls that are refused before they reach one, or for
/// accelerators that the tenant does not get.
fn caps(agents: &[&VoiceAgent], pool: &PoolId, calls_per_replica: i32, quotas: &TenantQuotas) -> Vec<Cap> {
    let calls = Cap {
        pods: divide_up(quotas.concurrent_calls.max, calls_per_replica.max(1)),
        field: "spec.quotas.concurrentCalls.max of the Tenant",
    };
    let members = membership::members(agents, pool);
    let gpus = scheduling::of_pool(&members).gpu.map(|gpu| {
        let left = quotas.gpus_of(&gpu.resource_name) - scheduling::gpus_elsewhere(agents, pool, &gpu);
        Cap { pods: left.max(0) / gpu.count.max(1), field: "spec.quotas.gpus of the Tenant" }
    });
    std::iter::once(calls).chain(gpus).collect()
}
