//! `PhoneNumber`: a telephone number and the agent that answers it.

use crate::{
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
           agency's carrier connections.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name of a PhoneNumber is at most 40 characters long"),
    printcolumn(name = "Number", type_ = "string", json_path = ".spec.number"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".spec.agentRef.name"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Carrier", type_ = "string", json_path = ".spec.carrier", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumberSpec {
    /// The number in E.164 form (`+15550100`). Cannot be changed: make another PhoneNumber.
    #[schemars(length(min = 8, max = 16), pattern(E164))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("`number` cannot be changed: create another PhoneNumber and delete this one"))]
    pub number: String,
    /// Name of the carrier connection of the agency (`spec.carriers[].name`) that the number belongs to.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub carrier: String,
    /// The VoiceAgent that answers.
    pub agent_ref: LocalRef,
    /// What happens to calls that no agent can take.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub overflow: Overflow,
    /// What happens to the number at the carrier when this object is deleted. `Retain`: nothing, it stays ordered.
    /// `Release`: it is given back, as far as the carrier supports it. Omitted: `Retain`.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
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
    /// `status.id` of the VoiceAgent that answers. Omitted: the agent is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), pattern(UUID))]
    pub agent_id: Option<String>,
}

common_status!(PhoneNumberStatus);
