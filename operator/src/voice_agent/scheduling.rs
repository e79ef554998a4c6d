//! Where a pool's pods may run and what they get there, from all its agents; what contradicts, and what the tenant was
//! not granted. Pure.

use kube::ResourceExt as _;
use serde_json::Value;
use voxplane_crds::VoiceAgent;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::PoolId;
use voxplane_crds::tenant::TenantQuotas;
use voxplane_crds::voice_agent::{Gpu, RuntimeSpec};

use super::{membership, pool, scaling};
use crate::status::Problem;

/// The fields of `spec.runtime` that pods which share a pool have in common. The oldest agent that sets one wins.
const SHARED: [&str; 8] = [
    "image",
    "gpu",
    "nodeSelector",
    "tolerations",
    "topologySpread",
    "runtimeClassName",
    "priorityClassName",
    "volumes",
];

/// What the members of a pool (oldest first) agree on: for every field the value of the oldest that sets it.
#[must_use]
pub fn of_pool(members: &[&VoiceAgent]) -> RuntimeSpec {
    let mut agreed = RuntimeSpec::default();
    for runtime in members.iter().rev().map(|agent| &agent.spec.runtime) {
        // The oldest comes last and overwrites the others, but only with what it sets.
        let RuntimeSpec {
            image,
            gpu,
            node_selector,
            tolerations,
            topology_spread,
            runtime_class_name,
            priority_class_name,
            volumes,
            ..
        } = runtime;
        agreed.image = image.clone().or(agreed.image);
        agreed.gpu = gpu.clone().or(agreed.gpu);
        agreed.topology_spread = topology_spread.or(agreed.topology_spread);
        agreed.runtime_class_name = runtime_class_name.clone().or(agreed.runtime_class_name);
        agreed.priority_class_name = priority_class_name.clone().or(agreed.priority_class_name);
        if !node_selector.is_empty() {
            agreed.node_selector.clone_from(node_selector);
        }
        if !tolerations.is_empty() {
            agreed.tolerations.clone_from(tolerations);
        }
        if !volumes.is_empty() {
            agreed.volumes.clone_from(volumes);
        }
    }
    agreed
}

/// Judges what an agent asks of the scheduler. `members` are those of its pool, oldest first.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(agent: &VoiceAgent, members: &[&VoiceAgent], quotas: &TenantQuotas) -> Result<(), Problem> {
    let runtime = &agent.spec.runtime;
    no_contradiction(agent, members)?;
    if let Some(key) = runtime.node_selector.keys().find(|key| !is_label_key(key)) {
        let message = format!("spec.runtime.nodeSelector: {key:?} is no label key: write it as the nodes have it");
        return Err(Problem::new(reasons::INVALID, message));
    }
    let of_devices = runtime.resources.iter().flat_map(|resources| [&resources.limits, &resources.requests]);
    if let Some(name) = of_devices.flatten().flat_map(|list| list.keys()).find(|name| name.contains('/')) {
        let message = format!("spec.runtime.resources: {name:?} is no CPU or memory: ask for it in spec.runtime.gpu");
        return Err(Problem::new(reasons::INVALID, message));
    }
    if let Some(gpu) = &of_pool(members).gpu {
        let granted = quotas.gpus_of(&gpu.resource_name);
        if granted < gpu.count {
            let message = format!(
                "spec.runtime.gpu: a pod needs {} of {:?} and the tenant was granted {granted}: raise \
                 spec.quotas.gpus of the Tenant",
                gpu.count, gpu.resource_name
            );
            return Err(Problem::new(reasons::QUOTA_EXCEEDED, message));
        }
    }
    Ok(())
}

fn no_contradiction(agent: &VoiceAgent, members: &[&VoiceAgent]) -> Result<(), Problem> {
    let written = |agent: &VoiceAgent| serde_json::to_value(&agent.spec.runtime).unwrap_or_default();
    let own = written(agent);
    let all: Vec<(String, Value)> = members.iter().map(|member| (member.name_any(), written(member))).collect();
    for field in SHARED {
        let Some(asked) = own.get(field) else { continue };
        let first = all.iter().find_map(|(name, runtime)| Some((name, runtime.get(field)?)));
        if let Some((older, chosen)) = first
            && chosen != asked
        {
            return Err(Problem::new(
                reasons::INVALID,
                format!(
                    "spec.runtime.{field}: pooled agents share their pods, and agent {older:?}, which is older, runs \
                     them with {chosen}: use the same, leave the field out, or set spec.runtime.placement to Dedicated"
                ),
            ));
        }
    }
    Ok(())
}

/// A schema cannot look at the keys of a map, and the API server refuses a Deployment with a bad one.
fn is_label_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let alphanumeric = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let part = |text: &str, longest: usize, lower: bool| {
        text.len() <= longest
            && alphanumeric(text.bytes().next())
            && alphanumeric(text.bytes().last())
            && text.bytes().all(|byte| match byte {
                b'-' | b'.' => true,
                b'_' => !lower,
                _ if lower => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
                _ => byte.is_ascii_alphanumeric(),
            })
    };
    prefix.is_none_or(|prefix| part(prefix, 253, true)) && part(name, 63, false)
}

/// Accelerators of one name that pods of the tenant's other pools take when they are as small as they may be.
#[must_use]
pub fn gpus_elsewhere(agents: &[&VoiceAgent], except: &PoolId, gpu: &Gpu) -> i32 {
    let others = membership::needed(agents.iter().copied()).into_iter().filter(|pool| pool != except);
    others
        .map(|other| {
            let members = membership::members(agents, &other);
            match of_pool(&members).gpu {
                Some(theirs) if theirs.resource_name == gpu.resource_name => {
                    let fewest = pool::as_canary(&other, &members, scaling::fewest(&members));
                    theirs.count.saturating_mul(fewest)
                }
                _ => 0,
            }
        })
        .sum()
}

/// Whether a rolling update may start a pod before it stops one: always without accelerators, else if the tenant's
/// quota has room for one more pod than the pool may have.
#[must_use]
pub fn has_room_to_surge(agents: &[&VoiceAgent], pool: &PoolId, most: i32, quotas: &TenantQuotas) -> bool {
    let members = membership::members(agents, pool);
    of_pool(&members).gpu.is_none_or(|gpu| {
        let own = most.saturating_add(1).saturating_mul(gpu.count);
        own.saturating_add(gpus_elsewhere(agents, pool, &gpu)) <= quotas.gpus_of(&gpu.resource_name)
    })
}
