//! What a tenant's namespace may hold.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::validate::Valid;
use crate::namespaces;

/// KnowledgeBases a tenant may have. A fixed bound against runaway automation; no quota of the tenant sets it.
const KNOWLEDGE_BASES: i32 = 100;
/// Secrets a tenant may have: provider keys, and what controllers of the cluster add.
const SECRETS: i32 = 200;

/// Claims of volumes with model files. People of the tenant cannot make any; whoever runs the platform does.
const MODEL_CLAIMS: i32 = 16;
/// What GPUs are called where nothing else is said. A tenant that was granted none gets none.
const USUAL_GPU: &str = "nvidia.com/gpu";

/// Counts, pods and accelerators. Pools never need more pods than the tenant may have calls, or agents, should each have
/// its own; a rolling update doubles them, while old pods finish their calls, and one more is starting.
pub fn quota(valid: &Valid, own: &BTreeMap<String, String>) -> ResourceQuota {
    let pods = valid.max_calls.max(valid.voice_agents).max(1).saturating_mul(2).saturating_add(1);
    let counts = [
        ("count/voiceagents.voxplane.dev", valid.voice_agents),
        ("count/phonenumbers.voxplane.dev", valid.phone_numbers),
        ("count/knowledgebases.voxplane.dev", KNOWLEDGE_BASES),
        ("count/secrets", SECRETS),
        ("count/services", 0),
        ("count/persistentvolumeclaims", MODEL_CLAIMS),
        ("pods", pods),
    ]
    .map(|(what, most)| (what.to_owned(), most));
    let mut hard = BTreeMap::from(counts);
    hard.insert(format!("requests.{USUAL_GPU}"), 0);
    hard.extend(valid.gpus.iter().map(|gpu| (format!("requests.{}", gpu.resource_name), gpu.count)));
    ResourceQuota {
        metadata: namespaces::meta(&valid.namespace, "voxplane", own),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard.into_iter().map(|(what, most)| (what, Quantity(most.to_string()))).collect()),
            ..ResourceQuotaSpec::default()
        }),
        ..ResourceQuota::default()
    }
}

/// For containers that do not say, for example ones that a service mesh injects.
pub fn defaults(valid: &Valid, own: &BTreeMap<String, String>) -> LimitRange {
    let quantities = |list: &[(&str, &str)]| {
        Some(list.iter().map(|(what, how_much)| ((*what).to_owned(), Quantity((*how_much).to_owned()))).collect())
    };
    LimitRange {
        metadata: namespaces::meta(&valid.namespace, "voxplane", own),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                // No limit of the CPU: a throttled pod is a stuttering voice.
                default: quantities(&[("memory", "512Mi")]),
                default_request: quantities(&[("cpu", "50m"), ("memory", "128Mi")]),
                ..LimitRangeItem::default()
            }],
        }),
    }
}
