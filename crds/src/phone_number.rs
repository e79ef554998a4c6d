//! `PhoneNumber`: a telephone number and the agent that answers it.

mod routing;

pub use routing::{ScheduleEntry, Squad, SquadAgent, SquadAgentStatus, SquadRouting};

use crate::{
    defaults::{default_from_schema, defaults},
    refs::LocalRef,
    schema::{E164, OBJECT_NAME, UUID},
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a telephone number should do.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "voxplane.dev",
    version = "v1alpha1",
    kind = "PhoneNumber",
    shortname = "pn",
    category = "voxplane",
    namespaced,
    status = "PhoneNumberStatus",
    derive = "PartialEq",
    cel,
    doc = "A telephone number and the agent that answers it. The number must be granted to the tenant by one of its \
           agency's carrier connections. It is one that the agency has, or one that is bought for this object.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name of a PhoneNumber is at most 40 characters long"),
    printcolumn(name = "Number", type_ = "string", json_path = ".status.number"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".status.answers"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Carrier", type_ = "string", json_path = ".spec.carrier", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.number) != has(self.search)")
        .message("give either `number` (a number that the agency has) or `search` (a number is bought)"),
    validation = Rule::new("has(self.number) == has(oldSelf.number) && (!has(self.number) || self.number == oldSelf.number)")
        .message("`number` cannot be changed: create another PhoneNumber and delete this one")
        .field_path(".number"),
    validation = Rule::new("has(self.search) == has(oldSelf.search) && (!has(self.search) || self.search == oldSelf.search)")
        .message("`search` cannot be changed, the number may be bought already: create another PhoneNumber and delete this one")
        .field_path(".search"),
    validation = Rule::new("!has(oldSelf.search) || self.carrier == oldSelf.carrier")
        .message("`carrier` cannot be changed for a number that is bought: create another PhoneNumber and delete this one")
        .field_path(".carrier"),
    validation = Rule::new("has(self.agentRef) != has(self.squad)")
        .message("give either `agentRef` (one agent answers) or `squad` (several agents share the calls)"),
    validation = Rule::new("!has(self.fallbackNumber) || !has(self.number) || self.fallbackNumber != self.number")
        .message("a number cannot be its own `fallbackNumber`: name one that is answered elsewhere")
        .field_path(".fallbackNumber")
)]
pub struct PhoneNumberSpec {
    /// The number in E.164 form (`+15550100`). Omitted: one is bought, see `search`. Cannot be changed: make another
    /// PhoneNumber.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 16), pattern(E164))]
    pub number: Option<String>,
    /// What number to buy from the carrier; `status.number` says which one it became. The agency must allow purchases
    /// for the connection and grant the number to the tenant. Omitted: `number` says which number it is. Cannot be
    /// changed: make another PhoneNumber.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<NumberSearch>,
    /// Name of the carrier connection of the agency (`spec.carriers[].name`) that the number belongs to.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub carrier: String,
    /// The VoiceAgent that answers. Omitted: see `squad`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ref: Option<LocalRef>,
    /// Agents that share the calls. Omitted: `agentRef` says who answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squad: Option<Squad>,
    /// When another agent answers: the first entry that counts when the call arrives. Omitted: never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub schedule: Vec<ScheduleEntry>,
    /// What happens to calls that no agent can take.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub overflow: Overflow,
    /// Whether calls may be placed with this number, and which number those who are called see. Omitted: no calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<NumberOutbound>,
    /// Where the carrier sends the calls while the platform does not answer it, in E.164 form: a telephone that is answered
    /// elsewhere. Possible with carriers of type `telnyx`. The connection's `allowedDestinations` must cover it.
    /// Omitted: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 16), pattern(E164))]
    pub fallback_number: Option<String>,
    /// What happens to the number at the carrier when this object is deleted. `Retain`: nothing, it stays ordered and
    /// is paid for. `Release`: it is given back for good, as far as the carrier supports it (`twilio` and `telnyx` do; at
    /// `gotoConnect` somebody removes it by hand, and the object stays until then).
    /// Omitted: `Retain`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

// An order keeps the search it was made for, and a number that was kept goes to whoever asks for the same again. So a
// field that is added here must be left out when it is not given.
/// What a number to buy must be like. Everything that is given must hold.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberSearch {
    /// Country of the number (ISO 3166-1, two capital letters). Omitted: `US`.
    #[serde(default = "default::country")]
    #[schemars(length(min = 2, max = 2), pattern("^[A-Z]{2}$"))]
    pub country: String,
    /// Area code, without the country code and without a leading 0 (`404`). Omitted: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 6), pattern("^[1-9][0-9]*$"))]
    pub area_code: Option<String>,
    /// Digits that stand next to each other somewhere in the number. Omitted: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10), pattern("^[0-9]+$"))]
    pub contains: Option<String>,
    /// State or province, as its code in ISO 3166-2 without the country (`GA`). Omitted: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), pattern("^[A-Z0-9]+$"))]
    pub region: Option<String>,
}

/// What happens to calls that no agent can take.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overflow {
    /// Spoken to the caller, who is then disconnected. Omitted: the agent's `messages.busy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub message: Option<String>,
}

/// Calls that are placed with a number.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberOutbound {
    /// Whether calls may be placed with this number. Its carrier connection must have `outbound`. Omitted: false.
    #[serde(default)]
    pub enabled: bool,
    /// The number that those who are called see, in E.164 form: one that a PhoneNumber of the same tenant has over the same
    /// carrier connection. Omitted: the number itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 16), pattern(E164))]
    pub caller_id: Option<String>,
}

/// What happens to a number at the carrier when its object is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// The number stays ordered.
    #[default]
    Retain,
    /// The number is given back.
    Release,
}

/// What the operator observed of a telephone number.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumberStatus {
    /// Identifier of the number in the REST API, the database and external systems. Survives re-creation of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), pattern(UUID))]
    pub id: Option<String>,
    /// The generation this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `ResolvedRefs`, `Programmed`, `Bound` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The number in use: the one of the spec, or the one that was bought. Omitted: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(E164))]
    pub number: Option<String>,
    /// How far the carrier's part is. Omitted: the carrier has no part in it (type `sip`), or it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderStatus>,
    /// Name of the agency whose carrier connection carries the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub agency: Option<String>,
    /// Id of the inbound trunk in LiveKit over which calls arrive. Omitted: not made yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub trunk_id: Option<String>,
    /// Id of the dispatch rule in LiveKit that hands calls over. Omitted: not made yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub dispatch_rule_id: Option<String>,
    /// How calls are placed with the number. Omitted: none can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound: Option<OutboundStatus>,
    /// What the carrier was told about `fallbackNumber`. Omitted: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackStatus>,
    /// Who answers, in words: the name of the agent, or the squad's routing and how many of its agents are ready
    /// (`RoundRobin, 2 of 3 ready`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub answers: Option<String>,
    /// The agents of the squad. Omitted: there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub squad: Vec<SquadAgentStatus>,
    /// `status.id` of the VoiceAgent that answers. Omitted: the agent is not known yet, or a squad answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), pattern(UUID))]
    pub agent_id: Option<String>,
}

common_status!(PhoneNumberStatus);

impl PhoneNumberSpec {
    /// The field of every agent that is named, and its name.
    pub fn agents(&self) -> impl Iterator<Item = (String, &str)> {
        let alone = self.agent_ref.iter().map(|agent| ("spec.agentRef".to_owned(), agent.name.as_str()));
        let squad = self.squad.iter().flat_map(|squad| &squad.agents);
        let squad = squad.map(|agent| (format!("spec.squad.agents[{}]", agent.name), agent.name.as_str()));
        let at_times = self.schedule.iter();
        let at_times =
            at_times.map(|entry| (format!("spec.schedule[{}].agentRef", entry.name), entry.agent_ref.name.as_str()));
        alone.chain(squad).chain(at_times)
    }
}

/// How calls are placed with a number.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboundStatus {
    /// The number that those who are called see.
    #[schemars(length(max = 16), pattern(E164))]
    pub caller_id: String,
    /// Id of the outbound trunk in LiveKit over which they are called.
    #[schemars(length(max = 128))]
    pub trunk_id: String,
}

/// What a carrier was told about where calls go while the platform does not answer.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallbackStatus {
    /// The number.
    #[schemars(length(max = 16), pattern(E164))]
    pub number: String,
    /// The carrier connection whose account was told.
    #[schemars(length(min = 1, max = 40))]
    pub carrier: String,
    /// Whether the carrier has confirmed it.
    #[serde(default)]
    pub state: FallbackState,
}

/// How far a fallback is at the carrier.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FallbackState {
    /// The carrier is being told; it may have it already.
    #[default]
    Setting,
    /// The carrier has it.
    Set,
}

impl PhoneNumber {
    /// The number: the one of the spec, else the one that was bought.
    #[must_use]
    pub fn number(&self) -> Option<&str> {
        self.spec.number.as_deref().or_else(|| self.status.as_ref()?.number.as_deref())
    }

    /// What it says about calls that are placed with it, if they may be.
    #[must_use]
    pub fn outbound(&self) -> Option<&NumberOutbound> {
        self.spec.outbound.as_ref().filter(|outbound| outbound.enabled)
    }
}

/// How far an order at a carrier is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatus {
    /// The last step that is certain.
    #[serde(default)]
    pub state: OrderState,
    /// The number that was chosen. Omitted: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(E164))]
    pub number: Option<String>,
    /// Our mark on the number in the carrier's account. Omitted: the number was not bought by the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reference: Option<String>,
    /// How often the chosen number was ordered. More than once: an order was not carried out.
    #[serde(default)]
    pub attempts: i32,
    /// What is in the way, in the carrier's words where it said something. Omitted: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// How far an order is.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderState {
    /// A number is being looked for; nothing is ordered.
    #[default]
    Choosing,
    /// A number is chosen and noted; nothing is ordered.
    Intended,
    /// The number was ordered, and the carrier has not confirmed it.
    Ordering,
    /// The number is in the account.
    Ordered,
    /// The number is in the account and its calls come here.
    Routed,
    /// The number was given back.
    Released,
    /// It ended without a number.
    Failed,
}

defaults! {
    country: String = "US";
}
default_from_schema!(NumberSearch);
