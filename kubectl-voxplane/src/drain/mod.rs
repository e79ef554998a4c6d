//! How a runtime pod is brought to its end without cutting a call. Pure; the loop is in [`run`].
//!
//! Deleting a runtime pod is draining it: it takes no more calls, finishes those it has within its own grace period,
//! which is longer than the longest call, and ends. So pods are evicted, or deleted with their own grace, and never
//! anything else.

pub mod run;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::Serialize;
use voxplane_crds::labels;

use crate::health::is_busy;
use crate::status::count;

/// How a pod is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It ends already.
    Ending,
    /// It carries no call: evicted, as any node drain does, so that disruption budgets are kept.
    Evict,
    /// It carries calls, and its disruption budget refuses evictions for as long: deleted with its own grace period.
    Delete,
}

/// What to do with a pod.
#[must_use]
pub fn step(pod: &Pod) -> Step {
    if pod.metadata.deletion_timestamp.is_some() {
        Step::Ending
    } else if is_busy(pod) {
        Step::Delete
    } else {
        Step::Evict
    }
}

/// Whether a pod is one of ours that carry calls.
#[must_use]
pub fn is_runtime(pod: &Pod) -> bool {
    pod.labels().get(labels::COMPONENT).is_some_and(|value| value == labels::COMPONENT_RUNTIME)
        && pod.labels().get(labels::MANAGED_BY).is_some_and(|value| value == labels::MANAGED_BY_OPERATOR)
}

/// What a user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A pod.
    Pod(String),
    /// A node.
    Node(String),
    /// One of the two.
    Either(String),
}

impl Target {
    /// From `NAME`, `pod/NAME` or `node/NAME`.
    ///
    /// # Errors
    /// For any other kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            None => Ok(Self::Either(text.to_owned())),
            Some(("pod" | "pods" | "po", name)) => Ok(Self::Pod(name.to_owned())),
            Some(("node" | "nodes" | "no", name)) => Ok(Self::Node(name.to_owned())),
            Some((kind, _)) => Err(format!("{kind:?} cannot be drained: name a runtime pod or a node")),
        }
    }
}

/// A pod that has not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// Calls it carries; `None` when it cannot be asked.
    pub calls: Option<u32>,
    /// Whether it is marked as carrying calls.
    pub busy: bool,
}

/// How far a drain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Pods that have not ended.
    pub pods: usize,
    /// Calls under way, as far as pods can be asked.
    pub calls: u32,
    /// Pods that carry calls and cannot be asked how many.
    pub unasked: usize,
}

impl Progress {
    /// From what is left.
    #[must_use]
    pub fn of(left: &[Left]) -> Self {
        Self {
            pods: left.len(),
            calls: left.iter().filter_map(|pod| pod.calls).sum(),
            unasked: left.iter().filter(|pod| pod.calls.is_none() && pod.busy).count(),
        }
    }

    /// For people.
    #[must_use]
    pub fn as_text(&self) -> String {
        if self.pods == 0 {
            return "all pods have ended".to_owned();
        }
        let calls = usize::try_from(self.calls).unwrap_or(usize::MAX);
        let unasked = match self.unasked {
            0 => String::new(),
            some => format!(", and some on {}", count(some, "pod that cannot be asked how many")),
        };
        format!("{} left, {} under way{unasked}", count(self.pods, "pod"), count(calls, "call"))
    }
}

/// What is true after somebody stops waiting.
#[must_use]
pub fn farewell(left: &[Left], node: Option<&str>) -> String {
    let mut text = if left.is_empty() {
        "Stopped. All pods have ended.".to_owned()
    } else {
        let names: Vec<&str> = left.iter().map(|pod| pod.name.as_str()).collect();
        format!(
            "Stopped waiting; nothing was cut. Still finishing their calls, and ending by themselves: {}. They take no \
             new calls, and this cannot be taken back.",
            names.join(", ")
        )
    };
    if let Some(node) = node {
        text.push_str(&format!(" Node {node} stays closed for new pods: `kubectl uncordon {node}` opens it."));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(labels: &serde_json::Value, ending: bool) -> Pod {
        let mut metadata = json!({"name": "p", "labels": labels});
        if ending {
            metadata["deletionTimestamp"] = json!("2026-11-21T15:00:00Z");
        }
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn busy_pods_end_by_their_own_grace_and_idle_ones_are_evicted() {
        assert_eq!(step(&pod(&json!({"voxplane.dev/busy": "true"}), false)), Step::Delete);
        assert_eq!(step(&pod(&json!({}), false)), Step::Evict);
        assert_eq!(step(&pod(&json!({"voxplane.dev/busy": "true"}), true)), Step::Ending);
    }

    #[test]
    fn only_our_runtime_pods_are_touched() {
        let ours = json!({"voxplane.dev/component": "runtime", "app.kubernetes.io/managed-by": "voxplane-operator"});
        assert!(is_runtime(&pod(&ours, false)));
        assert!(!is_runtime(&pod(&json!({"voxplane.dev/component": "runtime"}), false)));
        assert!(!is_runtime(&pod(&json!({}), false)));
    }

    #[test]
    fn targets_are_pods_or_nodes() {
        assert_eq!(Target::parse("pod/a"), Ok(Target::Pod("a".to_owned())));
        assert_eq!(Target::parse("node/a"), Ok(Target::Node("a".to_owned())));
        assert_eq!(Target::parse("a"), Ok(Target::Either("a".to_owned())));
        assert!(Target::parse("deployment/a").is_err());
    }

    #[test]
    fn progress_counts_calls_and_says_what_it_does_not_know() {
        let left = |calls, busy| Left { name: "p".to_owned(), calls, busy };
        let text = |left: &[Left]| Progress::of(left).as_text();
        assert_eq!(text(&[]), "all pods have ended");
        assert_eq!(text(&[left(Some(1), true)]), "1 pod left, 1 call under way");
        assert_eq!(
            text(&[left(Some(2), true), left(None, true), left(None, false)]),
            "3 pods left, 2 calls under way, and some on 1 pod that cannot be asked how many"
        );
    }

    #[test]
    fn whoever_stops_waiting_knows_what_goes_on() {
        let left = [Left { name: "p".to_owned(), calls: Some(1), busy: true }];
        let text = farewell(&left, Some("n1"));
        assert!(text.contains("nothing was cut") && text.contains(": p.") && text.contains("kubectl uncordon n1"));
    }
}
