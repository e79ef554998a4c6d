//! An API that speaks the real protocol over a real socket, and a client that talks to it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::SystemTime;

use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use voxplane_control::v1::control_server::{Control, ControlServer};
use voxplane_control::v1::{
    ApiMessage, Durability, Event, Hello, Passage, RuntimeMessage, SearchKnowledgeRequest, SearchKnowledgeResponse,
    SessionCredential, Welcome, api_message, runtime_message::Body,
};
use voxplane_platform::health::Health;

use super::super::*;
use crate::spool::NewEvent;

pub(super) const SOON: Duration = Duration::from_secs(10);

/// One session as the API sees it.
pub(super) struct Peer {
    pub(super) hello: Hello,
    pub(super) inbound: Streaming<RuntimeMessage>,
    pub(super) outbound: mpsc::Sender<Result<ApiMessage, Status>>,
}

impl Peer {
    pub(super) async fn send(&self, body: api_message::Body) {
        self.outbound.send(Ok(ApiMessage { body: Some(body) })).await.unwrap();
    }

    pub(super) async fn welcome(&self, welcome: Welcome) {
        self.send(api_message::Body::Welcome(welcome)).await;
    }

    /// The next message that is no heartbeat.
    pub(super) async fn next(&mut self) -> Body {
        self.find(|body| (!matches!(body, Body::Heartbeat(_))).then_some(body)).await
    }

    pub(super) async fn find<T>(&mut self, mut wanted: impl FnMut(Body) -> Option<T>) -> T {
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

pub(super) struct Api {
    sessions: mpsc::Sender<Peer>,
    /// Answers of the next sessions instead of a stream.
    pub(super) refusals: Mutex<Vec<Status>>,
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
pub(super) struct Host {
    pub(super) started: Mutex<Vec<StartCall>>,
    pub(super) lost: Mutex<Vec<CallKey>>,
    pub(super) live: Vec<LiveCall>,
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
pub(super) struct World {
    pub(super) sessions: mpsc::Receiver<Peer>,
    pub(super) searches: mpsc::Receiver<(String, SearchKnowledgeRequest)>,
    pub(super) api: Arc<Api>,
    pub(super) spool: Arc<Spool>,
    pub(super) host: Arc<Host>,
    pub(super) health: Health,
    pub(super) outgoing: Outgoing,
    pub(super) knowledge: Knowledge,
    stop: CancellationToken,
    _files: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(None, Host::default()).await
    }

    pub(super) async fn with(tls: Option<(String, ServerTlsConfig)>, host: Host) -> Self {
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
    pub(super) async fn session(&mut self) -> Peer {
        tokio::time::timeout(SOON, self.sessions.recv()).await.expect("a session in time").unwrap()
    }

    pub(super) async fn welcomed(&mut self) -> Peer {
        let peer = self.session().await;
        peer.welcome(welcome()).await;
        peer
    }

    pub(super) fn append(&self, payload_json: &str) {
        let payload_json = payload_json.to_owned();
        let (name, durability) = ("caller.said", Durability::Soon);
        self.spool.append(&key(), NewEvent { at_unix_us: 1, call_us: 1, name, durability, payload_json });
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

pub(super) fn key() -> CallKey {
    CallKey { call_id: "0197a1b2-0000-7000-8000-000000000001".into(), epoch: 1 }
}

pub(super) fn welcome() -> Welcome {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let credential = SessionCredential { token: "issued".into(), expires_at_unix_ms: now as i64 + 3_600_000 };
    Welcome {
        version: 2,
        session_id: "s1".into(),
        credential: Some(credential),
        heartbeat_interval_ms: 300,
        lost_calls: Vec::new(),
    }
}

pub(super) fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// A certificate authority and a server certificate it signed.
pub(super) struct Authority {
    pub(super) pem: String,
    certificate: String,
    key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = parameters.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&parameters, &ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
        Self { pem: ca.pem(), certificate: leaf.pem(), key: key.serialize_pem() }
    }

    pub(super) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(tonic::transport::Identity::from_pem(&self.certificate, &self.key))
    }
}
