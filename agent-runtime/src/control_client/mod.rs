//! The runtime's one connection to the API: dialled from here, kept up for the life of the pod.
//!
//! [`ControlClient::run`] connects, says `Hello`, and pumps messages until the connection is lost, then connects again
//! at once: leases survive a gap of a few hundred milliseconds. Calls go on meanwhile and their events wait in the
//! [`Spool`](crate::spool::Spool).

mod connection;
mod credential;
mod knowledge;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use voxplane_control::v1::{Command, LiveCall, StartCall, runtime_message};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_platform::health::Check;

pub use self::connection::ConnectionError;
pub use self::credential::Credentials;
pub use self::knowledge::{Knowledge, KnowledgeError};
use crate::config::ControlConfig;
use crate::slots::Slots;
use crate::spool::{CallKey, Spool};

/// Answers that may wait for the connection.
const OUTGOING: usize = 256;
/// The first retry comes within the time leases survive.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// With the jitter, every pod is back within the 10 s in which a restarted API hands no calls to others.
const LAST_RETRY: Duration = Duration::from_secs(2);
/// A connection this old counts as a success: the next retry is quick again.
const STABLE: Duration = Duration::from_secs(5);

/// What the API's messages lead to. Methods return at once; answers go through [`Outgoing`].
pub trait CallHost: Send + Sync + 'static {
    /// Take this call.
    fn start(&self, call: StartCall);
    /// Do something in a call.
    fn command(&self, command: Command);
    /// The call has another owner.
    fn lease_lost(&self, key: &CallKey);
    /// Take no more calls.
    fn drain(&self, reason: &str);
    /// Calls in progress.
    fn live_calls(&self) -> Vec<LiveCall>;
}

/// Where answers to the API go.
pub type Outgoing = mpsc::Sender<runtime_message::Body>;

/// What `Hello` says of this pod.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Provider names as `stt/pocketsphinx`, features as `feature/dtmf`.
    pub capabilities: Vec<String>,
    /// Where the hash of the mounted credentials is.
    pub credentials_dir: PathBuf,
}

/// The connection and everything it outlives.
pub struct ControlClient {
    config: ControlConfig,
    identity: Identity,
    slots: Slots,
    spool: Arc<Spool>,
    credentials: Arc<Credentials>,
    outgoing: mpsc::Receiver<runtime_message::Body>,
    channel: watch::Sender<Option<Channel>>,
    /// Passes at the first connection and stays: a pod without the API still carries its calls.
    ready: Check,
    /// Follows the connection.
    connected: Check,
}

impl ControlClient {
    /// A client that is not connected, and what others use to talk through it.
    pub fn new(
        config: ControlConfig,
        identity: Identity,
        slots: Slots,
        spool: Arc<Spool>,
        ready: Check,
        connected: Check,
    ) -> (Self, Outgoing, Knowledge) {
        let (outgoing_sender, outgoing) = mpsc::channel(OUTGOING);
        let (channel, channel_receiver) = watch::channel(None);
        let credentials = Arc::new(Credentials::new(&config.token_file));
        let knowledge = Knowledge::new(channel_receiver, credentials.clone());
        let client = Self { config, identity, slots, spool, credentials, outgoing, channel, ready, connected };
        (client, outgoing_sender, knowledge)
    }

    /// Stays connected until `stop` is cancelled.
    pub async fn run(mut self, host: Arc<dyn CallHost>, stop: CancellationToken) {
        let retries = ExponentialBuilder::default()
            .with_min_delay(FIRST_RETRY)
            .with_max_delay(LAST_RETRY)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        let mut delays = retries.build();
        loop {
            let started = Instant::now();
            let outcome = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                outcome = self.connection(host.as_ref()) => outcome,
            };
            self.channel.send_replace(None);
            let Err(error) = outcome else { continue };
            if started.elapsed() >= STABLE {
                delays = retries.build();
            }
            let delay = delays.next().unwrap_or(LAST_RETRY);
            let reason = ErrorChain(&error).to_string();
            tracing::warn!(error = %reason, retry_ms = delay.as_millis(), "not connected to the API");
            self.connected.fail(reason.clone());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }
}
