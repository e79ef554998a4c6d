//! One connection: Hello, Welcome, then messages both ways until one side stops hearing the other.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Status, Streaming};
use voxplane_control::v1::control_client::ControlClient as Stub;
use voxplane_control::v1::{
    ApiMessage, CredentialRenewal, DrainStarted, EventBatch, Hello, RuntimeHeartbeat, RuntimeMessage, Welcome,
    api_message, runtime_message::Body,
};
use voxplane_control::version;

use super::credential::TokenError;
use super::{CallHost, ControlClient};
use crate::spool::CallKey;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages on their way to the API.
const IN_FLIGHT: usize = 64;
/// Events sent in one message at most.
const BATCH: usize = 128;
/// Heartbeats missed until the API counts as gone.
const MISSED: u32 = 3;
/// Used when the API does not say.
const HEARTBEAT: Duration = Duration::from_millis(300);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The certificate authority cannot be read.
    #[error("cannot read the API's certificate authority {path}")]
    Authority {
        /// The file.
        path: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The API cannot be reached.
    #[error("cannot reach the API at {url}")]
    Connect {
        /// Its address.
        url: String,
        /// What failed.
        #[source]
        source: tonic::transport::Error,
    },
    /// The API ended or refused the session.
    #[error("the API ended the session: {message} ({code:?})")]
    Refused {
        /// gRPC status.
        code: Code,
        /// What it says.
        message: String,
    },
    /// The API did not answer the greeting.
    #[error("the API did not answer Hello with Welcome")]
    NoWelcome,
    /// We do not speak what the API chose.
    #[error(
        "the API chose version {chosen} of the contract, this runtime speaks {} to {}: use another image",
        version::MIN,
        version::MAX
    )]
    Version {
        /// Its choice.
        chosen: u32,
    },
    /// Nothing was heard for three heartbeats.
    #[error("nothing was heard from the API for {0:?}")]
    Silent(Duration),
    /// The API closed the stream.
    #[error("the API closed the session")]
    Closed,
}

/// What the API's greeting agreed on.
struct Terms {
    /// Between heartbeats.
    interval: Duration,
    /// Whether it says that it has stored the end of a call.
    acknowledges_ends: bool,
}

impl From<Status> for ConnectionError {
    fn from(status: Status) -> Self {
        Self::Refused { code: status.code(), message: status.message().to_owned() }
    }
}

impl ControlClient {
    /// Connects and pumps until the connection is lost; it never ends well.
    pub(super) async fn connection(&mut self, host: &dyn CallHost) -> Result<(), ConnectionError> {
        let channel = self.endpoint().await?.connect().await.map_err(|source| self.unreachable(source))?;
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let hello = self.hello(host).await?;
        // The channel is new and empty, so this does not wait.
        let _ = sender.send(message(Body::Hello(hello))).await;
        let opened = async {
            let mut inbound = Stub::new(channel.clone()).session(ReceiverStream::new(receiver)).await?.into_inner();
            let first = inbound.message().await?;
            Ok::<_, Status>((inbound, first))
        };
        let opened = tokio::time::timeout(WELCOME_TIMEOUT, opened).await.map_err(|_| ConnectionError::NoWelcome)?;
        if let Err(status) = &opened
            && matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
        {
            self.credentials.forget();
        }
        let (inbound, first) = opened?;
        let Some(api_message::Body::Welcome(welcome)) = first.and_then(|first| first.body) else {
            return Err(ConnectionError::NoWelcome);
        };
        let terms = self.welcomed(welcome, host)?;
        self.channel.send_replace(Some(channel));
        self.pump(inbound, sender, terms, host).await
    }

    async fn endpoint(&self) -> Result<Endpoint, ConnectionError> {
        let url = self.config.url.clone();
        let mut endpoint = Endpoint::from_shared(url)
            .map_err(|source| self.unreachable(source))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        if let Some(path) = &self.config.ca {
            // Read every time: the authority may have been renewed.
            let authority = tokio::fs::read(path)
                .await
                .map_err(|source| ConnectionError::Authority { path: path.display().to_string(), source })?;
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
            endpoint = endpoint.tls_config(tls).map_err(|source| self.unreachable(source))?;
        }
        Ok(endpoint)
    }

    fn unreachable(&self, source: tonic::transport::Error) -> ConnectionError {
        ConnectionError::Connect { url: self.config.url.clone(), source }
    }

    async fn hello(&self, host: &dyn CallHost) -> Result<Hello, ConnectionError> {
        Ok(Hello {
            credential: Some(self.credentials.for_hello().await?),
            min_version: version::MIN,
            max_version: version::MAX,
            capabilities: self.identity.capabilities.clone(),
            runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: self.slots.total(),
            credentials_hash: self.credentials_hash().await,
            live_calls: host.live_calls(),
            draining: self.slots.is_draining(),
        })
    }

    /// The hash the operator wrote beside the credentials; empty when none are mounted.
    async fn credentials_hash(&self) -> String {
        let path = self.identity.credentials_dir.join("_hash");
        tokio::fs::read_to_string(path).await.map(|hash| hash.trim().to_owned()).unwrap_or_default()
    }

    fn welcomed(&self, welcome: Welcome, host: &dyn CallHost) -> Result<Terms, ConnectionError> {
        if !(version::MIN..=version::MAX).contains(&welcome.version) {
            return Err(ConnectionError::Version { chosen: welcome.version });
        }
        if let Some(credential) = welcome.credential {
            self.credentials.store(credential);
        }
        for lost in welcome.lost_calls {
            host.lease_lost(&CallKey { call_id: lost.call_id, epoch: lost.epoch });
        }
        self.spool.rewind();
        tracing::info!(session.id = welcome.session_id, version = welcome.version, "connected to the API");
        self.ready.pass();
        self.connected.pass();
        let interval = Duration::from_millis(welcome.heartbeat_interval_ms.into());
        Ok(Terms {
            interval: if interval.is_zero() { HEARTBEAT } else { interval },
            acknowledges_ends: welcome.version >= version::ACKNOWLEDGED_ENDS,
        })
    }

    async fn pump(
        &mut self,
        mut inbound: Streaming<ApiMessage>,
        sender: mpsc::Sender<RuntimeMessage>,
        Terms { interval, acknowledges_ends }: Terms,
        host: &dyn CallHost,
    ) -> Result<(), ConnectionError> {
        let mut heartbeat = tokio::time::interval(interval);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut renewal_asked = false;
        let mut drain_told = false;
        // An answer that waits for its place in the channel. It must not be waited for: an API that reads no more has
        // to be noticed by its silence.
        let mut answer: Option<Body> = None;
        loop {
            tokio::select! {
                received = inbound.message() => {
                    heard = Instant::now();
                    let body = received?.ok_or(ConnectionError::Closed)?.body;
                    renewal_asked &= !matches!(body, Some(api_message::Body::SessionCredential(_)));
                    self.received(body, host);
                }
                permit = sender.reserve(), if answer.is_some() || self.spool.has_unsent() => {
                    let permit = permit.map_err(|_| ConnectionError::Closed)?;
                    permit.send(answer.take().map_or_else(|| self.next_events(acknowledges_ends), message));
                }
                () = self.spool.changed() => {}
                Some(body) = self.outgoing.recv(), if answer.is_none() => answer = Some(body),
                due = heartbeat.tick() => {
                    // A process that stood still heard nobody, which says nothing about the API.
                    heard += due.elapsed();
                    if heard.elapsed() > interval * MISSED {
                        return Err(ConnectionError::Silent(heard.elapsed()));
                    }
                    // A full channel means that the API does not read; it will miss this heartbeat.
                    let credentials_hash = self.credentials_hash().await;
                    let beat = RuntimeHeartbeat { busy_slots: self.slots.busy(), credentials_hash };
                    let _ = sender.try_send(message(Body::Heartbeat(beat)));
                    // What finds no place is said with the next heartbeat.
                    if self.slots.is_draining() && !drain_told {
                        drain_told = sender.try_send(message(Body::DrainStarted(DrainStarted {}))).is_ok();
                    }
                    let due = self.credentials.renew_in().is_some_and(|left| left.is_zero());
                    if due && !renewal_asked {
                        renewal_asked = sender.try_send(message(Body::CredentialRenewal(CredentialRenewal {}))).is_ok();
                    }
                }
            }
        }
    }

    /// The next thing the spool has: events, or the end of a call whose events were all sent.
    fn next_events(&self, acknowledges_ends: bool) -> RuntimeMessage {
        let events = self.spool.take_batch(BATCH);
        if events.is_empty()
            && let Some(finished) = self.spool.take_finished(1).pop()
        {
            if !acknowledges_ends {
                let key = CallKey { call_id: finished.call_id.clone(), epoch: finished.epoch };
                self.spool.acknowledge_finish(&key);
            }
            return message(Body::CallFinished(finished));
        }
        message(Body::Events(EventBatch { events }))
    }

    fn received(&self, body: Option<api_message::Body>, host: &dyn CallHost) {
        use api_message::Body as From;
        match body {
            Some(From::Heartbeat(_)) | None => {}
            Some(From::StartCall(call)) => host.start(call),
            Some(From::EventAck(ack)) => {
                self.spool.acknowledge(&CallKey { call_id: ack.call_id, epoch: ack.epoch }, ack.seq);
            }
            Some(From::CallFinishedAck(ack)) => {
                self.spool.acknowledge_finish(&CallKey { call_id: ack.call_id, epoch: ack.epoch });
            }
            Some(From::Command(command)) => host.command(command),
            Some(From::Drain(drain)) => host.drain(&drain.reason),
            Some(From::LeaseLost(lost)) => host.lease_lost(&CallKey { call_id: lost.call_id, epoch: lost.epoch }),
            Some(From::SessionCredential(credential)) => self.credentials.store(credential),
            Some(From::Welcome(_)) => tracing::warn!("a second Welcome is ignored"),
        }
    }
}

fn message(body: Body) -> RuntimeMessage {
    RuntimeMessage { body: Some(body) }
}
