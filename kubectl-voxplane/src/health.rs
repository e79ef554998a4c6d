//! Is an object well, and if not, what is to be done? Pure: the time is an argument.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use voxplane_crds::conditions::registry::{self, Meaning};
use voxplane_crds::conditions::{reasons, types};
use voxplane_crds::labels;

use crate::world::condition;

/// What passes by itself passes within this time; then somebody should look. Longer than Kubernetes takes to hand new
/// keys to running pods.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How an object does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It can be used.
    Ready,
    /// Somebody turned it off.
    Off,
    /// It gets there by itself.
    Waiting,
    /// Somebody has to do something.
    Broken,
    /// It may not be read.
    Hidden,
}

/// What was found out about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it does.
    pub health: Health,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence; may be empty.
    pub message: String,
    /// What to do; empty where nothing needs doing.
    pub remedy: String,
    /// Something else is the cause, and is reported itself.
    pub follows: bool,
}

impl Finding {
    fn new(health: Health, reason: &str, message: impl Into<String>, remedy: &str) -> Self {
        let follows = reason == reasons::WAITING_FOR_DEPENDENCY;
        let remedy = if health == Health::Broken { remedy.to_owned() } else { String::new() };
        Self { health, reason: reason.to_owned(), message: message.into(), remedy, follows }
    }

    /// It may not be read.
    #[must_use]
    pub fn hidden() -> Self {
        Self::new(Health::Hidden, "Hidden", "you may not read it", "")
    }

    /// Something that should be there is not.
    #[must_use]
    pub fn missing(message: impl Into<String>, remedy: &str) -> Self {
        Self::new(Health::Broken, "Missing", message, remedy)
    }
}

/// How a resource does, from its condition `Ready`.
#[must_use]
pub fn of_resource(object: &DynamicObject, now: Timestamp) -> Finding {
    if object.metadata.deletion_timestamp.is_some() {
        return Finding::new(Health::Waiting, reasons::TERMINATING, going(object), "");
    }
    let pending = registry::find(reasons::PENDING).map_or("", |entry| entry.remedy);
    let Some(ready) = condition(object, types::READY) else {
        let health = waited(created(object), now);
        return Finding::new(health, reasons::PENDING, "the operator has not looked at it yet", pending);
    };
    // An object without a generation is one of a test or of a very old server.
    if ready.observed_generation.is_some() && ready.observed_generation != object.metadata.generation {
        let health = waited(last_change(object), now);
        return Finding::new(health, reasons::PENDING, "the operator has not looked at the last change yet", pending);
    }
    if ready.status == "True" {
        return Finding::new(Health::Ready, &ready.reason, ready.message, "");
    }
    let Some(entry) = registry::find(&ready.reason) else {
        // A reason of a newer operator; its message says what it is about.
        return Finding::new(Health::Broken, &ready.reason, ready.message, "The message says what is wrong.");
    };
    let health = match entry.meaning {
        Meaning::Good | Meaning::Broken => Health::Broken,
        Meaning::Intended => Health::Off,
        Meaning::Waiting if lasts_as_long_as_its_cause(entry.reason) => Health::Waiting,
        Meaning::Waiting => waited(Some(ready.last_transition_time.0), now),
    };
    Finding::new(health, &ready.reason, ready.message, entry.remedy)
}

/// What an object on its way out waits for, as far as the operator has said something since: a deletion makes a new
/// generation.
fn going(object: &DynamicObject) -> String {
    let said = condition(object, types::READY).filter(|ready| ready.status == "False");
    match said.filter(|ready| ready.observed_generation == object.metadata.generation) {
        Some(ready) if !ready.message.is_empty() => format!("it is being deleted: {}", ready.message),
        _ => "it is being deleted".to_owned(),
    }
}

/// Calls may last for hours, and a dependency is reported itself.
fn lasts_as_long_as_its_cause(reason: &str) -> bool {
    [reasons::WAITING_FOR_DEPENDENCY, reasons::DRAINING, reasons::TERMINATING].contains(&reason)
}

fn waited(since: Option<Timestamp>, now: Timestamp) -> Health {
    let waited =
        since.map_or(Duration::ZERO, |since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
    if waited > PATIENCE { Health::Broken } else { Health::Waiting }
}

fn created(object: &DynamicObject) -> Option<Timestamp> {
    object.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// When somebody last wrote the object itself: not its status.
fn last_change(object: &DynamicObject) -> Option<Timestamp> {
    let fields = object.metadata.managed_fields.iter().flatten();
    let writes = fields.filter(|entry| entry.subresource.as_deref() != Some("status"));
    writes.filter_map(|entry| Some(entry.time.as_ref()?.0)).max().or_else(|| created(object))
}

/// What Kubernetes says about a container that does not start, and what helps.
const CONTAINER_REMEDIES: [(&str, &str); 8] = [
    ("CrashLoopBackOff", "Read why it ended: `kubectl -n <namespace> logs <pod> --previous`."),
    (
        "ImagePullBackOff",
        "Check that the image exists and that the node may pull it (chart value `image`, pull secrets).",
    ),
    ("ErrImagePull", "Check that the image exists and that the node may pull it (chart value `image`, pull secrets)."),
    ("ErrImageNeverPull", "Load the image into the node, or change the chart value `image.pullPolicy`."),
    ("InvalidImageName", "Correct `spec.runtime.image` of the agent, or the chart value `runtime.image`."),
    ("CreateContainerConfigError", "A ConfigMap or Secret of the pod is missing; the message names it."),
    ("RunContainerError", "The node cannot start the container: `kubectl -n <namespace> describe pod <pod>`."),
    ("OOMKilled", "It needed more memory than its limit: raise `spec.runtime.resources`, or lower `callsPerReplica`."),
];
/// Kubernetes' word for a pod that fits on no node.
const UNSCHEDULABLE: &str = "Unschedulable";

/// How a runtime pod does.
#[must_use]
pub fn of_pod(pod: &Pod, now: Timestamp) -> Finding {
    if pod.metadata.deletion_timestamp.is_some() {
        let message = if is_busy(pod) { "it finishes its calls and ends" } else { "it ends" };
        return Finding::new(Health::Waiting, reasons::DRAINING, message, "");
    }
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    if let Some((reason, message)) = containers.iter().find_map(stuck) {
        let remedy = CONTAINER_REMEDIES.iter().find(|(name, _)| *name == reason).map_or("", |(_, remedy)| remedy);
        let remedy =
            remedy.replace("<namespace>", &pod.namespace().unwrap_or_default()).replace("<pod>", &pod.name_any());
        return Finding { remedy, ..Finding::new(Health::Broken, &reason, message, "") };
    }
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let condition = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
    if condition("Ready").is_some_and(|ready| ready.status == "True") {
        return Finding::new(Health::Ready, reasons::READY, "", "");
    }
    let unplaced = condition("PodScheduled").filter(|placed| placed.reason.as_deref() == Some(UNSCHEDULABLE));
    if let Some(unplaced) = unplaced {
        let message = unplaced.message.clone().unwrap_or_default();
        let remedy = "No node takes it; the message says why: add a node, lower `spec.runtime.resources`, or lower `spec.runtime.replicas`.";
        return Finding::new(Health::Broken, UNSCHEDULABLE, message, remedy);
    }
    let since = condition("Ready")
        .and_then(|ready| ready.last_transition_time.as_ref())
        .or(pod.metadata.creation_timestamp.as_ref())
        .map(|time| time.0);
    let remedy = format!(
        "Its log and its events say what it waits for: `kubectl -n {} logs {}`, `… describe pod {}`.",
        pod.namespace().unwrap_or_default(),
        pod.name_any(),
        pod.name_any()
    );
    Finding::new(waited(since, now), "NotReady", "it runs, and is not ready to take calls", &remedy)
}

/// Why a container does not run, if something keeps it from running.
fn stuck(container: &ContainerStatus) -> Option<(String, String)> {
    let killed = |state: &ContainerState| state.terminated.as_ref().and_then(|ended| ended.reason.clone());
    let waiting = container.state.as_ref()?.waiting.as_ref();
    let last = container.last_state.as_ref().and_then(killed);
    let reason = waiting?.reason.clone()?;
    let starting = ["ContainerCreating", "PodInitializing"].contains(&reason.as_str());
    if starting {
        return None;
    }
    if last.as_deref() == Some("OOMKilled") {
        return Some(("OOMKilled".to_owned(), format!("container {} was killed for its memory", container.name)));
    }
    let message = waiting.and_then(|waiting| waiting.message.clone()).unwrap_or_default();
    Some((reason, message))
}

/// Whether a pod is marked as carrying calls.
#[must_use]
pub fn is_busy(pod: &Pod) -> bool {
    pod.labels().get(labels::BUSY).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn resource(status: &str, reason: &str, observed: i64) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent",
            "metadata": {"name": "a", "generation": 2, "creationTimestamp": at(0).to_string()},
            "status": {"conditions": [{
                "type": "Ready", "status": status, "reason": reason, "message": "why",
                "observedGeneration": observed, "lastTransitionTime": at(0).to_string(),
            }]},
        }))
        .unwrap()
    }

    fn health(object: &DynamicObject, minute: i64) -> (Health, String) {
        let finding = of_resource(object, at(minute));
        assert_eq!(finding.health == Health::Broken, !finding.remedy.is_empty(), "{finding:?}");
        (finding.health, finding.reason)
    }

    #[test]
    fn every_reason_of_the_registry_is_judged_by_its_meaning() {
        for entry in registry::ALL.iter().filter(|entry| entry.meaning != Meaning::Good) {
            let expected = match entry.meaning {
                Meaning::Intended => Health::Off,
                Meaning::Waiting => Health::Waiting,
                _ => Health::Broken,
            };
            let finding = of_resource(&resource("False", entry.reason, 2), at(1));
            assert_eq!(finding.health, expected, "{}", entry.reason);
            assert_eq!(finding.remedy.as_str(), if expected == Health::Broken { entry.remedy } else { "" });
        }
    }

    #[test]
    fn what_is_being_deleted_says_what_it_waits_for() {
        let mut going = resource("False", "LiveKitError", 2);
        going.metadata.deletion_timestamp = serde_json::from_value(json!(at(0).to_string())).unwrap();
        let finding = of_resource(&going, at(600));
        assert_eq!((finding.health, finding.reason.as_str()), (Health::Waiting, "Terminating"));
        assert_eq!(finding.message, "it is being deleted: why");
        going.metadata.generation = Some(3);
        assert_eq!(of_resource(&going, at(600)).message, "it is being deleted", "that was said before");
    }

    #[test]
    fn waiting_that_lasts_is_broken_unless_it_depends_on_something_else() {
        let pods = resource("False", "WaitingForPods", 2);
        assert_eq!(health(&pods, 5).0, Health::Waiting);
        assert_eq!(health(&pods, 6).0, Health::Broken);
        let dependency = resource("False", "WaitingForDependency", 2);
        assert_eq!(health(&dependency, 600).0, Health::Waiting);
        assert!(of_resource(&dependency, at(600)).follows);
    }

    #[test]
    fn what_the_operator_has_not_seen_is_not_ready() {
        assert_eq!(health(&resource("True", "Ready", 2), 60), (Health::Ready, "Ready".to_owned()));
        let changed = resource("True", "Ready", 1);
        assert_eq!(health(&changed, 1), (Health::Waiting, "Pending".to_owned()));
        assert_eq!(health(&changed, 60).0, Health::Broken, "the operator does not run");
        let mut new = resource("True", "Ready", 2);
        new.data = json!({});
        assert_eq!(health(&new, 1), (Health::Waiting, "Pending".to_owned()));
        assert_eq!(health(&new, 60).0, Health::Broken);
    }

    #[test]
    fn an_unknown_reason_is_shown_as_it_is() {
        assert_eq!(health(&resource("False", "FromTheFuture", 2), 1), (Health::Broken, "FromTheFuture".to_owned()));
    }

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "vx-a--b", "creationTimestamp": at(0).to_string()}, "status": status,
        }))
        .unwrap()
    }

    fn container(state: &serde_json::Value, last: &serde_json::Value) -> serde_json::Value {
        json!({"containerStatuses": [{
            "name": "runtime", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
            "state": state, "lastState": last,
        }]})
    }

    #[test]
    fn a_pod_that_cannot_start_says_why_and_what_helps() {
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}});
        let finding = of_pod(&pod(&container(&waiting, &json!({}))), at(0));
        assert_eq!((finding.health, finding.reason.as_str()), (Health::Broken, "ImagePullBackOff"));
        let looping = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let finding = of_pod(&pod(&container(&looping, &json!({}))), at(0));
        assert!(finding.remedy.contains("kubectl -n vx-a--b logs p --previous"), "{}", finding.remedy);
        let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        assert_eq!(of_pod(&pod(&container(&looping, &killed)), at(0)).reason, "OOMKilled");
        let full = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"},
        ]});
        assert_eq!(of_pod(&pod(&full), at(0)).reason, "Unschedulable");
    }

    #[test]
    fn a_pod_may_take_its_time_to_start() {
        let creating = container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}));
        assert_eq!(of_pod(&pod(&creating), at(1)).health, Health::Waiting);
        assert_eq!(of_pod(&pod(&creating), at(6)).health, Health::Broken);
    }
}
