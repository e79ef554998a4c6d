//! `Agency`: who sells phone agents to its clients, with its carriers and its limits.

use crate::{
    defaults::{default_from_schema, defaults},
    refs::{Contact, LocalSecretRef},
    schema::{E164_OR_PREFIX, OBJECT_NAME, UUID},
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
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
}

/// A connection to a telephone carrier.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'sip' ? has(self.sip) : !has(self.sip)")
        .message("a carrier of type `sip` needs the block `sip`, and only that type may have it")
)]
pub struct CarrierConnection {
    /// Name by which PhoneNumbers refer to this connection.
    #[schemars(length(min = 1, max = 40), pattern(OBJECT_NAME))]
    pub name: String,
    /// Kind of carrier. `sip`: any SIP trunk; calls arrive from the carrier's addresses or with a user name and password.
    #[serde(rename = "type")]
    pub type_: CarrierType,
    /// Settings of a SIP trunk; needed when `type` is `sip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip: Option<SipConnection>,
    /// The telephone numbers that arrive over this connection, and the tenants that may claim them. A number that no
    /// entry grants cannot be claimed. Omitted: no number can be claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["pattern".into()]))]
    pub numbers: Vec<NumberGrant>,
}

/// Kinds of carrier.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CarrierType {
    /// Any SIP trunk.
    #[default]
    Sip,
}

impl CarrierType {
    /// The value as it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
        }
    }
}

/// A SIP trunk over which a carrier sends calls.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.allowedAddresses) && size(self.allowedAddresses) > 0) || has(self.authSecretRef)")
        .message("without `allowedAddresses` or `authSecretRef` anyone on the Internet could place calls: list the carrier's addresses, or name a Secret with `username` and `password`"),
    validation = Rule::new("!has(self.allowedAddresses) || self.allowedAddresses.all(a, isCIDR(a) || isIP(a))")
        .message("every entry of `allowedAddresses` is an IP address (203.0.113.7) or a range (203.0.113.0/24)")
        .field_path(".allowedAddresses"),
    validation = Rule::new("!has(self.allowedAddresses) || self.allowedAddresses.all(a, !isCIDR(a) || cidr(a).prefixLength() > 0)")
        .message("a range of length /0 admits the whole Internet: list the carrier's addresses, or use `authSecretRef`")
        .field_path(".allowedAddresses")
)]
pub struct SipConnection {
    /// Addresses or CIDR ranges that calls may come from. Omitted: any address, if `authSecretRef` is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_addresses: Vec<String>,
    /// Secret of type `voxplane.dev/credentials` in the agency's namespace with the keys `username` and `password` that
    /// the carrier must present. Omitted: the source address alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<LocalSecretRef>,
    /// Seconds a call may ring before it is given up. Omitted: 20.
    #[serde(default = "default::ringing_timeout_seconds")]
    #[schemars(range(min = 5, max = 20))]
    pub ringing_timeout_seconds: i32,
}

/// Grants numbers to tenants.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberGrant {
    /// A number in E.164 form (`+15550100`), or the beginning of one followed by `*` (`+1555*`).
    #[schemars(length(min = 3, max = 16), pattern(E164_OR_PREFIX))]
    pub pattern: String,
    /// Names of the tenants that may claim the number. Omitted or empty: every tenant of the agency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 30), pattern(OBJECT_NAME)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tenants: Vec<String>,
}

impl NumberGrant {
    /// Whether the pattern covers `number` (E.164), whoever asks.
    #[must_use]
    pub fn covers(&self, number: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(prefix) => number.starts_with(prefix),
            None => self.pattern == number,
        }
    }

    /// Whether `tenant` may claim `number` (E.164) by this entry.
    #[must_use]
    pub fn grants(&self, number: &str, tenant: &str) -> bool {
        self.covers(number) && (self.tenants.is_empty() || self.tenants.iter().any(|name| name == tenant))
    }
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
    /// What is wrong with this connection. Omitted: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

defaults! {
    max_tenants: i32 = 100;
    concurrent_calls: i32 = 100;
    ringing_timeout_seconds: i32 = 20;
}
default_from_schema!(AgencySpec, AgencyQuotas, SipConnection);
