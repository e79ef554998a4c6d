//! The one task of a room: socket, WebRTC, signalling, speech and requests in one loop.

mod signalling;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use livekit_protocol::signal_request::Message as Request;
use livekit_signaling::{SignalClient, SignalEvent, SignalEvents};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::data::Receiver;
use super::event::{EventSender, ReaderStalled};
use super::outbox::Outbox;
use super::peer::{Peer, PeerEvent, Step};
use super::publication::{Publication, PublishReply};
use super::roster::Roster;
use super::speaker::Shared;
use super::{AudioPacket, DisconnectReason, JoinError, RoomError, RoomEvent};
use crate::clock::CallClock;

/// A server that is not heard for this long is lost. A network may stumble for a moment; ICE itself would wait 15 s.
const SILENCE_LIMIT: Duration = Duration::from_secs(5);
/// After the peer connection closed, signalling has this long to say why.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// Signalling writes that take longer mean a dead connection.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Larger than any datagram of a 1500-byte network.
const DATAGRAM: usize = 2048;

type Reply<T> = oneshot::Sender<Result<T, RoomError>>;

/// A request of the room's owner.
pub(super) enum Command {
    Publish { name: String, reply: PublishReply },
    Send { packet: Box<proto::DataPacket>, reply: Reply<()> },
    SetAttributes { attributes: Vec<(String, String)>, reply: Reply<()> },
}

/// What a task is made of.
pub(super) struct Parts {
    pub(super) peer: Peer,
    pub(super) socket: UdpSocket,
    pub(super) signal: SignalClient,
    pub(super) signals: SignalEvents,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: EventSender,
    pub(super) stop: CancellationToken,
    pub(super) clock: CallClock,
    pub(super) local_sid: String,
    pub(super) others: Vec<proto::ParticipantInfo>,
    pub(super) connected: oneshot::Sender<Result<(), JoinError>>,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
}

/// Why the loop ends.
enum End {
    Room(DisconnectReason),
    Join(JoinError),
}

impl From<ReaderStalled> for End {
    fn from(error: ReaderStalled) -> Self {
        tracing::error!(%error, "leaving the room");
        End::Room(DisconnectReason::Internal)
    }
}

impl From<str0m::RtcError> for End {
    fn from(error: str0m::RtcError) -> Self {
        tracing::warn!(%error, "the peer connection failed");
        End::Room(DisconnectReason::TransportLost)
    }
}

/// See the [module's documentation](self).
pub(super) struct RoomTask {
    peer: Peer,
    socket: UdpSocket,
    signal: SignalClient,
    signals: SignalEvents,
    commands: mpsc::Receiver<Command>,
    events: EventSender,
    stop: CancellationToken,
    clock: CallClock,
    roster: Roster,
    receiver: Receiver,
    publication: Publication,
    outbox: Outbox,
    /// Owners who wait for the server's verdict on a request.
    asked: HashMap<u32, Reply<()>>,
    joining: Option<(oneshot::Sender<Result<(), JoinError>>, Instant)>,
    timeout: Duration,
    /// When the server was last heard over UDP.
    heard: Instant,
    /// When a closed connection becomes the end.
    doom: Option<Instant>,
    buffer: Vec<u8>,
}

impl RoomTask {
    pub(super) fn new(parts: Parts) -> Self {
        let mut task = Self {
            peer: parts.peer,
            socket: parts.socket,
            signal: parts.signal,
            signals: parts.signals,
            commands: parts.commands,
            events: parts.events,
            stop: parts.stop,
            clock: parts.clock,
            roster: Roster::new(parts.local_sid),
            receiver: Receiver::default(),
            publication: Publication::None,
            outbox: Outbox::default(),
            asked: HashMap::new(),
            joining: Some((parts.connected, parts.deadline)),
            timeout: parts.timeout,
            heard: Instant::now(),
            doom: None,
            buffer: vec![0; DATAGRAM],
        };
        // The channel is empty, so the participants already present fit.
        let _ = task.update(parts.others);
        task
    }

    /// Runs until the room ends, then closes everything (bounded).
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        // Boxed: the future would carry a second copy of the peer.
        Box::pin(self.close(end)).await;
    }

    /// One round: let the peer do everything it wants, then wait for one input and handle it.
    async fn turn(&mut self) -> Result<(), End> {
        let mut wake = self.drain().await?;
        if self.outbox.flush(|message| self.peer.send_data(message))? {
            wake = self.drain().await?;
        }
        if let Some(offer) = self.peer.offer() {
            self.request(Request::Offer(offer)).await?;
            wake = self.drain().await?;
        }
        let deadline = self.deadline();
        let frame_due = self.publication.due(&self.clock, Instant::now());
        let speech = self.publication.shared();

        tokio::select! {
            // In this order, so that speech is on time and nobody is declared lost while their datagrams wait.
            biased;
            () = self.stop.cancelled() => Err(End::Room(DisconnectReason::Left)),
            () = sleep_until(frame_due) => self.speak().await,
            () = speech_changed(speech) => Ok(()),
            () = sleep_until(Some(wake)) => Ok(self.peer.timeout(Instant::now())?),
            event = self.signals.recv() => match event {
                Some(SignalEvent::Message(message)) => self.signalled(*message).await,
                Some(SignalEvent::Close(_)) | None => {
                    tracing::debug!("the signalling connection is gone");
                    Err(End::Room(DisconnectReason::TransportLost))
                }
            },
            command = self.commands.recv() => match command {
                Some(command) => self.command(command).await,
                // The handle is gone; its drop has cancelled the token.
                None => Err(End::Room(DisconnectReason::Left)),
            },
            received = self.socket.recv_from(&mut self.buffer) => match received {
                Ok((size, source)) => {
                    let now = Instant::now();
                    if self.peer.receive(&self.buffer[..size], source, now)? {
                        self.heard = now;
                    }
                    Ok(())
                }
                // An ICMP error of an earlier datagram: the server may still be heard again.
                Err(error) => { tracing::debug!(%error, "receiving failed"); Ok(()) }
            },
            () = sleep_until(Some(deadline)) => Err(self.out_of_time()),
        }
    }

    /// When waiting becomes the end: of the time for joining, or of patience with a server that is not heard.
    fn deadline(&self) -> Instant {
        match &self.joining {
            Some((_, deadline)) => *deadline,
            None => self.doom.unwrap_or(self.heard + SILENCE_LIMIT),
        }
    }

    /// Sends the peer's datagrams and handles its events until it waits.
    async fn drain(&mut self) -> Result<Instant, End> {
        loop {
            match self.peer.poll()? {
                Step::Wait(until) => {
                    if !self.peer.is_alive() && self.doom.is_none() {
                        self.doom = Some(Instant::now() + CLOSE_GRACE);
                    }
                    return Ok(until);
                }
                Step::Transmit(transmit) => {
                    // UDP: what cannot be sent is lost like any datagram.
                    if let Err(error) = self.socket.send_to(&transmit.contents, transmit.destination).await {
                        tracing::debug!(%error, "sending failed");
                    }
                }
                Step::Event(event) => self.peer_event(event)?,
            }
        }
    }

    fn peer_event(&mut self, event: PeerEvent) -> Result<(), End> {
        match event {
            PeerEvent::Connected => {
                if let Some((connected, _)) = self.joining.take() {
                    // If nobody waits any more, the drop guard has cancelled us.
                    let _ = connected.send(Ok(()));
                }
            }
            PeerEvent::Closed => self.doom = Some(Instant::now() + CLOSE_GRACE),
            PeerEvent::DataReady => self.outbox.open(),
            PeerEvent::Data(message) => {
                if let Some(event) = self.receiver.receive(&message) {
                    self.events.send(event)?;
                }
            }
            PeerEvent::Audio { mid, arrival, seq, rtp_time, payload } => {
                if let Some(track) = self.roster.track_on(&mid) {
                    let packet = AudioPacket { track: track.clone(), arrival, rtp_time, seq, payload };
                    self.events.send(RoomEvent::Audio(packet))?;
                }
            }
        }
        Ok(())
    }

    /// Sends the frames that are due and reports playout.
    async fn speak(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let (packets, events) = self.publication.speak(self.clock.position(now)).map_err(|error| {
            tracing::error!(%error, "encoding failed");
            End::Room(DisconnectReason::Internal)
        })?;
        for packet in packets {
            self.peer.send_audio(packet.at, packet.talkspurt_start, packet.payload, now)?;
            self.drain().await?;
        }
        for event in events {
            self.events.send(RoomEvent::Playout(event))?;
        }
        Ok(())
    }

    fn out_of_time(&self) -> End {
        match &self.joining {
            Some(_) => End::Join(JoinError::MediaBlocked {
                local: self.peer.local(),
                remote: self.peer.remote(),
                waited: self.timeout,
            }),
            None => End::Room(DisconnectReason::TransportLost),
        }
    }

    async fn close(self, end: End) {
        let Self { mut peer, socket, signal, events, joining, .. } = self;
        let (reason, error) = match end {
            End::Room(reason) => (reason, JoinError::Refused { reason }),
            End::Join(error) => (DisconnectReason::TransportLost, error),
        };
        if let Some((connected, _)) = joining {
            let _ = connected.send(Err(error));
        }
        // First of all, the owner learns that speech has ended.
        events.finish(reason);
        if matches!(reason, DisconnectReason::Left | DisconnectReason::TransportLost | DisconnectReason::Internal) {
            let leave = proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated as i32,
                action: proto::leave_request::Action::Disconnect as i32,
                ..Default::default()
            };
            // Without it the server keeps us until its own timeout; nothing more can be done here.
            let _ = tokio::time::timeout(SIGNAL_TIMEOUT, signal.send(Request::Leave(leave))).await;
        }
        peer.close();
        while let Ok(step @ (Step::Transmit(_) | Step::Event(_))) = peer.poll() {
            if let Step::Transmit(transmit) = step {
                let _ = socket.send_to(&transmit.contents, transmit.destination).await;
            }
        }
        if tokio::time::timeout(SIGNAL_TIMEOUT, signal.close()).await.is_err() {
            tracing::debug!("the signalling connection did not close in time");
        }
    }
}

async fn speech_changed(speech: Option<Arc<Shared>>) {
    match speech {
        Some(speech) => speech.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
