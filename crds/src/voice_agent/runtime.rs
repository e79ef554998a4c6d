//! The pods the agent's calls run on: how many, how large, and whose.

use super::canary::Canary;
use super::scaling::Scaling;
use super::scheduling::{Gpu, ModelVolume, Toleration, TopologySpread};
use crate::defaults::{default_from_schema, defaults};
use crate::schema::OBJECT_NAME;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The pods the agent's calls run on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSpec {
    /// `Pooled`: all agents of the tenant share one pool of pods, which takes the largest `replicas` and
    /// `callsPerReplica` that any of them asks for. `Dedicated`: the agent has a pool of its own. A change moves new
    /// calls when every pod of the new pool is connected; calls under way end where they are. Omitted: `Pooled`.
    #[serde(default)]
    pub placement: Placement,
    /// Pods in the pool. Omitted: 1. The operator never writes it; `kubectl scale` and autoscalers may. Not looked at
    /// with `scaling.mode: Operator`.
    #[serde(default = "default::replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Calls that one pod carries at a time. Omitted: 4.
    #[serde(default = "default::calls_per_replica")]
    #[schemars(range(min = 1, max = 100))]
    pub calls_per_replica: i32,
    /// Who decides how many pods there are. Omitted: `replicas` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// CPU and memory of a pod. Accelerators belong into `gpu`. Omitted: computed from `callsPerReplica`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::resource_requirements")]
    pub resources: Option<ResourceRequirements>,
    /// Accelerators of a pod. The tenant's `quotas.gpus` must grant them. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// Container image of the pods, to pin or try a version. Omitted: the platform's. Setting it needs the right
    /// `set-limits`, because the image gets the tenant's provider keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), pattern(r"^[^\s]+$"))]
    pub image: Option<String>,
    /// Another image, tried on a share of the new calls. Needs `placement: Dedicated`, because a shared pool has calls of
    /// all agents. Omitted: every call goes to `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Labels that a node must have. Omitted: any node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods put up with. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub tolerations: Vec<Toleration>,
    /// How the pods are spread. Omitted: over hosts, as far as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_spread: Option<TopologySpread>,
    /// RuntimeClass of the pods, for example the one of the GPU's container runtime. Omitted: the cluster's default.
    /// Setting it needs the right `set-limits`, because it decides how pods are isolated from the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub runtime_class_name: Option<String>,
    /// PriorityClass of the pods. Omitted: the cluster's default. Setting it needs the right `set-limits`, because pods
    /// of a higher priority push others off their nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub priority_class_name: Option<String>,
    /// Model files, each mounted for reading at `/models/<name>`. Omitted: those in the image only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<ModelVolume>,
}

/// How an agent's calls are spread over pods.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placement {
    /// One pool for all agents of the tenant.
    #[default]
    Pooled,
    /// A pool for this agent alone.
    Dedicated,
}

defaults! {
    replicas: i32 = 1;
    calls_per_replica: i32 = 4;
}
default_from_schema!(RuntimeSpec);
