//! Agencies, what they have, and everything that must be looked at when they are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use uuid::Uuid;
use voxplane_carriers::{Simulator, stock};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, labels, names};
use voxplane_operator::livekit::LiveKit;
use voxplane_operator::livekit::desired::Holder;
use voxplane_operator::metrics::Metrics;
use voxplane_platform::redact::Redacted;
use voxplane_store::calls::{self, CallStatus, Direction, NewCall};
use voxplane_store::resources::{self, ResourceKind};
use voxplane_store::testing::TestDb;
use voxplane_store::{AgencyId, AgentId, CallId, Db, DbOptions, Scope};

use super::cluster::WORLD;
use super::livekit::account;
use super::process::Operator;

/// What the worlds of one test share.
pub struct Place {
    pub client: Client,
    pub db: Db,
    livekit: LiveKit,
    url: String,
    /// Random, and part of every name: tests may share the servers.
    tag: String,
    worlds: AtomicU32,
    _test: TestDb,
}

impl Place {
    pub async fn new() -> Arc<Self> {
        voxplane_platform::tls::install_crypto_provider();
        let client = Client::try_default().await.expect("KUBECONFIG must name a cluster used for tests only");
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in voxplane_crds::all_crds() {
            let name = crd.name_any();
            crds.patch(&name, &PatchParams::apply("voxplane-test").force(), &Patch::Apply(&crd)).await.unwrap();
            await_condition(crds.clone(), &name, is_crd_established()).await.unwrap();
        }
        let test = TestDb::create().await;
        // Many worlds ask at the same time.
        let patient = DbOptions { acquire_timeout: Duration::from_secs(60), ..DbOptions::default() };
        let db = test.connect_with(patient).await.unwrap();
        let livekit = LiveKit::new(&account(), Metrics::register(&mut Registry::default()));
        let tag = Uuid::new_v4().simple().to_string()[..6].to_owned();
        Arc::new(Self { client, db, livekit, url: test.app_url(), tag, worlds: AtomicU32::new(0), _test: test })
    }

    /// The next world, empty. Its carrier has numbers that no other world's has: LiveKit knows them all.
    pub async fn world(self: &Arc<Self>) -> World {
        let name = format!("{}{}", self.tag, self.worlds.fetch_add(1, Ordering::SeqCst));
        let area = rand::random_range(1000..9999);
        let mut numbers = stock::default();
        numbers.retain(|number| number.area_code == "404");
        for (line, number) in numbers.iter_mut().enumerate() {
            number.number = format!("+1404{area}{line:03}");
        }
        let simulator = Simulator::twilio().stock(numbers).start().await.unwrap();
        let operator = Operator { world: name.clone(), database_url: self.url.clone() };
        World { place: Arc::clone(self), operator, simulator, name, area }
    }
}

/// A resource of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: ResourceKind,
    /// Empty for an Agency.
    pub namespace: String,
    pub name: String,
}

impl Object {
    pub fn new(kind: ResourceKind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn resource(&self) -> ApiResource {
        match self.kind {
            ResourceKind::Agency => ApiResource::erase::<Agency>(&()),
            ResourceKind::Tenant => ApiResource::erase::<Tenant>(&()),
            ResourceKind::VoiceAgent => ApiResource::erase::<VoiceAgent>(&()),
            ResourceKind::PhoneNumber => ApiResource::erase::<PhoneNumber>(&()),
            ResourceKind::KnowledgeBase => ApiResource::erase::<KnowledgeBase>(&()),
        }
    }

    /// The effect that changes its finalizers: when it is deleted, that is the end of its clean-up.
    pub fn let_go(&self) -> String {
        let plural = self.resource().plural;
        match self.namespace.as_str() {
            "" => format!("PATCH /apis/voxplane.dev/v1alpha1/{plural}/{}", self.name),
            namespace => format!("PATCH /apis/voxplane.dev/v1alpha1/namespaces/{namespace}/{plural}/{}", self.name),
        }
    }
}

/// Agencies with one operator.
pub struct World {
    place: Arc<Place>,
    pub operator: Operator,
    pub simulator: Simulator,
    name: String,
    area: u32,
}

impl World {
    /// A name that is this world's own.
    pub fn own(&self, name: &str) -> String {
        format!("{name}-{}", self.name)
    }

    /// A number of no carrier.
    pub fn number(&self, line: u32) -> String {
        format!("+1555{}{line:03}", self.area)
    }

    fn api(&self, object: &Object) -> Api<DynamicObject> {
        match object.namespace.as_str() {
            "" => Api::all_with(self.place.client.clone(), &object.resource()),
            namespace => Api::namespaced_with(self.place.client.clone(), namespace, &object.resource()),
        }
    }

    pub async fn create(&self, object: &Object, spec: Value) -> DynamicObject {
        let mut made = DynamicObject::new(&object.name, &object.resource()).data(json!({ "spec": spec }));
        made.metadata.labels = Some([(WORLD.to_owned(), self.name.clone())].into());
        loop {
            match self.api(object).create(&PostParams::default(), &made).await {
                // Kinds that were installed a moment ago are not counted by the cluster's quotas yet, which refuse them.
                Err(kube::Error::Api(status)) if status.is_forbidden() => self.lift_quotas(&object.namespace).await,
                other => return other.unwrap(),
            }
        }
    }

    async fn lift_quotas(&self, namespace: &str) {
        let quotas = Api::<ResourceQuota>::namespaced(self.place.client.clone(), namespace);
        quotas.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub async fn has_deployment(&self, namespace: &str, name: &str) -> bool {
        let api = Api::<Deployment>::namespaced(self.place.client.clone(), namespace);
        api.get_metadata_opt(name).await.unwrap().is_some()
    }

    pub async fn find(&self, object: &Object) -> Option<DynamicObject> {
        self.api(object).get_opt(&object.name).await.unwrap()
    }

    pub async fn is_gone(&self, object: &Object) -> bool {
        self.find(object).await.is_none()
    }

    pub async fn delete(&self, object: &Object) {
        self.api(object).delete(&object.name, &DeleteParams::default()).await.unwrap();
    }

    /// What its condition says, as `status reason: message`.
    pub async fn condition(&self, object: &Object, type_: &str) -> String {
        let found = self.find(object).await;
        let conditions = found.and_then(|found| found.data["status"]["conditions"].as_array().cloned());
        let condition = conditions.into_iter().flatten().find(|condition| condition["type"] == type_);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        condition.map_or_else(String::new, |condition| {
            format!("{} {}: {}", text(&condition["status"]), text(&condition["reason"]), text(&condition["message"]))
        })
    }

    pub async fn has_namespace(&self, name: &str) -> bool {
        Api::<Namespace>::all(self.place.client.clone()).get_opt(name).await.unwrap().is_some()
    }

    /// Its id, and whether it is noted as deleted.
    pub async fn record(&self, object: &Object) -> Option<(Uuid, bool)> {
        let mut tx = self.place.db.begin(&Scope::platform()).await.unwrap();
        let found = resources::find(&mut tx, object.kind, &object.namespace, &object.name).await.unwrap();
        found.map(|found| (found.id, found.deleted_at.is_some()))
    }

    /// The numbers on the trunks of an agency, and how many rules it has.
    pub async fn trunks(&self, agency: Uuid) -> (Vec<String>, usize) {
        let found = self.place.livekit.look().await.unwrap();
        let prefix = Holder { agency_id: agency, agency: String::new() }.prefix();
        let trunks = found.trunks.into_iter().filter(|trunk| trunk.name.starts_with(&prefix));
        let mut numbers: Vec<_> = trunks.flat_map(|trunk| trunk.numbers).collect();
        numbers.sort();
        (numbers, found.rules.iter().filter(|rule| rule.name.starts_with(&prefix)).count())
    }

    /// An agency with a carrier of type `sip` and an account, as far as somebody else than the operator makes it.
    pub async fn agency(&self, name: &str) -> (Object, AgencyId) {
        let object = Object::new(ResourceKind::Agency, "", name);
        let account = self.simulator.secret();
        let spec = json!({ "carriers": [
            { "name": "main", "type": "sip", "sip": { "allowedAddresses": ["192.0.2.10"] }, "numbers": [{ "pattern": "+1555*" }] },
            {
                "name": "account", "type": "twilio", "numbers": [{ "pattern": "+1404*" }],
                "twilio": {
                    "secretRef": { "name": "account" }, "accountSid": account["account-sid"],
                    "trunkSid": self.simulator.connection(), "purchases": { "enabled": true },
                },
            },
        ] });
        let id = AgencyId(self.registered(&object, spec, None).await);
        let namespace = names::agency_namespace(name);
        self.namespace(&namespace, labels::for_agency(name, &id.to_string())).await;
        let secret: Secret = serde_json::from_value(json!({
            "metadata": { "name": "account", "labels": { labels::PROVIDER: "twilio" } },
            "type": labels::CREDENTIALS_SECRET_TYPE, "stringData": account,
        }))
        .unwrap();
        let secrets = Api::<Secret>::namespaced(self.place.client.clone(), &namespace);
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        (object, id)
    }

    /// A tenant, likewise; also its namespace.
    pub async fn tenant(&self, agency: &(Object, AgencyId), name: &str) -> (Object, String) {
        let object = Object::new(ResourceKind::Tenant, &names::agency_namespace(&agency.0.name), name);
        let id = self.registered(&object, json!({}), Some(agency.1)).await;
        let namespace = names::tenant_namespace(&agency.0.name, name);
        self.namespace(&namespace, labels::for_tenant(&agency.0.name, name, &id.to_string())).await;
        (object, namespace)
    }

    /// Makes an object and gives it its id, so that its namespace can be made before a quota of the cluster refuses what
    /// it has not learned to count yet.
    async fn registered(&self, object: &Object, spec: Value, agency: Option<AgencyId>) -> Uuid {
        let made = self.create(object, spec).await;
        let mut tx = self.place.db.begin(&Scope::platform()).await.unwrap();
        let (namespace, name, uid) = (&object.namespace, &object.name, made.uid().unwrap());
        let id = resources::register(&mut tx, object.kind, namespace, name, &uid, agency, None).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn namespace(&self, name: &str, own: std::collections::BTreeMap<String, String>) {
        let mut namespace = Namespace::default();
        (namespace.metadata.name, namespace.metadata.labels) = (Some(name.to_owned()), Some(own));
        Api::all(self.place.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// Begins a call of an agent.
    pub async fn call(&self, agent: &Object) -> Call {
        let mut tx = self.place.db.begin(&Scope::platform()).await.unwrap();
        let found = resources::find(&mut tx, agent.kind, &agent.namespace, &agent.name).await.unwrap().unwrap();
        tx.rollback().await.unwrap();
        let (id, agency, tenant) = (CallId::new(), found.agency, found.tenant.unwrap());
        let new = NewCall {
            id,
            agency,
            tenant,
            agent: AgentId(found.id),
            number: Redacted::new(self.number(1)),
            caller: None,
            room: format!("vx-{id}"),
            sip_call_id: None,
            direction: Direction::Inbound,
        };
        let call = Call { id, scope: Scope::tenant(agency, tenant) };
        let mut tx = self.place.db.begin(&call.scope).await.unwrap();
        calls::create(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
        call
    }

    pub async fn end_call(&self, call: &Call) {
        let mut tx = self.place.db.begin(&call.scope).await.unwrap();
        assert!(calls::end(&mut tx, call.id, "goodbye", CallStatus::Completed, None).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// The end of a call of the past. History stays readable.
    pub async fn history(&self, call: &Call) -> CallStatus {
        let mut tx = self.place.db.begin(&call.scope).await.unwrap();
        let call = calls::get(&mut tx, call.id).await.unwrap();
        assert!(call.number.is_some(), "the call's key is gone");
        call.status
    }
}

/// Spec of an agent. Its pods find no node, so they are gone as soon as they are deleted.
pub fn agent(placement: &str) -> Value {
    json!({ "runtime": { "placement": placement, "nodeSelector": { "test.voxplane.dev/none": "true" } } })
}

/// They are gone from the cluster, and the database says so.
pub async fn assert_gone(world: &World, objects: impl IntoIterator<Item = &Object>) {
    for object in objects {
        assert!(world.is_gone(object).await, "{object:?} is there");
        let record = world.record(object).await;
        assert!(record.is_none_or(|(_, deleted)| deleted), "{object:?} is not noted as deleted");
    }
}

/// A call of an agent.
pub struct Call {
    id: CallId,
    scope: Scope,
}
