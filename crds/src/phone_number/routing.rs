//! Who answers a number: several agents together, or another one at given times.

use crate::{
    refs::LocalRef,
    schema::OBJECT_NAME,
    tenant::{OpeningDay, SpecialDate},
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Agents that share the calls of a number. One that is paused, being deleted, not ready or has no free call slot is
/// passed over as long as another one is available.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.routing == 'Weighted' || self.agents.all(agent, !has(agent.weight))")
        .message("`weight` counts only with `routing: Weighted`: set that, or remove the weights")
)]
pub struct Squad {
    /// Who of them gets a call. `RoundRobin`: each gets the same share. `Weighted`: each gets a share by its `weight`.
    /// `Priority`: the first in the list that is available. Omitted: `RoundRobin`.
    #[serde(default)]
    pub routing: SquadRouting,
    /// The agents, of this number's tenant. With `Priority` their order counts.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub agents: Vec<SquadAgent>,
}

/// Who of a squad gets a call.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SquadRouting {
    /// Each gets the same share.
    #[default]
    RoundRobin,
    /// The first in the list that is available.
    Priority,
    /// Each gets a share by its weight.
    Weighted,
}

impl SquadRouting {
    /// The word in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "RoundRobin",
            Self::Priority => "Priority",
            Self::Weighted => "Weighted",
        }
    }
}

/// One agent of a squad.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SquadAgent {
    /// Name of the VoiceAgent, in this object's namespace.
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub name: String,
    /// Its share of the calls, beside the weights of the others: 3 and 1 are three calls of four. Omitted: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub weight: Option<i32>,
}

/// When another agent answers. `weekly` and `dates` are written as in the tenant's `businessHours` and read by the clocks
/// in the tenant's `timezone`: the entry counts while they are open.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.weekly) && size(self.weekly) > 0) || (has(self.dates) && size(self.dates) > 0)")
        .message("an entry without `weekly` and `dates` never counts: say when the agent answers")
)]
pub struct ScheduleEntry {
    /// What it is called (`night`), for people, for conditions and for the ledger of calls.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub name: String,
    /// The usual week. On a day that is not listed the entry does not count. Omitted: see `dates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["day".into()]))]
    pub weekly: Vec<OpeningDay>,
    /// Dates that differ from the usual week. One without `ranges`: the entry does not count on it. Dates that are over
    /// may stay. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["date".into()]))]
    pub dates: Vec<SpecialDate>,
    /// The VoiceAgent that answers then, also outside of the tenant's business hours.
    pub agent_ref: LocalRef,
}

/// What the operator observed of an agent of a squad.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SquadAgentStatus {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its `status.id`. Omitted: it does not exist, or is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36))]
    pub agent_id: Option<String>,
    /// Whether it takes calls now.
    #[serde(default)]
    pub ready: bool,
}
