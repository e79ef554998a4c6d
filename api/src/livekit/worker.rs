//! The connection to LiveKit's agent dispatch: registers as `voxplane`, takes offered jobs, reconnects for ever.
//!
//! LiveKit offers a job once, waits a few seconds and retries nothing, so an offer is answered before anything is
//! looked up: available when the queue towards placement has room, otherwise not, and LiveKit asks another replica.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use livekit_protocol::JobStatus;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use voxplane_platform::error_chain::ErrorChain;

use super::access::LiveKitAccount;
use super::protocol::{self, Heard};

/// The agent name every dispatch rule names.
pub const AGENT_NAME: &str = "voxplane";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Three unanswered pings: the connection is dead although nobody closed it.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// A frame that cannot be written in this time means the same.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// A room that needs an agent; LiveKit was already told that it gets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOffer {
    /// LiveKit's job id.
    pub job: String,
    /// The room.
    pub room: String,
}

/// What became of a job, to be told to LiveKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobReport {
    /// A runtime has the call.
    Running(String),
    /// No runtime has it; the text goes to LiveKit's log.
    Failed(String, &'static str),
}

/// Whether we are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStatus {
    /// Not connected, or not yet answered.
    Connecting,
    /// Jobs can be offered.
    Registered,
}

#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("the worker token could not be signed")]
    Token(#[from] livekit_api::access_token::AccessTokenError),
    #[error("LiveKit took longer than {} s to connect", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    #[error("the connection to LiveKit failed")]
    Socket(#[source] Box<tungstenite::Error>),
    #[error("LiveKit closed the connection")]
    Closed,
    #[error("LiveKit has been silent for {} s", SILENCE_LIMIT.as_secs())]
    Silent,
    #[error("LiveKit does not read what we write")]
    Stuck,
    #[error("LiveKit asked us to register again")]
    GoAway,
    #[error("LiveKit sent a message that is not part of the agent protocol")]
    Decode(#[from] prost::DecodeError),
}

impl From<tungstenite::Error> for WorkerError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The agent worker of this replica.
#[derive(Debug)]
pub struct Worker {
    account: LiveKitAccount,
    offers: mpsc::Sender<JobOffer>,
    reports: mpsc::Receiver<JobReport>,
    status: watch::Sender<WorkerStatus>,
}

impl Worker {
    /// Offers go into `offers`; what became of them comes back through `reports`.
    pub fn new(
        account: LiveKitAccount,
        offers: mpsc::Sender<JobOffer>,
        reports: mpsc::Receiver<JobReport>,
    ) -> (Self, watch::Receiver<WorkerStatus>) {
        let (status, watcher) = watch::channel(WorkerStatus::Connecting);
        (Self { account, offers, reports, status }, watcher)
    }

    /// Stays registered until `stop`, then tells LiveKit to offer nothing more.
    pub async fn run(mut self, stop: CancellationToken) {
        let fresh = || {
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(100))
                .with_max_delay(Duration::from_secs(5))
                .with_jitter()
                .without_max_times()
                .build()
        };
        let mut delays = fresh();
        loop {
            let started = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.connection(&stop) => ended,
            };
            self.status.send_replace(WorkerStatus::Connecting);
            let Err(error) = ended else { return };
            // A connection that held for a while was healthy: the next attempt is immediate again.
            if started.elapsed() > SILENCE_LIMIT {
                delays = fresh();
            }
            let delay = delays.next().unwrap_or(Duration::from_secs(5));
            warn!(
                error = %ErrorChain(&error),
                retry_ms = delay.as_millis(),
                "the agent worker is not registered with LiveKit; no new call can be placed by this replica"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(delay) => {}
            }
        }
    }

    /// One connection, from registration to its end. `Ok` only after `stop`.
    async fn connection(&mut self, stop: &CancellationToken) -> Result<(), WorkerError> {
        let mut socket = self.connect().await?;
        write(&mut socket, protocol::register(env!("CARGO_PKG_VERSION"))).await?;
        let mut pings = interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    write(&mut socket, protocol::load(false)).await?;
                    let _ = timeout(WRITE_TIMEOUT, socket.close(None)).await;
                    return Ok(());
                }
                _ = pings.tick() => {
                    if heard_at.elapsed() > SILENCE_LIMIT {
                        return Err(WorkerError::Silent);
                    }
                    write(&mut socket, protocol::ping(Timestamp::now().as_millisecond())).await?;
                }
                Some(report) = self.reports.recv() => write(&mut socket, encode(&report)).await?,
                frame = socket.next() => {
                    let frame = frame.ok_or(WorkerError::Closed)??;
                    heard_at = Instant::now();
                    match frame {
                        Message::Binary(bytes) => self.heard(&mut socket, protocol::hear(&bytes)?).await?,
                        Message::Close(_) => return Err(WorkerError::Closed),
                        _ => {}
                    }
                }
            }
        }
    }

    async fn connect(&self) -> Result<Socket, WorkerError> {
        let mut request = format!("{}/agent?protocol=1", self.account.ws_url).into_client_request()?;
        let bearer = format!("Bearer {}", self.account.worker_token()?);
        let bearer =
            http::HeaderValue::from_str(&bearer).map_err(|error| tungstenite::Error::from(http::Error::from(error)))?;
        request.headers_mut().insert(http::header::AUTHORIZATION, bearer);
        let connected = timeout(CONNECT_TIMEOUT, connect_async(request)).await;
        let (socket, _) = connected.map_err(|_| WorkerError::ConnectTimeout)??;
        Ok(socket)
    }

    async fn heard(&self, socket: &mut Socket, heard: Heard) -> Result<(), WorkerError> {
        match heard {
            Heard::Registered(worker) => {
                write(socket, protocol::load(true)).await?;
                self.status.send_replace(WorkerStatus::Registered);
                info!(livekit.worker = worker, "registered with LiveKit as agent worker");
            }
            Heard::Offered { job, room } => {
                let taken = self.offers.try_send(JobOffer { job: job.clone(), room }).is_ok();
                write(socket, protocol::availability(&job, taken)).await?;
                if !taken {
                    warn!(livekit.job = job, "the placement queue is full; LiveKit will ask another replica");
                }
            }
            Heard::Ended(job) => debug!(livekit.job = job, "LiveKit ended a job"),
            Heard::GoAway => return Err(WorkerError::GoAway),
            Heard::Nothing => {}
        }
        Ok(())
    }
}

fn encode(report: &JobReport) -> Vec<u8> {
    match report {
        JobReport::Running(job) => protocol::job_status(job, JobStatus::JsRunning, ""),
        JobReport::Failed(job, reason) => protocol::job_status(job, JobStatus::JsFailed, reason),
    }
}

async fn write(socket: &mut Socket, frame: Vec<u8>) -> Result<(), WorkerError> {
    let sent = timeout(WRITE_TIMEOUT, socket.send(Message::Binary(frame.into()))).await;
    sent.map_err(|_| WorkerError::Stuck)?.map_err(WorkerError::from)
}
