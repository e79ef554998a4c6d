//! Which pods need their mark changed. Pure.
//!
//! A busy pod carries the label that the disruption budget selects, tells the cluster autoscaler to leave it alone, and
//! costs more to delete than an idle one. The marks are written only when a pod becomes busy, or has been idle for a
//! while: calls come and go by the second, and every write of a pod is seen by every watcher of pods.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use voxplane_crds::labels;

/// A pod must be idle for this long before its mark is taken away.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Read by the cluster autoscaler.
pub const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Read by the ReplicaSet controller: pods with a lower cost go first.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const BUSY_COST: &str = "1000";

/// A runtime pod as the cluster shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it carries the mark.
    pub marked: bool,
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
}

impl Mark {
    /// The change of the pod's metadata.
    #[must_use]
    pub fn patch(&self) -> Value {
        if self.busy {
            json!({
                "labels": { labels::BUSY: "true" },
                "annotations": { SAFE_TO_EVICT: "false", DELETION_COST: BUSY_COST },
            })
        } else {
            json!({ "labels": { labels::BUSY: null }, "annotations": { SAFE_TO_EVICT: null, DELETION_COST: null } })
        }
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
        let mark = |pod: &MarkedPod, busy| Mark { namespace: pod.namespace.clone(), name: pod.name.clone(), busy };
        self.idle_since.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
        let mut marks = Vec::new();
        for pod in pods {
            match calls.get(&pod.uid) {
                Some(0) if pod.marked => {
                    let since = *self.idle_since.entry(pod.uid.clone()).or_insert(now);
                    if now.saturating_duration_since(since) >= IDLE_FOR {
                        marks.push(mark(pod, false));
                    }
                }
                Some(0) => {}
                Some(_) => {
                    self.idle_since.remove(&pod.uid);
                    if !pod.marked {
                        marks.push(mark(pod, true));
                    }
                }
                None => {
                    self.idle_since.remove(&pod.uid);
                }
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(marked: bool) -> MarkedPod {
        MarkedPod { namespace: "vx-a--t".to_owned(), name: "p".to_owned(), uid: "u".to_owned(), marked }
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
}
