//! `Agency`: who sells phone agents to its clients, with its carriers and its limits.

mod carriers;
mod outbound;

pub use carriers::{
    CarrierConnection, CarrierType, GotoConnectConnection, NumberGrant, Purchases, SipConnection, TelnyxConnection,
    TwilioConnection,
};
pub use outbound::{MediaEncryption, Outbound, SipHeader, SipTransport};

use crate::{
    agent_defaults::AgentDefaults,
    defaults::{default_from_schema, defaults},
    members::Member,
    profile::{Address, Billing, Branding, Company},
    refs::Contact,
    schema::UUID,
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What an agency should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "voxplane.dev",
    version = "v1alpha1",
    kind = "Agency",
    plural = "agencies",
    shortname = "ag",
    category = "voxplane",
    status = "AgencyStatus",
    derive = "PartialEq",
    cel,
    doc = "An agency sells phone agents to its clients, the tenants. It owns the carrier connections and the envelope \
           of limits that its tenants share. Its tenants live in the namespace `vx-<agency>`.",
    validation = Rule::new("self.metadata.name.size() <= 20")
        .message("an agency's name is at most 20 characters long, because namespaces are named after it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && !self.metadata.name.contains('--')")
        .message("an agency's name consists of lower-case letters, digits and single dashes, and begins and ends with a letter or digit"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Tenants", type_ = "integer", json_path = ".status.tenants"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspended", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AgencySpec {
    /// Name shown to people. Omitted: the object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// Whom to reach about this agency. Omitted: nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The company behind it. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Company>,
    /// Where the company is. Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// What it pays for, and where bills go. Omitted: nothing is agreed. Changing it needs the right `set-limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
    /// How its tenants see the product. Omitted: under the platform's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branding: Option<Branding>,
    /// Who may work with the agency's tenants, and with everything in them, in Kubernetes. Omitted: the groups of
    /// `voxplane:<agency>:…` only. Changing it needs the right `set-limits`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into(), "namespace".into()]))]
    pub members: Vec<Member>,
    /// The limits that all tenants of the agency share. Changing them needs the right `set-limits`.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub quotas: AgencyQuotas,
    /// Connections to telephone carriers. Tenants name one of them in their PhoneNumbers. Omitted: no telephone calls.
    /// Changing them needs the right `set-limits`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub carriers: Vec<CarrierConnection>,
    /// Settings for the agents of all its tenants, where neither the agent nor its tenant states them. A change applies
    /// to the next call. Omitted: none.
    #[serde(default, skip_serializing_if = "AgentDefaults::is_empty")]
    pub defaults: AgentDefaults,
    /// Refuses every call of every tenant of this agency. Resources and numbers are kept. Omitted: false.
    /// Changing it needs the right `set-limits`.
    #[serde(default)]
    pub suspended: bool,
}

/// Limits an agency's tenants share.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgencyQuotas {
    /// The most tenants the agency may have. Omitted: 100.
    #[serde(default = "default::max_tenants")]
    #[schemars(range(min = 0, max = 10_000))]
    pub max_tenants: i32,
    /// The most calls of all its tenants together at one time. Omitted: 100.
    #[serde(default = "default::concurrent_calls")]
    #[schemars(range(min = 0, max = 100_000))]
    pub concurrent_calls: i32,
    /// The most minutes of conversation of all its tenants together in a calendar month (UTC). When they are used up, new
    /// calls are refused as busy; those under way go on. Omitted: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000_000))]
    pub monthly_minutes: Option<i32>,
}

/// What the operator observed of an agency.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgencyStatus {
    /// Identifier of the agency in the REST API, the database and external systems. Survives re-creation of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36), pattern(UUID))]
    pub id: Option<String>,
    /// The generation this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `ResolvedRefs`, `Programmed` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Namespace of the agency's tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Number of tenants the agency has.
    #[serde(default)]
    pub tenants: i32,
    /// One entry per carrier connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub carriers: Vec<CarrierStatus>,
}

common_status!(AgencyStatus);

/// What the operator observed of one carrier connection.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarrierStatus {
    /// Name of the connection.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// Id of the inbound trunk in LiveKit. Omitted: not made yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub trunk_id: Option<String>,
    /// Id of the dispatch rule in LiveKit. Omitted: not made yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub dispatch_rule_id: Option<String>,
    /// Claimed numbers that arrive over this connection.
    #[serde(default)]
    pub numbers: i32,
    /// Id of the outbound trunk in LiveKit. Omitted: there is none, because no calls are placed over this connection, or
    /// no number of it may be shown to those who are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub outbound_trunk_id: Option<String>,
    /// Numbers that calls over the outbound trunk may come from.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub caller_ids: i32,
    /// What is wrong with this connection. Omitted: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_zero(count: &i32) -> bool {
    *count == 0
}

defaults! {
    max_tenants: i32 = 100;
    concurrent_calls: i32 = 100;
}
default_from_schema!(AgencySpec, AgencyQuotas);
