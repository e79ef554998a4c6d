//! The API's side of the contract, as far as a runtime sees it: welcomes, acknowledges and remembers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use voxplane_control::v1::control_server::{Control, ControlServer};
use voxplane_control::v1::{
    ApiHeartbeat, ApiMessage, CallFinished, CallFinishedAck, CallRefused, CommandResult, Event, EventAck, Passage,
    RuntimeMessage, SearchKnowledgeRequest, SearchKnowledgeResponse, SessionCredential, Welcome, api_message,
    runtime_message::Body,
};

/// What the API knows. Survives restarts of its server, as the database would.
#[derive(Default)]
pub struct Records {
    events: Mutex<BTreeMap<(String, u64), Event>>,
    accepted: Mutex<Vec<String>>,
    refused: Mutex<Vec<CallRefused>>,
    finished: Mutex<Vec<CallFinished>>,
    results: Mutex<Vec<CommandResult>>,
    stream: Mutex<Option<mpsc::Sender<Result<ApiMessage, Status>>>>,
    hellos: Mutex<u32>,
    passages: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub struct Api {
    pub records: Arc<Records>,
}

/// A running server; dropping it is an outage.
pub struct Running {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Api {
    pub fn new(passages: &[&str]) -> Self {
        let records = Records::default();
        *records.passages.lock().unwrap() = passages.iter().map(ToString::to_string).collect();
        Self { records: Arc::new(records) }
    }

    pub async fn serve(&self, address: SocketAddr) -> Running {
        let listener = loop {
            // After an outage the port is free once the last connection is gone.
            match tokio::net::TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tonic::transport::Server::builder()
            .add_service(ControlServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let stopped = stop.clone();
        tokio::spawn(async move {
            // Dropping the server closes its connections, as a killed process would.
            tokio::select! {
                result = server => result.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
        Running { address, stop }
    }

    pub async fn send(&self, body: api_message::Body) {
        let stream = self.records.stream.lock().unwrap().clone().expect("the runtime is connected");
        stream.send(Ok(ApiMessage { body: Some(body) })).await.unwrap();
    }

    /// Ends the session's stream.
    pub fn hang_up_on_runtime(&self) {
        *self.records.stream.lock().unwrap() = None;
    }

    pub async fn connected(&self) {
        wait("the runtime's connection", || self.records.stream.lock().unwrap().is_some()).await;
    }

    pub fn hellos(&self) -> u32 {
        *self.records.hellos.lock().unwrap()
    }

    /// The call's events of one type, oldest first.
    pub fn events(&self, call: &str, name: &str) -> Vec<Value> {
        let events = self.records.events.lock().unwrap();
        events
            .values()
            .filter(|event| event.call_id == call && event.r#type == name)
            .map(|event| serde_json::from_str(&event.payload_json).unwrap())
            .collect()
    }

    pub fn has(&self, call: &str, name: &str) -> bool {
        !self.events(call, name).is_empty()
    }

    pub async fn event(&self, call: &str, name: &str) -> Value {
        wait(&format!("{name}\n{}", self.story(call)), || self.has(call, name)).await;
        self.events(call, name).remove(0)
    }

    /// Everything known of a call, for people.
    pub fn story(&self, call: &str) -> String {
        let events = self.records.events.lock().unwrap();
        let of_call = events.values().filter(|event| event.call_id == call && event.r#type != "caller.partial");
        let line = |event: &Event| format!("{:>9} us {} {}", event.call_us, event.r#type, event.payload_json);
        of_call.map(line).collect::<Vec<_>>().join("\n")
    }

    /// Sequence numbers of a call's events.
    pub fn numbers(&self, call: &str) -> Vec<u64> {
        self.records.events.lock().unwrap().keys().filter(|(id, _)| id == call).map(|(_, seq)| *seq).collect()
    }

    pub async fn accepted(&self, call: &str) {
        wait("the call being accepted", || self.records.accepted.lock().unwrap().iter().any(|id| id == call)).await;
    }

    pub async fn refused(&self, call: &str) -> CallRefused {
        let find = || self.records.refused.lock().unwrap().iter().find(|refused| refused.call_id == call).cloned();
        wait("the call being refused", || find().is_some()).await;
        find().unwrap()
    }

    pub async fn finished(&self, call: &str) -> CallFinished {
        let find = || self.records.finished.lock().unwrap().iter().find(|finished| finished.call_id == call).cloned();
        wait(&format!("the end of the call\n{}", self.story(call)), || find().is_some()).await;
        find().unwrap()
    }

    pub async fn result(&self, id: &str) -> CommandResult {
        let find = || self.records.results.lock().unwrap().iter().find(|result| result.id == id).cloned();
        wait("the command's outcome", || find().is_some()).await;
        find().unwrap()
    }

    fn remember(&self, body: Body, stream: &mpsc::Sender<Result<ApiMessage, Status>>) {
        match body {
            Body::CallAccepted(accepted) => self.records.accepted.lock().unwrap().push(accepted.call_id),
            Body::CallRefused(refused) => self.records.refused.lock().unwrap().push(refused),
            Body::CallFinished(finished) => {
                let ack = CallFinishedAck { call_id: finished.call_id.clone(), epoch: finished.epoch };
                self.records.finished.lock().unwrap().push(finished);
                let _ = stream.try_send(Ok(ApiMessage { body: Some(api_message::Body::CallFinishedAck(ack)) }));
            }
            Body::CommandResult(result) => self.records.results.lock().unwrap().push(result),
            Body::Events(batch) => {
                for event in batch.events {
                    let ack = EventAck { call_id: event.call_id.clone(), epoch: event.epoch, seq: event.seq };
                    self.records.events.lock().unwrap().insert((event.call_id.clone(), event.seq), event);
                    let _ = stream.try_send(Ok(ApiMessage { body: Some(api_message::Body::EventAck(ack)) }));
                }
            }
            _ => {}
        }
    }
}

#[tonic::async_trait]
impl Control for Api {
    type SessionStream = Pin<Box<ReceiverStream<Result<ApiMessage, Status>>>>;

    async fn session(
        &self,
        request: Request<Streaming<RuntimeMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let mut inbound = request.into_inner();
        let Some(Body::Hello(_)) = inbound.message().await?.and_then(|message| message.body) else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        *self.records.hellos.lock().unwrap() += 1;
        let (stream, receiver) = mpsc::channel(256);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let expires_at_unix_ms = i64::try_from(now).unwrap() + 3_600_000;
        let welcome = Welcome {
            version: 2,
            session_id: "s".into(),
            credential: Some(SessionCredential { token: "issued".into(), expires_at_unix_ms }),
            heartbeat_interval_ms: 300,
            lost_calls: Vec::new(),
        };
        stream.try_send(Ok(ApiMessage { body: Some(api_message::Body::Welcome(welcome)) })).unwrap();
        *self.records.stream.lock().unwrap() = Some(stream.clone());
        let (api, weak) = (self.clone(), stream.downgrade());
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(300));
            loop {
                let Some(stream) = weak.upgrade() else { return };
                tokio::select! {
                    message = inbound.message() => match message {
                        Ok(Some(RuntimeMessage { body: Some(body) })) => api.remember(body, &stream),
                        _ => return,
                    },
                    _ = beat.tick() => {
                        let heartbeat = api_message::Body::Heartbeat(ApiHeartbeat {});
                        let _ = stream.try_send(Ok(ApiMessage { body: Some(heartbeat) }));
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn search_knowledge(
        &self,
        _: Request<SearchKnowledgeRequest>,
    ) -> Result<Response<SearchKnowledgeResponse>, Status> {
        let passages = self.records.passages.lock().unwrap();
        let passage = |(n, text): (usize, &String)| Passage {
            id: n.to_string(),
            text: text.clone(),
            score: 1.0,
            ..Passage::default()
        };
        let passages = passages.iter().enumerate().map(passage).collect();
        Ok(Response::new(SearchKnowledgeResponse { passages }))
    }
}

/// Waits until something holds, 30 s at most.
pub async fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
