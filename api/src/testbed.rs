//! The API's own parts put together over a real Postgres, with a runtime pod that speaks the real protocol over TLS.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Status, Streaming};
use voxplane_control::v1::control_client::ControlClient;
use voxplane_control::v1::{
    ApiMessage, CallAccepted, CallFinished, CallFinishedAck, Event, EventBatch, Hello, LiveCall, RuntimeHeartbeat,
    RuntimeMessage, StartCall, Welcome, api_message, hello, runtime_message,
};
use voxplane_control::version;
use voxplane_platform::redact::Redacted;
use voxplane_store::calls::{self, Call, Direction, NewCall, Placement};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{CallId, Db, Scope};

use crate::auth::{SessionIdentity, Tokens};
use crate::control::{
    ControlCertificate, ControlParts, ControlService, Knowledge, KubeClient, Pod, Registry, deliver, serve,
};
use crate::fixture::Fixture;
use crate::lifecycle::Lifecycle;
use crate::livekit::{LiveKitAccount, Rooms};
use crate::metrics::Metrics;
use crate::placement::{LEASE, Placer, PlacerParts};

pub const NAMESPACE: &str = "vx-north--bakery";
pub const POOL: &str = "vx-north--bakery/voxplane-runtime";
pub const NUMBER: &str = "+15550301";
/// The agency's trunk in LiveKit.
pub const TRUNK: &str = "ST_north";

/// A LiveKit that does not answer.
pub fn no_livekit() -> LiveKitAccount {
    let secret = SecretString::from("a secret that is long enough for HS256");
    LiveKitAccount::new("http://127.0.0.1:1", None, "key".into(), secret).unwrap()
}

pub struct Testbed {
    pub test: Arc<TestDb>,
    pub db: Db,
    pub fixture: Fixture,
    pub tenant: TestTenant,
    pub registry: Arc<Registry>,
    pub lifecycle: Arc<Lifecycle>,
    pub rooms: Arc<Rooms>,
    pub placer: Arc<Placer>,
    pub metrics: Metrics,
    pub tokens: Arc<Tokens>,
    pub stop: CancellationToken,
    address: std::net::SocketAddr,
    ca: String,
}

impl Drop for Testbed {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Testbed {
    /// Agency `north`, tenant `bakery` with an agent `agent` behind [`NUMBER`], and everything that serves it.
    pub async fn start(account: LiveKitAccount) -> Self {
        voxplane_platform::tls::install_crypto_provider();
        let test = Arc::new(TestDb::create().await);
        let db = test.connect().await.unwrap();
        let tenant = test.tenant(&db, "north", "bakery").await.unwrap();
        Self::replica("api-0", account, test, db, tenant).await
    }

    /// Another replica over the same database, with pods, reflectors and connections of its own.
    pub async fn beside(&self, name: &str, account: LiveKitAccount) -> Self {
        let db = self.test.connect().await.unwrap();
        Self::replica(name, account, Arc::clone(&self.test), db, self.tenant).await
    }

    async fn replica(name: &str, account: LiveKitAccount, test: Arc<TestDb>, db: Db, tenant: TestTenant) -> Self {
        let fixture = resources(&tenant);
        let (metrics, registry) = (Metrics::default(), Arc::new(Registry::default()));
        let rooms = Arc::new(Rooms::new(&account));
        let lifecycle = Arc::new(Lifecycle::new(db.clone(), Arc::clone(&rooms), metrics.clone()));
        let tokens = crate::rest::test_tokens();
        let parts = Arc::new(ControlParts {
            db: db.clone(),
            kube: KubeClient(crate::rest::test_no_cluster()),
            tokens: Arc::clone(&tokens),
            directory: fixture.directory.clone(),
            registry: Arc::clone(&registry),
            lifecycle: Arc::clone(&lifecycle),
            knowledge: Knowledge::new(KubeClient(crate::rest::test_no_cluster())),
            metrics: metrics.clone(),
            replica: name.into(),
        });
        let placer = Placer::new(PlacerParts {
            db: db.clone(),
            rooms: Arc::clone(&rooms),
            account,
            directory: fixture.directory.clone(),
            registry: Arc::clone(&registry),
            lifecycle: Arc::clone(&lifecycle),
            metrics: metrics.clone(),
            replica: name.into(),
        });
        let stop = CancellationToken::new();
        let (address, ca) = listen(&parts, &stop).await;
        tokio::spawn(deliver(parts, stop.clone()));
        tokio::spawn(Arc::clone(&placer).take_handovers(stop.clone()));
        Self { test, db, fixture, tenant, registry, lifecycle, rooms, placer, metrics, tokens, stop, address, ca }
    }

    pub fn scope(&self) -> Scope {
        Scope::tenant(self.tenant.agency, self.tenant.tenant)
    }

    pub fn identity(&self, pod: &str) -> SessionIdentity {
        SessionIdentity { pod_uid: format!("uid-{pod}"), pod_name: pod.into(), pool: POOL.into() }
    }

    pub fn credential(&self, identity: &SessionIdentity) -> String {
        self.tokens.issue_session(identity, Timestamp::now() + Duration::from_secs(600)).unwrap()
    }

    pub fn hello(&self, pod: &str) -> Hello {
        Hello {
            credential: Some(hello::Credential::SessionCredential(self.credential(&self.identity(pod)))),
            min_version: version::MIN,
            max_version: version::MAX,
            capabilities: ["stt/pocketsphinx", "llm/extractive", "tts/flite"].map(str::to_owned).into(),
            runtime_version: "test".into(),
            slots: 2,
            credentials_hash: String::new(),
            live_calls: Vec::new(),
            draining: false,
        }
    }

    pub async fn client(&self) -> ControlClient<Channel> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.ca))
            .domain_name("voxplane-api.voxplane-system.svc");
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).unwrap().tls_config(tls).unwrap();
        ControlClient::new(endpoint.connect().await.unwrap())
    }

    /// Connects a pod that has sent `hello`.
    pub async fn dial(&self, hello: Hello) -> Result<TestPod, Status> {
        let (outgoing, messages) = mpsc::channel(64);
        let first = RuntimeMessage { body: Some(runtime_message::Body::Hello(hello)) };
        outgoing.send(first).await.unwrap();
        let mut client = self.client().await;
        let incoming = client.session(ReceiverStream::new(messages)).await?.into_inner();
        let mut pod = TestPod { outgoing, incoming, welcome: Welcome::default(), beating: None };
        let first = pod.next().await.expect("a welcome");
        let api_message::Body::Welcome(welcome) = first else { panic!("{first:?} before Welcome") };
        pod.welcome = welcome;
        pod.beat();
        Ok(pod)
    }

    pub async fn pod(&self, name: &str) -> TestPod {
        self.dial(self.hello(name)).await.unwrap()
    }

    /// The server's side of a connected pod.
    pub fn connected(&self, pod: &TestPod) -> Arc<Pod> {
        self.registry.get(pod.welcome.session_id.parse().unwrap()).unwrap()
    }

    /// A call given to a pod without LiveKit's part.
    pub async fn placed_call(&self, pod: &TestPod, room: &str) -> CallId {
        let id = CallId::new();
        let mut tx = self.db.begin(&self.scope()).await.unwrap();
        let call = NewCall {
            id,
            agency: self.tenant.agency,
            tenant: self.tenant.tenant,
            agent: self.tenant.agent,
            number: Redacted::new(NUMBER.to_owned()),
            caller: None,
            room: room.to_owned(),
            sip_call_id: None,
            direction: Direction::Inbound,
        };
        calls::create(&mut tx, call).await.unwrap();
        let owner = self.connected(pod).info.owner();
        calls::place(&mut tx, id, &Placement { owner, epoch: 1, lease: LEASE }).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn call(&self, id: CallId) -> Call {
        let mut tx = self.db.begin(&self.scope()).await.unwrap();
        calls::get(&mut tx, id).await.unwrap()
    }

    pub async fn events(&self, id: CallId) -> Vec<String> {
        let mut tx = self.db.begin(&self.scope()).await.unwrap();
        let events = voxplane_store::events::list(&mut tx, id, None, 1000).await.unwrap();
        events.into_iter().map(|event| event.r#type).collect()
    }
}

fn resources(tenant: &TestTenant) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.agency("north", tenant.agency.0, json!({}));
    let quota = json!({"quotas": {"concurrentCalls": {"max": 2}}, "suspendedMessage": "We are closed."});
    fixture.tenant("north", "bakery", tenant.tenant.0, quota);
    let agent = json!({"greeting": {"text": "Hello"}, "knowledgeBases": [{"name": "knowledge"}]});
    fixture.agent(NAMESPACE, "agent", tenant.agent.0, agent);
    fixture.base(NAMESPACE, "knowledge", tenant.knowledge_base.0, json!({}));
    let spec = json!({"number": NUMBER, "carrier": "sip", "agentRef": {"name": "agent"}});
    fixture.number(NAMESPACE, "main", uuid::Uuid::now_v7(), spec, Some(TRUNK));
    fixture
}

async fn listen(parts: &Arc<ControlParts>, stop: &CancellationToken) -> (std::net::SocketAddr, String) {
    let names = vec!["voxplane-api.voxplane-system.svc".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let tls = ControlCertificate::load(dir.path()).unwrap().server_config().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = ControlService::new(Arc::clone(parts), stop.clone(), TaskTracker::new());
    tokio::spawn(serve(listener, tls, service, stop.clone()));
    (address, made.cert.pem())
}

/// A runtime pod, as far as the API can tell.
pub struct TestPod {
    pub outgoing: mpsc::Sender<RuntimeMessage>,
    pub incoming: Streaming<ApiMessage>,
    pub welcome: Welcome,
    beating: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for TestPod {
    fn drop(&mut self) {
        self.stop_beating();
    }
}

impl TestPod {
    /// Sends heartbeats from now on.
    fn beat(&mut self) {
        let outgoing = self.outgoing.clone();
        self.beating = Some(tokio::spawn(async move {
            let beat = RuntimeHeartbeat::default();
            let message = RuntimeMessage { body: Some(runtime_message::Body::Heartbeat(beat)) };
            while outgoing.send(message.clone()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }));
    }

    pub fn stop_beating(&mut self) {
        if let Some(beating) = self.beating.take() {
            beating.abort();
        }
    }

    pub async fn send(&self, body: runtime_message::Body) {
        self.outgoing.send(RuntimeMessage { body: Some(body) }).await.unwrap();
    }

    /// The next message that is no heartbeat; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<api_message::Body> {
        let wait = async {
            loop {
                match self.incoming.message().await {
                    Ok(Some(ApiMessage { body: Some(api_message::Body::Heartbeat(_)) })) => {}
                    Ok(Some(message)) => return message.body,
                    Ok(None) | Err(_) => return None,
                }
            }
        };
        timeout(Duration::from_secs(10), wait).await.expect("a message within 10 s")
    }

    pub async fn start_call(&mut self) -> StartCall {
        match self.next().await {
            Some(api_message::Body::StartCall(start)) => start,
            other => panic!("expected StartCall, got {other:?}"),
        }
    }

    pub async fn accept(&self, start: &StartCall) {
        let accepted = CallAccepted { call_id: start.call_id.clone(), epoch: start.epoch };
        self.send(runtime_message::Body::CallAccepted(accepted)).await;
    }

    pub async fn report(&self, call: CallId, epoch: u32, first: u64, types: &[&str]) {
        let events = types
            .iter()
            .zip(first..)
            .map(|(name, seq)| Event {
                call_id: call.to_string(),
                epoch,
                seq,
                at_unix_us: Timestamp::now().as_microsecond(),
                r#type: (*name).to_owned(),
                payload_json: r#"{"text":"hello"}"#.to_owned(),
                ..Event::default()
            })
            .collect();
        self.send(runtime_message::Body::Events(EventBatch { events })).await;
    }

    /// The acknowledged number of the next acknowledgement.
    pub async fn acked(&mut self) -> u64 {
        match self.next().await {
            Some(api_message::Body::EventAck(ack)) => ack.seq,
            other => panic!("expected EventAck, got {other:?}"),
        }
    }

    /// Says that a call is over, and waits until the API has dealt with it.
    pub async fn finish(&mut self, call: CallId, epoch: u32, reason: &str) {
        let finished = CallFinished { call_id: call.to_string(), epoch, reason: reason.into(), last_seq: 0 };
        self.send(runtime_message::Body::CallFinished(finished)).await;
        let ack = CallFinishedAck { call_id: call.to_string(), epoch };
        assert_eq!(self.next().await, Some(api_message::Body::CallFinishedAck(ack)));
    }
}

/// A live call, as a pod names it.
pub fn live(call: CallId, epoch: u32) -> LiveCall {
    LiveCall { call_id: call.to_string(), epoch }
}

/// Waits until `check` holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
