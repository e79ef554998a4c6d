//! The shape of a pool, from all its agents. Pure.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;
use voxplane_crds::names::PoolId;
use voxplane_crds::voice_agent::{Canary, Gpu, RuntimeSpec};

use super::scheduling;
use crate::home::Home;

/// Between the end of the longest call and the end of a pod: goodbye, hanging up, flushing events.
pub const DRAIN_MARGIN_SECONDS: i64 = 60;
/// Grace periods are rounded up to this, so that small changes of a limit restart no pods.
const GRACE_STEP_SECONDS: i64 = 900;

/// The shape of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolShape {
    /// Pods.
    pub replicas: i32,
    /// Whether there is one more for a while, because pods leave a closed node.
    pub one_more: bool,
    /// Whether a rolling update starts a pod before it stops one.
    pub surges: bool,
    /// Calls per pod.
    pub calls_per_replica: i32,
    /// Image of the pods.
    pub image: String,
    /// Where they may run and what they get there.
    pub scheduling: RuntimeSpec,
    /// CPU and memory of a pod.
    pub resources: ResourceRequirements,
    /// Seconds a pod gets to finish its calls.
    pub grace_seconds: i64,
}

/// Agents in the order in which they were made; the older one wins where agents want different things.
#[must_use]
pub fn by_age<'a>(agents: impl IntoIterator<Item = &'a VoiceAgent>) -> Vec<&'a VoiceAgent> {
    let age = |agent: &VoiceAgent| -> (Option<Timestamp>, String) {
        (agent.metadata.creation_timestamp.as_ref().map(|time| time.0), agent.name_any())
    };
    let mut agents: Vec<_> = agents.into_iter().collect();
    agents.sort_by_cached_key(|agent| age(agent));
    agents
}

/// The shape that serves all `agents` of a tenant (at least one, oldest first), with as many pods as they write.
#[must_use]
pub fn shape(agents: &[&VoiceAgent], home: &Home, platform_image: &str) -> PoolShape {
    let largest = |of: fn(&VoiceAgent) -> i32, least: i32| agents.iter().map(|agent| of(agent)).max().unwrap_or(least);
    let calls_per_replica = calls_per_replica(agents);
    let limits = agents.iter().map(|agent| home.effective(agent).limits.value.max_duration_seconds);
    let longest_call = limits.max().unwrap_or_default();
    let scheduling = scheduling::of_pool(agents);
    let resources = agents
        .iter()
        .find_map(|agent| agent.spec.runtime.resources.clone())
        .unwrap_or_else(|| default_resources(calls_per_replica));
    PoolShape {
        replicas: largest(|agent| agent.spec.runtime.replicas, 0),
        one_more: false,
        surges: true,
        calls_per_replica,
        image: scheduling.image.clone().unwrap_or_else(|| platform_image.to_owned()),
        resources: with_gpu(resources, scheduling.gpu.as_ref()),
        scheduling,
        grace_seconds: grace(longest_call),
    }
}

/// The image that is tried on a pool's pods, if the pool is there for that.
#[must_use]
pub fn canary<'a>(id: &PoolId, members: &[&'a VoiceAgent]) -> Option<&'a Canary> {
    members.first().filter(|_| id.is_canary()).and_then(|agent| agent.spec.runtime.canary.as_ref())
}

/// Pods of a pool beside, or of, one with so many.
#[must_use]
pub fn as_canary(id: &PoolId, members: &[&VoiceAgent], replicas: i32) -> i32 {
    canary(id, members).map_or(replicas, |canary| canary.pods_beside(replicas))
}

/// Calls that one pod of a pool with these members carries.
#[must_use]
pub fn calls_per_replica(members: &[&VoiceAgent]) -> i32 {
    members.iter().map(|agent| agent.spec.runtime.calls_per_replica).max().unwrap_or(1)
}

/// Accelerators are whole and not shared: Kubernetes wants the request to be the limit.
fn with_gpu(mut resources: ResourceRequirements, gpu: Option<&Gpu>) -> ResourceRequirements {
    if let Some(gpu) = gpu {
        for list in [&mut resources.requests, &mut resources.limits] {
            list.get_or_insert_default().insert(gpu.resource_name.clone(), Quantity(gpu.count.to_string()));
        }
    }
    resources
}

fn grace(longest_call: i32) -> i64 {
    let needed = i64::from(longest_call) + DRAIN_MARGIN_SECONDS;
    (needed + GRACE_STEP_SECONDS - 1) / GRACE_STEP_SECONDS * GRACE_STEP_SECONDS
}

/// Requests by what a call costs with the offline providers; memory is limited, CPU is not: a throttled pod is a
/// stuttering voice.
fn default_resources(calls: i32) -> ResourceRequirements {
    let quantity = |value: i32, unit: &str| Quantity(format!("{value}{unit}"));
    let resources = |list: Vec<(&str, Quantity)>| {
        Some(list.into_iter().map(|(what, how_much)| (what.to_owned(), how_much)).collect())
    };
    ResourceRequirements {
        requests: resources(vec![
            ("cpu", quantity(50 + 25 * calls, "m")),
            ("memory", quantity(256 + 32 * calls, "Mi")),
            ("ephemeral-storage", quantity(320, "Mi")),
        ]),
        limits: resources(vec![("memory", quantity(512 + 128 * calls, "Mi"))]),
        ..ResourceRequirements::default()
    }
}
