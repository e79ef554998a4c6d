//! A small world for tests: real reflector stores, filled by hand.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::fmt::Debug;
use std::hash::Hash;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::runtime::reflector::Lookup;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

use crate::cluster::{Directory, DirectoryWriters};

pub const ACME: Uuid = Uuid::from_u128(0xa0);
pub const DENTAL: Uuid = Uuid::from_u128(0xb0);
pub const RECEPTION: Uuid = Uuid::from_u128(0xc0);
pub const FAQ: Uuid = Uuid::from_u128(0xd0);
pub const OTHER: Uuid = Uuid::from_u128(0xa1);
pub const LAW: Uuid = Uuid::from_u128(0xb1);
pub const CLERK: Uuid = Uuid::from_u128(0xc1);
pub const NUMBER: Uuid = Uuid::from_u128(0xe0);

/// Directory and the ends that fill it; the writers must live as long as the directory is read.
pub struct Fixture {
    pub directory: Directory,
    writers: DirectoryWriters,
}

impl Fixture {
    /// Agency `acme` with tenant `dental` (agent `reception`, number +15550100, knowledge base `faq`), and agency
    /// `other` with tenant `law` (agent `clerk`).
    pub fn new() -> Self {
        let (directory, writers) = DirectoryWriters::empty();
        let mut fixture = Self { directory, writers };
        fixture.ready();
        fixture.agency("acme", ACME, json!({"quotas": {"concurrentCalls": 50}}));
        fixture.agency("other", OTHER, json!({}));
        fixture.tenant(
            "acme",
            "dental",
            DENTAL,
            json!({"timezone": "Europe/Berlin", "quotas": {"concurrentCalls": {"guaranteed": 2, "max": 5}}}),
        );
        fixture.tenant("other", "law", LAW, json!({}));
        fixture.agent(
            "vx-acme--dental",
            "reception",
            RECEPTION,
            json!({"knowledgeBases": [{"name": "faq"}, {"name": "missing"}], "greeting": {"text": "Hello"}}),
        );
        fixture.agent("vx-other--law", "clerk", CLERK, json!({}));
        fixture.base("vx-acme--dental", "faq", FAQ, json!({"retrieval": {"topK": 4}}));
        fixture.number(
            "vx-acme--dental",
            "main",
            NUMBER,
            json!({"number": "+15550100", "carrier": "sip", "agentRef": {"name": "reception"}}),
            Some("ST_acme"),
        );
        fixture
    }

    fn ready(&mut self) {
        init(&mut self.writers.agencies);
        init(&mut self.writers.tenants);
        init(&mut self.writers.agents);
        init(&mut self.writers.numbers);
        init(&mut self.writers.bases);
    }

    pub fn agency(&mut self, name: &str, id: Uuid, spec: Value) {
        put::<Agency>(&mut self.writers.agencies, "Agency", None, name, spec, accepted(id));
    }

    pub fn tenant(&mut self, agency: &str, name: &str, id: Uuid, spec: Value) {
        let home = format!("vx-{agency}");
        put::<Tenant>(&mut self.writers.tenants, "Tenant", Some(&home), name, spec, accepted(id));
    }

    pub fn agent(&mut self, namespace: &str, name: &str, id: Uuid, spec: Value) {
        put::<VoiceAgent>(&mut self.writers.agents, "VoiceAgent", Some(namespace), name, spec, accepted(id));
    }

    /// An agent whose operator says where its calls go.
    pub fn agent_on(&mut self, pool: &str, namespace: &str, name: &str, id: Uuid, spec: Value) {
        let mut status = accepted(id);
        status["pool"] = json!(pool);
        put::<VoiceAgent>(&mut self.writers.agents, "VoiceAgent", Some(namespace), name, spec, status);
    }

    /// An agent whose operator says that it is not ready.
    pub fn agent_unready(&mut self, namespace: &str, name: &str, id: Uuid) {
        self.agent_refused(namespace, name, id, "0 of 1");
    }

    /// An agent whose operator says why it is not ready.
    pub fn agent_refused(&mut self, namespace: &str, name: &str, id: Uuid, message: &str) {
        let mut status = accepted(id);
        let unready = json!({"type": "Ready", "status": "False", "reason": "WaitingForPods", "message": message,
                             "lastTransitionTime": "2026-01-01T00:00:00Z"});
        status["conditions"].as_array_mut().unwrap().push(unready);
        put::<VoiceAgent>(&mut self.writers.agents, "VoiceAgent", Some(namespace), name, json!({}), status);
    }

    pub fn base(&mut self, namespace: &str, name: &str, id: Uuid, spec: Value) {
        put::<KnowledgeBase>(&mut self.writers.bases, "KnowledgeBase", Some(namespace), name, spec, accepted(id));
    }

    pub fn number(&mut self, namespace: &str, name: &str, id: Uuid, spec: Value, trunk: Option<&str>) {
        let mut status = accepted(id);
        status["trunkId"] = json!(trunk);
        put::<PhoneNumber>(&mut self.writers.numbers, "PhoneNumber", Some(namespace), name, spec, status);
    }

    pub fn number_unaccepted(&mut self, namespace: &str, name: &str, spec: Value) {
        put::<PhoneNumber>(&mut self.writers.numbers, "PhoneNumber", Some(namespace), name, spec, json!({}));
    }
}

fn accepted(id: Uuid) -> Value {
    json!({"id": id, "conditions": [{
        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"
    }]})
}

fn init<K>(writer: &mut Writer<K>)
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone,
{
    writer.apply_watcher_event(&Event::Init);
    writer.apply_watcher_event(&Event::InitDone);
}

fn put<K>(writer: &mut Writer<K>, kind: &str, namespace: Option<&str>, name: &str, spec: Value, status: Value)
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + DeserializeOwned + Debug + 'static,
{
    let mut object: K = serde_json::from_value(json!({
        "apiVersion": "voxplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": Uuid::from_u128(1), "resourceVersion": "1"},
        "spec": spec,
        "status": status,
    }))
    .unwrap();
    object.meta_mut().creation_timestamp = Some(Time("2026-01-01T00:00:00Z".parse().unwrap()));
    writer.apply_watcher_event(&Event::Apply(object));
}
