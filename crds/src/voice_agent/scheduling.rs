//! Which nodes the pods of an agent run on, with which accelerators and model files.

use crate::defaults::{default_from_schema, defaults};
use crate::refs::LocalRef;
use crate::schema::{EXTENDED_RESOURCE, LABEL_KEY, LABEL_VALUE, OBJECT_NAME};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where model volumes are mounted, each under its own name.
pub const MODELS_PREFIX: &str = "/models";

/// Accelerators of a pod.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.resourceName.startsWith('kubernetes.io/') && !self.resourceName.contains('.kubernetes.io/')")
        .message("`resourceName` is what the device plugin of your nodes offers, for example `nvidia.com/gpu`: nothing of `kubernetes.io`")
)]
pub struct Gpu {
    /// Name of the resource that the device plugin of the nodes offers. Omitted: `nvidia.com/gpu`.
    #[serde(default = "default::resource_name")]
    #[schemars(length(min = 3, max = 253), pattern(EXTENDED_RESOURCE))]
    pub resource_name: String,
    /// How many of them one pod gets, whole. Omitted: 1.
    #[serde(default = "default::count")]
    #[schemars(range(min = 1, max = 16))]
    pub count: i32,
}

/// A taint that the pods put up with. The fields are those of Kubernetes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.operator != 'Exists' || !has(self.value)")
        .message("`value` goes with `operator: Equal`: remove one of them"),
    validation = Rule::new("has(self.key) || self.operator == 'Exists'")
        .message("a toleration without `key` is for every taint: set `operator: Exists`, or name the `key`"),
    validation = Rule::new("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')")
        .message("`tolerationSeconds` goes with `effect: NoExecute`: set that effect, or remove the field")
)]
pub struct Toleration {
    /// Key of the taint. Omitted: every taint, with `operator: Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317), pattern(LABEL_KEY))]
    pub key: Option<String>,
    /// `Equal`: the taint has this `value`. `Exists`: whatever its value. Omitted: `Equal`.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// Value of the taint. Omitted: the empty value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), pattern(LABEL_VALUE))]
    pub value: Option<String>,
    /// Effect of the taint: `NoSchedule`, `PreferNoSchedule` or `NoExecute`. Omitted: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds that a pod stays on a node after it got the taint; a pod with calls then drains. Omitted: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration is compared with a taint.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TolerationOperator {
    /// Key and value are the same.
    #[default]
    Equal,
    /// The key is the same.
    Exists,
}

/// What a taint does to pods that do not tolerate it. Omitted: all of them.
// This text, not the field's, is what the schema of an optional enum shows.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TaintEffect {
    /// None is placed on the node.
    NoSchedule,
    /// None is placed on the node if there is another.
    PreferNoSchedule,
    /// They are removed from the node too.
    NoExecute,
}

impl TaintEffect {
    /// The value as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// How the pods of a pool are spread. Pods are always spread over hosts as far as possible; this asks for more.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpread {
    /// `Host` or `Zone`. Omitted: `Host`.
    #[serde(default)]
    pub over: Topology,
    /// What happens to a pod that would make the spread uneven. `ScheduleAnyway`: it runs all the same.
    /// `DoNotSchedule`: it waits. Omitted: `ScheduleAnyway`.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// What pods are spread over.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topology {
    /// Nodes (`kubernetes.io/hostname`).
    #[default]
    Host,
    /// Zones (`topology.kubernetes.io/zone`).
    Zone,
}

/// What happens to a pod that would make the spread uneven.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhenUnsatisfiable {
    /// It runs all the same.
    #[default]
    ScheduleAnyway,
    /// It waits.
    DoNotSchedule,
}

impl WhenUnsatisfiable {
    /// The value as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleAnyway => "ScheduleAnyway",
            Self::DoNotSchedule => "DoNotSchedule",
        }
    }
}

/// Model files, mounted for reading at `/models/<name>`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.persistentVolumeClaim) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.image) ? 1 : 0) == 1")
        .message("a volume has exactly one source: set `persistentVolumeClaim`, `configMap` or `image`")
)]
pub struct ModelVolume {
    /// Name of the volume, and of the folder under `/models`.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub name: String,
    /// A claim in the tenant's namespace; it must be one that many nodes may read. Omitted: another source is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<LocalRef>,
    /// A ConfigMap in the tenant's namespace, for small files. Omitted: another source is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LocalRef>,
    /// An OCI image or artifact that holds the files; the cluster needs the feature ImageVolume. Setting it needs the
    /// right `set-limits`, because the node fetches it. Omitted: another source is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSource>,
}

/// An OCI image or artifact.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSource {
    /// Where it is, for example `registry.example.com/models/voice:3`.
    #[schemars(length(min = 1, max = 255), pattern(r"^[^\s]+$"))]
    pub reference: String,
}

defaults! {
    resource_name: String = "nvidia.com/gpu";
    count: i32 = 1;
}
default_from_schema!(Gpu, TopologySpread);
