//! The room: a handle, a stream of events and one task between them and the network.

mod address;
mod data;
mod error;
mod event;
mod join;
mod negotiation;
mod outbox;
mod peer;
mod publication;
mod roster;
mod speaker;
mod task;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::error::{JoinError, RoomError};
pub use self::event::{AudioPacket, DisconnectReason, Participant, ParticipantKind, RoomEvent, RoomEvents};
pub use self::speaker::Speaker;
use self::task::Command;
use crate::clock::CallClock;

/// How long an operation on a live room may take before it counts as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Which local address media is sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bind {
    /// The address this machine routes to the LiveKit server from.
    #[default]
    Auto,
    /// A given local address.
    Address(IpAddr),
}

/// What [`Room::join`] needs to know.
#[derive(Clone)]
pub struct JoinOptions {
    /// Signalling URL of the LiveKit server (`ws`, `wss`, `http` or `https`).
    pub url: String,
    /// Access token that names the room and the identity. Never logged.
    pub token: String,
    /// Local address of the media socket.
    pub bind: Bind,
    /// Time allowed from the call of [`Room::join`] until media flows.
    pub timeout: Duration,
    /// The call's clock. Rooms that belong to one call share it.
    pub clock: CallClock,
}

impl JoinOptions {
    /// Options with an automatic address, a 10 s limit and a clock that starts now.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: token.into(),
            bind: Bind::Auto,
            timeout: Duration::from_secs(10),
            clock: CallClock::start(),
        }
    }
}

impl std::fmt::Debug for JoinOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinOptions")
            .field("url", &self.url)
            .field("bind", &self.bind)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Who receives a data packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Destinations {
    /// Every other participant.
    #[default]
    Everyone,
    /// Participants with these identities.
    Identities(Vec<String>),
}

impl Destinations {
    /// One participant.
    pub fn one(identity: impl Into<String>) -> Self {
        Self::Identities(vec![identity.into()])
    }

    fn into_identities(self) -> Vec<String> {
        match self {
            Self::Everyone => Vec::new(),
            Self::Identities(identities) => identities,
        }
    }
}

/// A joined room. Dropping it leaves the room in the background; [`Room::leave`] waits until that is done.
#[derive(Debug)]
pub struct Room {
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    clock: CallClock,
    local: Participant,
    name: String,
}

impl Room {
    /// Joins the room its token names and returns once media is connected.
    ///
    /// Subscribes to every audio track of the room, now and later.
    ///
    /// # Errors
    /// See [`JoinError`]: the variants tell an unreachable server, a rejected token and blocked media apart.
    pub async fn join(options: JoinOptions) -> Result<(Room, RoomEvents), JoinError> {
        join::join(options).await
    }

    /// The call's clock.
    pub fn clock(&self) -> CallClock {
        self.clock
    }

    /// Our own participant as the server named it.
    pub fn local(&self) -> &Participant {
        &self.local
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes an audio track and returns its [`Speaker`]. On a SIP call this is what answers the call.
    ///
    /// Publishing needs no packet: nothing is sent until something is said. What is said before
    /// [`RoomEvent::LocalTrackSubscribed`] is lost.
    ///
    /// # Errors
    /// [`RoomError::AlreadyPublished`] on the second call, [`RoomError::Closed`], [`RoomError::Timeout`].
    pub async fn publish_audio(&self, name: &str) -> Result<Speaker, RoomError> {
        let name = name.to_owned();
        self.request("publish the audio track", |reply| Command::Publish { name, reply }).await
    }

    /// Sends telephone digits (`0`-`9`, `*`, `#`, `A`-`D`) as SIP DTMF packets, one per digit, reliably and in order.
    ///
    /// # Errors
    /// [`RoomError::InvalidDigit`] before anything is sent; [`RoomError::Closed`], [`RoomError::Timeout`].
    pub async fn send_dtmf(&self, digits: &str, to: Destinations) -> Result<(), RoomError> {
        for packet in data::dtmf_packets(digits, to)? {
            self.request("send DTMF", |reply| Command::Send { packet: Box::new(packet), reply }).await?;
        }
        Ok(())
    }

    /// Sends a data message reliably and in order.
    ///
    /// # Errors
    /// [`RoomError::TooLarge`] above 60 000 bytes; [`RoomError::Closed`], [`RoomError::Timeout`].
    pub async fn send_data(&self, topic: &str, payload: Bytes, to: Destinations) -> Result<(), RoomError> {
        let packet = data::user_packet(topic, &payload, to)?;
        self.request("send a data message", |reply| Command::Send { packet: Box::new(packet), reply }).await
    }

    /// Sets attributes of our own participant (an empty value removes one) and waits for the server's consent.
    ///
    /// # Errors
    /// [`RoomError::Refused`] if the token lacks `canUpdateOwnMetadata`; [`RoomError::Closed`], [`RoomError::Timeout`].
    pub async fn set_attributes(&self, attributes: Vec<(String, String)>) -> Result<(), RoomError> {
        self.request("set attributes", |reply| Command::SetAttributes { attributes, reply }).await
    }

    /// Leaves the room and waits until the server was told, the socket is closed and the task has ended (3 s at most).
    pub async fn leave(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // The task bounds its own shutdown; a panic in it has already been reported as the end of the events.
            let _ = task.await;
        }
    }

    async fn request<T>(
        &self,
        what: &'static str,
        command: impl FnOnce(oneshot::Sender<Result<T, RoomError>>) -> Command,
    ) -> Result<T, RoomError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.commands.send(command(reply)).await.map_err(|_| RoomError::Closed)?;
            answer.await.map_err(|_| RoomError::Closed)?
        };
        tokio::time::timeout(REQUEST_TIMEOUT, exchange).await.map_err(|_| RoomError::Timeout { what })?
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
