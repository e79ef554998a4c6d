//! Objects for tests, as the API server would hand them out: defaults filled in, metadata set.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;
use voxplane_crds::conditions::{self, Desired, reasons, types};
use voxplane_crds::status::CommonStatus;
use voxplane_crds::{Agency, AgencyStatus, PhoneNumber, Tenant, TenantStatus, VoiceAgent, names};

use crate::home::Home;
use crate::watch::Guarded;

/// The time of every test.
pub fn now() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

/// An object from YAML, with a uid and a time of creation.
pub fn object<K>(yaml: &str) -> K
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let mut value: serde_json::Value = serde_yaml_ng::from_str(yaml).unwrap();
    value["apiVersion"] = json!(K::api_version(&()));
    value["kind"] = json!(K::kind(&()));
    let mut object: K = serde_json::from_value(value).unwrap();
    let name = object.name_any();
    let meta = object.meta_mut();
    meta.uid.get_or_insert(format!("uid-of-{name}"));
    meta.generation.get_or_insert(1);
    meta.creation_timestamp.get_or_insert(Time(now()));
    object
}

/// `Accepted=True`, and an id.
pub fn accepted<S: CommonStatus>(id: u128, desired: Vec<Desired>) -> S {
    let mut status = S::default();
    status.set_id(Uuid::from_u128(id).to_string());
    let all = std::iter::once(Desired::yes(types::ACCEPTED, reasons::ACCEPTED)).chain(desired);
    conditions::set_all(status.conditions_mut(), all, Some(1), now());
    status
}

/// An accepted agency with one carrier connection `main` that grants `+1555*` to everybody.
pub fn agency(name: &str) -> Agency {
    let mut agency: Agency = object(&format!(
        "metadata: {{ name: '{name}' }}
spec:
  carriers:
    - name: main
      type: sip
      sip: {{ allowedAddresses: [203.0.113.0/24] }}
      numbers: [{{ pattern: '+1555*' }}]
"
    ));
    agency.status = Some(AgencyStatus { namespace: Some(names::agency_namespace(name)), ..accepted(0xa, vec![]) });
    agency
}

/// An accepted tenant.
pub fn tenant(agency: &str, name: &str) -> Tenant {
    let namespace = names::agency_namespace(agency);
    let mut tenant: Tenant =
        object(&format!("{{metadata: {{ name: '{name}', namespace: '{namespace}' }}, spec: {{}}}}"));
    let own = names::tenant_namespace(agency, name);
    tenant.status = Some(TenantStatus { namespace: Some(own), ..accepted(0xb, vec![]) });
    tenant
}

/// A tenant and its agency.
pub fn home(agency_name: &str, tenant_name: &str) -> Home {
    Home {
        agency: agency(agency_name),
        agency_id: Uuid::from_u128(0xa).into(),
        tenant: tenant(agency_name, tenant_name),
        tenant_id: Uuid::from_u128(0xb).into(),
    }
}

/// A voice agent with the given spec (flow YAML).
pub fn agent(namespace: &str, name: &str, spec: &str) -> VoiceAgent {
    object(&format!("{{metadata: {{ name: '{name}', namespace: '{namespace}' }}, spec: {spec}}}"))
}

/// A phone number on connection `main`.
pub fn number(namespace: &str, name: &str, number: &str) -> PhoneNumber {
    object(&format!(
        "{{metadata: {{ name: '{name}', namespace: '{namespace}' }}, \
         spec: {{ number: '{number}', carrier: main, agentRef: {{ name: receptionist }} }}}}"
    ))
}

/// As the watches hold it.
pub fn guarded<K>(object: K) -> Arc<Guarded<K>> {
    Arc::new(DeserializeGuard(Ok(object)))
}

/// Status and reason of a condition.
pub fn condition(status: &impl CommonStatus, type_: &str) -> (String, String) {
    let found = conditions::find(status.conditions(), type_).unwrap();
    (found.status.clone(), found.reason.clone())
}
