//! The shape of a tenant's pool, from all its agents. Pure.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;

/// Between the end of the longest call and the end of a pod: goodbye, hanging up, flushing events.
pub const DRAIN_MARGIN_SECONDS: i64 = 60;
/// Grace periods are rounded up to this, so that small changes of a limit restart no pods.
const GRACE_STEP_SECONDS: i64 = 900;

/// The shape of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolShape {
    /// Pods.
    pub replicas: i32,
    /// Calls per pod.
    pub calls_per_replica: i32,
    /// Image of the pods.
    pub image: String,
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

/// The shape that serves all `agents` (at least one, oldest first).
#[must_use]
pub fn shape(agents: &[&VoiceAgent], platform_image: &str) -> PoolShape {
    let largest = |of: fn(&VoiceAgent) -> i32, least: i32| agents.iter().map(|agent| of(agent)).max().unwrap_or(least);
    let calls_per_replica = largest(|agent| agent.spec.runtime.calls_per_replica, 1);
    let longest_call = largest(|agent| agent.spec.limits.max_duration_seconds, 0);
    PoolShape {
        replicas: largest(|agent| agent.spec.runtime.replicas, 0),
        calls_per_replica,
        image: image(agents).map_or(platform_image, |(image, _)| image).to_owned(),
        resources: agents
            .iter()
            .find_map(|agent| agent.spec.runtime.resources.clone())
            .unwrap_or_else(|| default_resources(calls_per_replica)),
        grace_seconds: grace(longest_call),
    }
}

/// The image that the oldest agent which asks for one wants, and that agent's name.
#[must_use]
pub fn image<'a>(agents: &[&'a VoiceAgent]) -> Option<(&'a str, String)> {
    agents.iter().find_map(|agent| Some((agent.spec.runtime.image.as_deref()?, agent.name_any())))
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
