//! Which pods need their marks changed. Pure.
//!
//! A busy pod carries the label that the disruption budget selects, tells the cluster autoscaler to leave it alone, and
//! costs more to delete than an idle one. A pod on a closed node costs least, busy or not: it is to give way to another
//! ([`closed_nodes`](super::closed_nodes)). The marks are written only when a pod becomes busy, or has been idle for a
//! while: calls come and go by the second, and every write of a pod is seen by every watcher of pods.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use voxplane_crds::labels;

/// A pod must be idle for this long before its mark is taken away.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Read by the cluster autoscaler.
pub const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Read by the ReplicaSet controller: pods with a lower cost go first.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const BUSY_COST: &str = "1000";
/// Pods without a mark cost 0.
const GIVES_WAY_COST: &str = "-1000";

/// Whether a pod is marked as the cheapest to delete.
#[must_use]
pub fn gives_way(pod: &Pod) -> bool {
    pod.annotations().get(DELETION_COST).is_some_and(|cost| cost == GIVES_WAY_COST)
}

/// A runtime pod as the cluster shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it carries the mark of a busy pod.
    pub marked: bool,
    /// Whether it is marked as the cheapest to delete.
    pub gives_way: bool,
    /// Whether it must leave its node.
    pub on_closed_node: bool,
}

/// A mark to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// Whether it is busy.
    pub busy: bool,
    /// Whether it is to give way to another.
    pub gives_way: bool,
}

impl Mark {
    /// The change of the pod's metadata.
    #[must_use]
    pub fn patch(&self) -> Value {
        let cost = match (self.gives_way, self.busy) {
            (true, _) => Some(GIVES_WAY_COST),
            (false, true) => Some(BUSY_COST),
            (false, false) => None,
        };
        json!({
            "labels": { labels::BUSY: self.busy.then_some("true") },
            "annotations": { SAFE_TO_EVICT: self.busy.then_some("false"), DELETION_COST: cost },
        })
    }
}

/// Since when marked pods have been idle, by UID.
#[derive(Debug, Default)]
pub struct Memory {
    idle_since: HashMap<String, Instant>,
}

impl Memory {
    /// The marks to change. `calls` has the connected pods by UID; of a pod that is not connected nothing is known, and
    /// it may still carry calls, so its mark stays.
    pub fn decide(&mut self, pods: &[MarkedPod], calls: &HashMap<String, i32>, now: Instant) -> Vec<Mark> {
        self.idle_since.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
        let mut marks = Vec::new();
        for pod in pods {
            let busy = self.is_busy(pod, calls.get(&pod.uid).copied(), now);
            if busy != pod.marked || pod.on_closed_node != pod.gives_way {
                let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
                marks.push(Mark { namespace, name, busy, gives_way: pod.on_closed_node });
            }
        }
        marks
    }

    /// Whether a pod with so many calls should carry the mark of a busy one.
    fn is_busy(&mut self, pod: &MarkedPod, calls: Option<i32>, now: Instant) -> bool {
        if calls == Some(0) && pod.marked {
            let since = *self.idle_since.entry(pod.uid.clone()).or_insert(now);
            return now.saturating_duration_since(since) < IDLE_FOR;
        }
        self.idle_since.remove(&pod.uid);
        calls.map_or(pod.marked, |calls| calls > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(marked: bool) -> MarkedPod {
        MarkedPod {
            namespace: "vx-a--t".to_owned(),
            name: "p".to_owned(),
            uid: "u".to_owned(),
            marked,
            ..MarkedPod::default()
        }
    }

    fn calls(count: i32) -> HashMap<String, i32> {
        HashMap::from([("u".to_owned(), count)])
    }

    #[test]
    fn a_busy_pod_is_marked_at_once_and_only_once() {
        let mut memory = Memory::default();
        let now = Instant::now();
        assert!(memory.decide(&[pod(false)], &calls(0), now).is_empty());
        let marks = memory.decide(&[pod(false)], &calls(2), now);
        assert_eq!(marks.len(), 1);
        assert!(marks[0].busy);
        assert_eq!(marks[0].patch()["labels"][labels::BUSY], "true");
        assert!(memory.decide(&[pod(true)], &calls(3), now).is_empty());
    }

    #[test]
    fn a_mark_goes_only_after_a_while_without_calls() {
        let mut memory = Memory::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(memory.decide(&[pod(true)], &calls(0), at(0)).is_empty());
        assert!(memory.decide(&[pod(true)], &calls(1), at(5)).is_empty());
        assert!(memory.decide(&[pod(true)], &calls(0), at(6)).is_empty());
        assert!(memory.decide(&[pod(true)], &calls(0), at(15)).is_empty());
        let marks = memory.decide(&[pod(true)], &calls(0), at(16));
        assert_eq!(marks.len(), 1);
        assert!(!marks[0].busy);
        assert_eq!(marks[0].patch()["labels"][labels::BUSY], Value::Null);
    }

    #[test]
    fn a_pod_that_is_not_connected_keeps_its_mark() {
        let mut memory = Memory::default();
        let start = Instant::now();
        let nobody = HashMap::new();
        for seconds in [0, 60, 3600] {
            let now = start + Duration::from_secs(seconds);
            assert!(memory.decide(&[pod(true)], &nobody, now).is_empty());
            assert!(memory.decide(&[pod(false)], &nobody, now).is_empty());
        }
    }

    #[test]
    fn a_pod_on_a_closed_node_costs_least_whether_it_has_calls_or_not() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let on_closed = |marked, gives_way| MarkedPod { on_closed_node: true, gives_way, ..pod(marked) };
        let cost = |mark: &Mark| mark.patch()["annotations"][DELETION_COST].clone();
        for (calls, busy) in [(calls(0), false), (calls(3), true), (HashMap::new(), false)] {
            let marks = memory.decide(&[on_closed(false, false)], &calls, now);
            assert_eq!((marks.len(), marks[0].busy, cost(&marks[0])), (1, busy, json!("-1000")));
            assert!(memory.decide(&[on_closed(busy, true)], &calls, now).is_empty(), "once");
        }
        let opened = MarkedPod { gives_way: true, ..pod(true) };
        let marks = memory.decide(&[opened], &calls(3), now);
        assert_eq!((marks[0].busy, cost(&marks[0])), (true, json!("1000")), "the node was opened again");
        let opened = MarkedPod { gives_way: true, ..pod(false) };
        assert_eq!(cost(&memory.decide(&[opened], &calls(0), now)[0]), Value::Null);
    }
}
