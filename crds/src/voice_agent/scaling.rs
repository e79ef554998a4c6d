//! Who decides how many pods a pool has, and by which rules.

use crate::defaults::{default_from_schema, defaults};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who decides how many pods a pool has. With `mode: Operator` a shared pool takes the largest of every number that its
/// agents ask for, and the `replicas` of those that do not.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.min <= self.max")
        .message("`min` is at most `max`: raise `max`, or lower `min`"),
    validation = Rule::new("!(has(self.headroomSlots) && has(self.headroomPercent))")
        .message("`headroomSlots` and `headroomPercent` exclude each other: remove one of them"),
    validation = Rule::new("!has(self.warmMinimum) || self.warmMinimum <= self.min")
        .message("`warmMinimum` is at most `min`: lower it, or raise `min`")
)]
pub struct Scaling {
    /// `External`: `runtime.replicas` is the number of pods; people or an autoscaler of your own write it. `Operator`:
    /// the operator follows the calls. Omitted: `External`, because then what is written is what runs and costs.
    #[serde(default)]
    pub mode: ScalingMode,
    /// The fewest pods while calls may come. Omitted: 1.
    #[serde(default = "default::min")]
    #[schemars(range(min = 1, max = 100))]
    pub min: i32,
    /// The most pods. Never more than the tenant's quotas can use. Omitted: 10.
    #[serde(default = "default::max")]
    #[schemars(range(min = 1, max = 100))]
    pub max: i32,
    /// Call slots kept free beside the calls under way. Omitted: `headroomPercent` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub headroom_slots: Option<i32>,
    /// Call slots kept free, in percent of the calls under way and at least one. Omitted: 25, unless `headroomSlots` is
    /// set.
    // Not a schema default: the API server would add it beside `headroomSlots`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub headroom_percent: Option<i32>,
    /// A pod is given up only when it was not needed for so many seconds. More pods come at once. Omitted: 300.
    #[serde(default = "default::stabilisation_seconds")]
    #[schemars(range(min = 0, max = 3_600))]
    pub stabilisation_seconds: i32,
    /// The fewest pods while no call can come, because every agent of the pool is paused or the tenant or agency is
    /// suspended. 0: the pool goes to zero then, and nobody is there to speak a `suspendedMessage`. Omitted: `min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub warm_minimum: Option<i32>,
}

/// Percent of the calls under way that are kept free when nothing is said.
pub const DEFAULT_HEADROOM_PERCENT: i32 = 25;

/// Who decides how many pods a pool has.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScalingMode {
    /// Whoever writes `runtime.replicas`.
    #[default]
    External,
    /// The operator.
    Operator,
}

/// What the operator decided about the number of pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingStatus {
    /// Pods that the pool should have.
    #[serde(default)]
    pub desired: i32,
    /// Pods that it has; those that only finish their calls do not count.
    #[serde(default)]
    pub current: i32,
    /// Why, in one word.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub message: String,
}

defaults! {
    min: i32 = 1;
    max: i32 = 10;
    stabilisation_seconds: i32 = 300;
}
default_from_schema!(Scaling);
