//! The pods the agent's calls run on.

use crate::defaults::{default_from_schema, defaults};
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pods the agent's calls run on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSpec {
    /// `Pooled`: all agents of the tenant share one pool of pods, which takes the largest `replicas` and
    /// `callsPerReplica` that any of them asks for. Omitted: `Pooled`.
    #[serde(default)]
    pub placement: Placement,
    /// Pods in the pool. Omitted: 1. The operator never writes it; `kubectl scale` and autoscalers may.
    #[serde(default = "default::replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Calls that one pod carries at a time. Omitted: 4.
    #[serde(default = "default::calls_per_replica")]
    #[schemars(range(min = 1, max = 100))]
    pub calls_per_replica: i32,
    /// CPU and memory of a pod. Omitted: computed from `callsPerReplica`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::resource_requirements")]
    pub resources: Option<ResourceRequirements>,
    /// Container image of the pods, to pin or try a version. Omitted: the platform's. Setting it needs the right
    /// `set-limits`, because the image gets the tenant's provider keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), pattern(r"^[^\s]+$"))]
    pub image: Option<String>,
}

/// How an agent's calls are spread over pods.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placement {
    /// One pool for all agents of the tenant.
    #[default]
    Pooled,
}

defaults! {
    replicas: i32 = 1;
    calls_per_replica: i32 = 4;
}
default_from_schema!(RuntimeSpec);
