//! The client against an API that speaks the real protocol over a real socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::SystemTime;

use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use voxplane_control::v1::control_server::{Control, ControlServer};
use voxplane_control::v1::{
    ApiHeartbeat, ApiMessage, Durability, Event, EventAck, Hello, LeaseLost, Passage, RuntimeMessage,
    SearchKnowledgeRequest, SearchKnowledgeResponse, SessionCredential, Welcome, api_message, hello,
    runtime_message::Body,
};
use voxplane_platform::health::Health;

use super::*;
use crate::spool::NewEvent;

const SOON: Duration = Duration::from_secs(10);

/// One session as the API sees it.
struct Peer {
    hello: Hello,
    inbound: Streaming<RuntimeMessage>,
    outbound: mpsc::Sender<Result<ApiMessage, Status>>,
}

impl Peer {
    async fn send(&self, body: api_message::Body) {
        self.outbound.send(Ok(ApiMessage { body: Some(body) })).await.unwrap();
    }

    async fn welcome(&self, welcome: Welcome) {
        self.send(api_message::Body::Welcome(welcome)).await;
    }

    /// The next message that is no heartbeat.
    async fn next(&mut self) -> Body {
        self.find(|body| (!matches!(body, Body::Heartbeat(_))).then_some(body)).await
    }

    async fn find<T>(&mut self, mut wanted: impl FnMut(Body) -> Option<T>) -> T {
        let search = async {
            loop {
                let body = self.inbound.message().await.unwrap().expect("a message").body.unwrap();
                if let Some(found) = wanted(body) {
                    return found;
                }
            }
        };
        tokio::time::timeout(SOON, search).await.expect("the message in time")
    }
}

struct Api {
    sessions: mpsc::Sender<Peer>,
    /// Answers of the next sessions instead of a stream.
    refusals: Mutex<Vec<Status>>,
    searches: mpsc::Sender<(String, SearchKnowledgeRequest)>,
}

#[tonic::async_trait]
impl Control for Api {
    type SessionStream = Pin<Box<ReceiverStream<Result<ApiMessage, Status>>>>;

    async fn session(
        &self,
        request: Request<Streaming<RuntimeMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let mut inbound = request.into_inner();
        let Some(Body::Hello(hello)) = inbound.message().await?.and_then(|message| message.body) else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        let (outbound, stream) = mpsc::channel(16);
        let refusal = self.refusals.lock().unwrap().pop();
        self.sessions.send(Peer { hello, inbound, outbound }).await.unwrap();
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(Response::new(Box::pin(ReceiverStream::new(stream)))),
        }
    }

    async fn search_knowledge(
        &self,
        request: Request<SearchKnowledgeRequest>,
    ) -> Result<Response<SearchKnowledgeResponse>, Status> {
        let bearer = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        self.searches.send((bearer, request.into_inner())).await.unwrap();
        let passage = Passage { id: "p1".into(), text: "We open at nine.".into(), score: 0.5, ..Passage::default() };
        Ok(Response::new(SearchKnowledgeResponse { passages: vec![passage] }))
    }
}

/// Notes what the API's messages lead to.
#[derive(Default)]
struct Host {
    started: Mutex<Vec<StartCall>>,
    lost: Mutex<Vec<CallKey>>,
    live: Vec<LiveCall>,
}

impl CallHost for Host {
    fn start(&self, call: StartCall) {
        self.started.lock().unwrap().push(call);
    }

    fn command(&self, _: Command) {}

    fn lease_lost(&self, key: &CallKey) {
        self.lost.lock().unwrap().push(key.clone());
    }

    fn drain(&self, _: &str) {}

    fn live_calls(&self) -> Vec<LiveCall> {
        self.live.clone()
    }
}

/// A running client and the API it talks to.
struct World {
    sessions: mpsc::Receiver<Peer>,
    searches: mpsc::Receiver<(String, SearchKnowledgeRequest)>,
    api: Arc<Api>,
    spool: Arc<Spool>,
    host: Arc<Host>,
    health: Health,
    outgoing: Outgoing,
    knowledge: Knowledge,
    stop: CancellationToken,
    _files: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(None, Host::default()).await
    }

    async fn with(tls: Option<(String, ServerTlsConfig)>, host: Host) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("token"), "projected").unwrap();
        std::fs::write(files.path().join("_hash"), "h1\n").unwrap();
        let (session_sender, sessions) = mpsc::channel(16);
        let (search_sender, searches) = mpsc::channel(16);
        let api = Arc::new(Api { sessions: session_sender, refusals: Mutex::default(), searches: search_sender });
        let stop = CancellationToken::new();
        let (authority, server_tls) = tls.unzip();
        let address = serve(api.clone(), server_tls, stop.clone()).await;

        let ca = authority.map(|pem| {
            let path = files.path().join("ca.crt");
            std::fs::write(&path, pem).unwrap();
            path
        });
        let scheme = if ca.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", address.port());
        let config = ControlConfig { url, ca, token_file: files.path().join("token") };
        let identity = Identity { capabilities: vec!["tts/flite".into()], credentials_dir: files.path().to_owned() };
        let health = Health::new();
        let (ready, connected) = (health.check("control"), health.optional("control-connection"));
        let (spool, slots, host) = (Arc::new(Spool::open(None).unwrap()), Slots::new(3), Arc::new(host));
        let (client, outgoing, knowledge) =
            ControlClient::new(config, identity, slots, spool.clone(), ready, connected);
        tokio::spawn(client.run(host.clone(), stop.clone()));
        Self { sessions, searches, api, spool, host, health, outgoing, knowledge, stop, _files: files }
    }

    /// The next session, before it is welcomed.
    async fn session(&mut self) -> Peer {
        tokio::time::timeout(SOON, self.sessions.recv()).await.expect("a session in time").unwrap()
    }

    async fn welcomed(&mut self) -> Peer {
        let peer = self.session().await;
        peer.welcome(welcome()).await;
        peer
    }

    fn append(&self) {
        self.spool.append(
            &key(),
            NewEvent {
                at_unix_us: 1,
                call_us: 1,
                name: "caller.said",
                durability: Durability::Soon,
                payload_json: "{}".into(),
            },
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(api: Arc<Api>, tls: Option<ServerTlsConfig>, stop: CancellationToken) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls).unwrap();
    }
    let serving = server
        .add_service(ControlServer::from_arc(api))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.cancelled_owned());
    tokio::spawn(serving);
    address
}

fn key() -> CallKey {
    CallKey { call_id: "0197a1b2-0000-7000-8000-000000000001".into(), epoch: 1 }
}

fn welcome() -> Welcome {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let credential = SessionCredential { token: "issued".into(), expires_at_unix_ms: now as i64 + 3_600_000 };
    Welcome {
        version: 1,
        session_id: "s1".into(),
        credential: Some(credential),
        heartbeat_interval_ms: 300,
        lost_calls: Vec::new(),
    }
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn hello_says_who_and_what_the_pod_is_and_heartbeats_follow() {
    let live = vec![LiveCall { call_id: key().call_id, epoch: 1 }];
    let mut world = World::with(None, Host { live, ..Host::default() }).await;
    let mut peer = world.session().await;
    assert!(!world.health.is_ready());
    let hello = &peer.hello;
    assert_eq!(hello.credential, Some(hello::Credential::ServiceAccountToken("projected".into())));
    assert_eq!((hello.min_version, hello.max_version, hello.slots), (1, 1, 3));
    assert_eq!((hello.capabilities[0].as_str(), hello.credentials_hash.as_str()), ("tts/flite", "h1"));
    assert_eq!(hello.live_calls[0].call_id, key().call_id);
    peer.welcome(Welcome { lost_calls: vec![LiveCall { call_id: "c".into(), epoch: 2 }], ..welcome() }).await;
    let beat = peer.find(|body| if let Body::Heartbeat(beat) = body { Some(beat) } else { None }).await;
    assert_eq!((beat.busy_slots, beat.credentials_hash.as_str()), (0, "h1"));
    assert!(world.health.is_ready());
    assert_eq!(*world.host.lost.lock().unwrap(), [CallKey { call_id: "c".into(), epoch: 2 }]);
}

#[tokio::test]
async fn messages_reach_the_calls_and_answers_the_api() {
    let mut world = World::new().await;
    let mut peer = world.welcomed().await;
    peer.send(api_message::Body::StartCall(StartCall { call_id: "c".into(), ..StartCall::default() })).await;
    peer.send(api_message::Body::LeaseLost(LeaseLost { call_id: "d".into(), epoch: 4 })).await;
    until("the call", || world.host.started.lock().unwrap().len() == 1).await;
    until("the loss", || world.host.lost.lock().unwrap().len() == 1).await;
    let accepted = voxplane_control::v1::CallAccepted { call_id: "c".into(), epoch: 1 };
    world.outgoing.send(Body::CallAccepted(accepted.clone())).await.unwrap();
    assert_eq!(peer.next().await, Body::CallAccepted(accepted));
}

#[tokio::test]
async fn events_are_sent_until_acknowledged_also_over_a_new_connection() {
    let mut world = World::new().await;
    let mut peer = world.welcomed().await;
    world.append();
    world.append();
    let mut received = Vec::new();
    while received.len() < 2 {
        let Body::Events(batch) = peer.next().await else { panic!("events expected") };
        received.extend(seqs(&batch.events));
    }
    assert_eq!(received, [1, 2]);
    peer.send(api_message::Body::EventAck(EventAck { call_id: key().call_id, epoch: 1, seq: 1 })).await;
    assert!(world.spool.acknowledged(&key(), 1, SOON).await);

    drop(peer);
    world.append();
    world.spool.finish(&key(), "goodbye");
    let mut peer = world.welcomed().await;
    assert_eq!(peer.hello.credential, Some(hello::Credential::SessionCredential("issued".into())));
    let mut received = Vec::new();
    let finished = loop {
        match peer.next().await {
            Body::Events(batch) => received.extend(seqs(&batch.events)),
            Body::CallFinished(finished) => break finished,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(received, [2, 3], "what was not acknowledged comes again, then the rest");
    assert_eq!((finished.reason.as_str(), finished.last_seq), ("goodbye", 3));
    peer.send(api_message::Body::EventAck(EventAck { call_id: key().call_id, epoch: 1, seq: 3 })).await;
    assert!(world.spool.flushed(SOON).await);
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_time_leases_survive() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    until("connected", || world.health.is_ready()).await;
    let lost = Instant::now();
    drop(peer);
    world.session().await;
    assert!(lost.elapsed() < Duration::from_millis(700), "took {:?}", lost.elapsed());
    assert!(world.health.is_ready(), "a pod without the API still carries its calls");
}

#[tokio::test]
async fn an_api_that_falls_silent_is_left() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    let silent_since = Instant::now();
    // It stays connected and says nothing.
    let _second = world.session().await;
    assert!((900..4_000).contains(&silent_since.elapsed().as_millis()), "{:?}", silent_since.elapsed());
    drop(peer);
}

#[tokio::test]
async fn heartbeats_keep_the_connection() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    for _ in 0..8 {
        peer.send(api_message::Body::Heartbeat(ApiHeartbeat {})).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(world.sessions.try_recv().is_err(), "no second connection");
}

#[tokio::test]
async fn a_refused_session_credential_falls_back_to_the_token() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    until("the credential", || world.health.is_ready()).await;
    world.api.refusals.lock().unwrap().push(Status::unauthenticated("signed by an old key"));
    drop(peer);
    let refused = world.session().await;
    assert!(matches!(refused.hello.credential, Some(hello::Credential::SessionCredential(_))));
    let again = world.session().await;
    assert!(matches!(again.hello.credential, Some(hello::Credential::ServiceAccountToken(_))));
}

#[tokio::test]
async fn a_version_we_do_not_speak_is_named() {
    let mut world = World::new().await;
    let peer = world.session().await;
    peer.welcome(Welcome { version: 9, ..welcome() }).await;
    until("the reason", || world.health.report().to_string().contains("the API chose version 9")).await;
    assert!(!world.health.is_ready());
}

#[tokio::test]
async fn knowledge_is_searched_with_the_session_credential() {
    let mut world = World::new().await;
    let error = world.knowledge.search(&key(), "hours".into(), 3).await.unwrap_err();
    assert!(matches!(error, KnowledgeError::NotConnected));
    let _peer = world.welcomed().await;
    until("connected", || world.health.is_ready()).await;
    let key = key();
    let (found, search) = tokio::join!(world.knowledge.search(&key, "hours".into(), 3), world.searches.recv());
    let (bearer, request) = search.unwrap();
    assert_eq!(bearer, "Bearer issued");
    assert_eq!((request.call_id, request.query.as_str(), request.limit), (key.call_id, "hours", 3));
    assert_eq!(found.unwrap()[0].text, "We open at nine.");
}

#[tokio::test]
async fn the_connection_is_encrypted_and_the_authority_checked() {
    voxplane_platform::tls::install_crypto_provider();
    let authority = Authority::new();
    let mut world = World::with(Some((authority.pem.clone(), authority.server())), Host::default()).await;
    world.welcomed().await;
    until("connected", || world.health.is_ready()).await;

    let stranger = Authority::new();
    let world = World::with(Some((stranger.pem.clone(), authority.server())), Host::default()).await;
    until("the refusal", || world.health.report().to_string().contains("cannot reach the API")).await;
    assert!(!world.health.is_ready());
}

/// A certificate authority and a server certificate it signed.
struct Authority {
    pem: String,
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = parameters.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&parameters, &ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
        Self { pem: ca.pem(), certificate: leaf.pem(), key: key.serialize_pem() }
    }

    fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(tonic::transport::Identity::from_pem(&self.certificate, &self.key))
    }
}
