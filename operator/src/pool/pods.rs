//! What a runtime pod says of itself, as far as it matters on a closed node. Pure.

use k8s_openapi::api::core::v1::{Pod, Toleration};

/// What the cluster puts on a closed node, with the effect `NoSchedule`.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Whether its ReplicaSet counts it. A pod that is told to go, or has ended, is replaced already.
#[must_use]
pub fn is_active(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether the kubelet calls it ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
}

/// The node that it must leave if that is closed. Who puts up with a closed node, or is on none yet, leaves nothing.
#[must_use]
pub fn must_leave(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    let stays = spec.tolerations.iter().flatten().any(tolerates_closed);
    spec.node_name.as_deref().filter(|_| !stays)
}

fn tolerates_closed(toleration: &Toleration) -> bool {
    let exists = toleration.operator.as_deref() == Some("Exists");
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let value = toleration.value.as_deref().unwrap_or_default();
    let meets = if key.is_empty() { exists } else { key == UNSCHEDULABLE && (exists || value.is_empty()) };
    meets && matches!(effect, "" | "NoSchedule")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(metadata: &Value, spec: &Value, status: &Value) -> Pod {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status});
        pod["spec"]["containers"] = json!([]);
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_pod_that_goes_or_has_ended_is_not_counted() {
        let going = json!({"deletionTimestamp": "2026-07-01T12:00:00Z"});
        assert!(is_active(&pod(&json!({}), &json!({}), &json!({"phase": "Running"}))));
        assert!(is_active(&pod(&json!({}), &json!({}), &json!({}))));
        assert!(!is_active(&pod(&going, &json!({}), &json!({"phase": "Running"}))));
        assert!(!is_active(&pod(&json!({}), &json!({}), &json!({"phase": "Failed"}))), "evicted by the kubelet");
    }

    #[test]
    fn ready_is_what_the_kubelet_says() {
        let ready = |status: &str| json!({"conditions": [{"type": "Ready", "status": status}]});
        assert!(is_ready(&pod(&json!({}), &json!({}), &ready("True"))));
        assert!(!is_ready(&pod(&json!({}), &json!({}), &ready("False"))));
        assert!(!is_ready(&pod(&json!({}), &json!({}), &json!({}))));
    }

    #[test]
    fn who_puts_up_with_a_closed_node_may_stay_there() {
        let leaves = |toleration: Value| {
            let pod = pod(&json!({}), &json!({"nodeName": "one", "tolerations": [toleration]}), &json!({}));
            must_leave(&pod).is_some()
        };
        assert!(leaves(json!({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})));
        assert!(leaves(json!({"key": UNSCHEDULABLE, "operator": "Exists", "effect": "NoExecute"})));
        assert!(!leaves(json!({"key": UNSCHEDULABLE, "operator": "Exists"})));
        assert!(!leaves(json!({"key": UNSCHEDULABLE, "effect": "NoSchedule"})));
        assert!(!leaves(json!({"operator": "Exists"})), "everything");
        assert_eq!(must_leave(&pod(&json!({}), &json!({}), &json!({}))), None, "it is on no node yet");
    }
}
