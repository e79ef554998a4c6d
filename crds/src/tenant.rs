//! `Tenant`: one client of an agency, with its own namespace, limits and legal texts.

mod business_hours;

pub use business_hours::{BusinessHours, Day, OpeningDay, SpecialDate, TimeRange};

use crate::{
    agent_defaults::AgentDefaults,
    defaults::{default_from_schema, defaults},
    members::Member,
    refs::Contact,
    schema::{EXTENDED_RESOURCE, HTTPS_URL, TIME_ZONE, UUID},
    status::common_status,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What a tenant should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "voxplane.dev",
    version = "v1alpha1",
    kind = "Tenant",
    shortname = "tn",
    category = "voxplane",
    namespaced,
    status = "TenantStatus",
    derive = "PartialEq",
    cel,
    doc = "A tenant is one client of an agency. It lives in the agency's namespace `vx-<agency>`; its agents, numbers \
           and knowledge live in the namespace `vx-<agency>--<tenant>`, which the operator makes.",
    validation = Rule::new("self.metadata.name.size() <= 30")
        .message("a tenant's name is at most 30 characters long, because namespaces are named after it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && !self.metadata.name.contains('--')")
        .message("a tenant's name consists of lower-case letters, digits and single dashes, and begins and ends with a letter or digit"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Home", type_ = "string", json_path = ".status.namespace"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspended", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct TenantSpec {
    /// Name shown to people. Omitted: the object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub display_name: String,
    /// What kind of business it is (`dental clinic`). Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub business_type: Option<String>,
    /// Its website (`https://…`). Omitted: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_048), pattern(HTTPS_URL))]
    pub website_url: Option<String>,
    /// IANA time zone of the business (`Europe/Berlin`); times spoken to callers and
    /// `businessHours` are in it. Omitted: UTC.
    #[serde(default = "default::timezone")]
    #[schemars(length(min = 1, max = 64), pattern(TIME_ZONE))]
    pub timezone: String,
    /// When it is open. What an agent does at other times is in its `closed`. Omitted: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_hours: Option<BusinessHours>,
    /// Whom to reach about this tenant. Omitted: nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// Who may work with the tenant's agents, numbers and knowledge in Kubernetes, beside the members of the agency.
    /// Omitted: the groups of `voxplane:<agency>:…` only. Changing it needs the right `set-limits` or `set-members`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into(), "namespace".into()]))]
    pub members: Vec<Member>,
    /// The tenant's share of the agency's limits. Changing it needs the right `set-limits`.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub quotas: TenantQuotas,
    /// What the law and the tenant's contracts ask for.
    #[serde(default)]
    #[schemars(default = "crate::defaults::object")]
    pub compliance: Compliance,
    /// Settings for all its agents, where the agent does not state them. A change applies to the next call. Omitted: none.
    #[serde(default, skip_serializing_if = "AgentDefaults::is_empty")]
    pub defaults: AgentDefaults,
    /// Refuses every call of this tenant. Resources and numbers are kept. Omitted: false. Changing it needs the right
    /// `set-limits`.
    #[serde(default)]
    pub suspended: bool,
    /// Spoken to callers while the tenant is suspended. Omitted: the call is refused without a word, as busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub suspended_message: Option<String>,
}

/// A tenant's share of its agency's limits.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantQuotas {
    /// Calls at one time.
    // The API server checks a default against the type's rules before it fills in the fields, so `{}` will not do.
    #[serde(default)]
    pub concurrent_calls: CallQuota,
    /// The most minutes of conversation of the tenant's calls in a calendar month (UTC). When they are used up, new
    /// calls are refused as busy; those under way go on. Omitted: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000_000))]
    pub monthly_minutes: Option<i32>,
    /// The most PhoneNumbers the tenant may have. Omitted: 10.
    #[serde(default = "default::phone_numbers")]
    #[schemars(range(min = 0, max = 10_000))]
    pub phone_numbers: i32,
    /// The most VoiceAgents the tenant may have. Omitted: 10.
    #[serde(default = "default::voice_agents")]
    #[schemars(range(min = 0, max = 1_000))]
    pub voice_agents: i32,
    /// Accelerators that the tenant's pods may use together, by the name of the resource. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["resourceName".into()]))]
    pub gpus: Vec<GpuQuota>,
}

/// Accelerators of one kind.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GpuQuota {
    /// Name of the resource that the device plugin of the nodes offers, for example `nvidia.com/gpu`.
    #[schemars(length(min = 3, max = 253), pattern(EXTENDED_RESOURCE))]
    pub resource_name: String,
    /// How many of them. Pods that only finish their calls count too. Omitted: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    pub count: i32,
}

impl TenantQuotas {
    /// How many accelerators of this name the tenant may use.
    #[must_use]
    pub fn gpus_of(&self, resource_name: &str) -> i32 {
        self.gpus.iter().filter(|gpu| gpu.resource_name == resource_name).map(|gpu| gpu.count).sum()
    }
}

/// Calls at one time.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.guaranteed <= self.max")
        .message("`guaranteed` is at most `max`: raise `max`, or lower `guaranteed`")
)]
pub struct CallQuota {
    /// Calls set aside for this tenant: other tenants of the agency cannot use them up. Omitted: 0.
    #[serde(default = "default::guaranteed")]
    #[schemars(range(min = 0, max = 100_000))]
    pub guaranteed: i32,
    /// The most calls this tenant may have at one time. Omitted: 10.
    #[serde(default = "default::max")]
    #[schemars(range(min = 0, max = 100_000))]
    pub max: i32,
}

/// What the law and the tenant's contracts ask for.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compliance {
    /// Tells the caller that a machine is speaking. Spoken first and in full, whatever the caller says. Omitted: one
    /// sentence in English. Empty: none is spoken; check that the law allows it.
    #[serde(default = "default::disclosure", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub disclosure: Option<String>,
    /// Asks for, or announces, what needs the caller's consent (recording, for example). Spoken in full after the
    /// disclosure. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub consent_message: Option<String>,
    /// Days until a call's transcript and events are erased. Omitted: 90.
    #[serde(default = "default::retention_days")]
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: i32,
}

/// What the operator observed of a tenant.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// Identifier of the tenant in the REST API, the database and external systems. Survives re-creation of the object.
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
    /// Namespace of the tenant's agents, numbers and knowledge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Name of the agency the tenant belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub agency: Option<String>,
}

common_status!(TenantStatus);

defaults! {
    timezone: String = "UTC";
    guaranteed: i32 = 0;
    max: i32 = 10;
    phone_numbers: i32 = 10;
    voice_agents: i32 = 10;
    disclosure: Option<String> = Some("You are talking to an automated assistant.".to_owned());
    retention_days: i32 = 90;
}
default_from_schema!(TenantSpec, TenantQuotas, CallQuota, Compliance);
