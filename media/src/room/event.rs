//! What a room tells its owner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use livekit_protocol as proto;
use tokio::sync::{mpsc, oneshot};

use crate::pacer::PlayoutEvent;

/// Events waiting for their reader, in number. At 50 packets a second this is eight seconds of one caller.
const CAPACITY: usize = 512;

/// Places that audio leaves free, so that a slow reader loses audio before it loses anything else.
const RESERVED: usize = 128;

/// What kind of client a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParticipantKind {
    /// A browser, an app, a widget.
    Standard,
    /// A telephone, through LiveKit SIP.
    Sip,
    /// An agent.
    Agent,
    /// A media source (ingress, connector or bridge).
    Source,
    /// A recorder.
    Egress,
    /// A kind this version does not know.
    Other,
}

impl ParticipantKind {
    pub(super) fn from_wire(kind: i32) -> Self {
        use proto::participant_info::Kind;
        match Kind::try_from(kind) {
            Ok(Kind::Standard) => Self::Standard,
            Ok(Kind::Sip) => Self::Sip,
            Ok(Kind::Agent) => Self::Agent,
            Ok(Kind::Ingress | Kind::Connector | Kind::Bridge) => Self::Source,
            Ok(Kind::Egress) => Self::Egress,
            Err(_) => Self::Other,
        }
    }
}

/// A participant of the room.
#[derive(Clone, PartialEq, Eq)]
pub struct Participant {
    /// The server's id of this session of the participant (`PA_…`).
    pub sid: String,
    /// The identity its token carries. May contain a telephone number (SIP).
    pub identity: String,
    /// What kind of client it is.
    pub kind: ParticipantKind,
    /// Its attributes, such as `sip.callStatus`. May contain telephone numbers.
    pub attributes: HashMap<String, String>,
}

/// Identity and attributes carry telephone numbers, so they are not printed.
impl std::fmt::Debug for Participant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Participant").field("sid", &self.sid).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// One received audio packet, before any buffering.
#[derive(Clone)]
pub struct AudioPacket {
    /// Which track (`TR_…`).
    pub track: Arc<str>,
    /// When the datagram was read from the socket.
    pub arrival: Instant,
    /// RTP timestamp at 48 kHz, extended past its 32 bits.
    pub rtp_time: u64,
    /// RTP sequence number, extended past its 16 bits.
    pub seq: u64,
    /// One Opus packet.
    pub payload: Arc<[u8]>,
}

impl std::fmt::Debug for AudioPacket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioPacket")
            .field("track", &self.track)
            .field("seq", &self.seq)
            .field("rtp_time", &self.rtp_time)
            .field("bytes", &self.payload.len())
            .finish()
    }
}

/// Why the room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// We left.
    Left,
    /// Another participant joined with our identity: whoever holds the call now, it is not us.
    DuplicateIdentity,
    /// The room was deleted.
    RoomDeleted,
    /// The server closed the room because everybody else had left.
    RoomClosed,
    /// We were removed.
    ParticipantRemoved,
    /// The LiveKit server is shutting down.
    ServerShutdown,
    /// Signalling or media is gone, or the server asked for a reconnect.
    TransportLost,
    /// The server gave a reason this version does not tell apart.
    Other,
    /// A bug in this crate or in the WebRTC library ended the task.
    Internal,
}

impl DisconnectReason {
    pub(super) fn from_leave(leave: &proto::LeaveRequest) -> Self {
        use proto::DisconnectReason as Wire;
        use proto::leave_request::Action;
        match leave.reason() {
            Wire::ClientInitiated => Self::Left,
            Wire::DuplicateIdentity => Self::DuplicateIdentity,
            Wire::RoomDeleted => Self::RoomDeleted,
            Wire::RoomClosed => Self::RoomClosed,
            Wire::ParticipantRemoved => Self::ParticipantRemoved,
            Wire::ServerShutdown => Self::ServerShutdown,
            _ if leave.action() != Action::Disconnect => Self::TransportLost,
            Wire::StateMismatch
            | Wire::Migration
            | Wire::SignalClose
            | Wire::ConnectionTimeout
            | Wire::MediaFailure
            | Wire::JoinFailure => Self::TransportLost,
            _ => Self::Other,
        }
    }
}

/// Something that happened in the room.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RoomEvent {
    /// A participant is in the room (also sent for those that were there before us).
    ParticipantJoined(Participant),
    /// A participant's attributes changed.
    AttributesChanged {
        /// The participant with all its attributes.
        participant: Participant,
        /// Names of the attributes that were set, changed or removed.
        changed: Vec<String>,
    },
    /// A participant left.
    ParticipantLeft(Participant),
    /// We receive this audio track from now on.
    TrackSubscribed {
        /// The track (`TR_…`).
        track: Arc<str>,
        /// Identity of its publisher.
        participant: String,
    },
    /// We no longer receive this audio track.
    TrackUnsubscribed {
        /// The track (`TR_…`).
        track: Arc<str>,
    },
    /// One audio packet.
    Audio(AudioPacket),
    /// A telephone digit.
    Dtmf {
        /// Identity of the sender.
        participant: String,
        /// The digit (`0`-`9`, `*`, `#`, `A`-`D`).
        digit: char,
        /// Its RFC 4733 event code.
        code: u32,
    },
    /// A data message.
    Data {
        /// Identity of the sender; `None` if the server sent it.
        participant: Option<String>,
        /// The sender's topic, possibly empty.
        topic: String,
        /// The message.
        payload: Bytes,
    },
    /// The first other participant subscribed to our track: it is heard from now on.
    LocalTrackSubscribed {
        /// Our track (`TR_…`).
        track: String,
    },
    /// An utterance reached a point of its playout.
    Playout(PlayoutEvent),
    /// The room ended. Always the last event.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
    },
}

/// The room's events, in order. Ends with [`RoomEvent::Disconnected`], then `None`.
#[derive(Debug)]
pub struct RoomEvents {
    events: mpsc::Receiver<RoomEvent>,
    end: Option<oneshot::Receiver<DisconnectReason>>,
}

impl RoomEvents {
    /// The next event. Cancel safe.
    pub async fn recv(&mut self) -> Option<RoomEvent> {
        if let Some(event) = self.events.recv().await {
            return Some(event);
        }
        let end = self.end.as_mut()?;
        // The task drops its end without a reason only when it panicked.
        let reason = end.await.unwrap_or(DisconnectReason::Internal);
        self.end = None;
        Some(RoomEvent::Disconnected { reason })
    }
}

/// The task's side of [`RoomEvents`].
pub(super) struct EventSender {
    events: mpsc::Sender<RoomEvent>,
    end: oneshot::Sender<DisconnectReason>,
    dropped: u64,
}

/// The reader has not emptied the channel for so long that events other than audio would be lost.
#[derive(Debug, thiserror::Error)]
#[error("the room's events are not being read")]
pub(super) struct ReaderStalled;

pub(super) fn channel() -> (EventSender, RoomEvents) {
    let (events, receiver) = mpsc::channel(CAPACITY);
    let (end, end_receiver) = oneshot::channel();
    (EventSender { events, end, dropped: 0 }, RoomEvents { events: receiver, end: Some(end_receiver) })
}

impl EventSender {
    /// Sends one event without waiting. Audio is dropped when the reader is far behind.
    pub(super) fn send(&mut self, event: RoomEvent) -> Result<(), ReaderStalled> {
        if matches!(event, RoomEvent::Audio(_)) && self.events.capacity() <= RESERVED {
            if self.dropped.is_power_of_two() || self.dropped == 0 {
                tracing::warn!(dropped = self.dropped + 1, "room events are read too slowly, audio is dropped");
            }
            self.dropped += 1;
            return Ok(());
        }
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(ReaderStalled),
        }
    }

    /// Ends the stream with its last event.
    pub(super) fn finish(self, reason: DisconnectReason) {
        // Nobody reads any more when this fails.
        let _ = self.end.send(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio() -> RoomEvent {
        RoomEvent::Audio(AudioPacket {
            track: "TR_1".into(),
            arrival: Instant::now(),
            rtp_time: 0,
            seq: 0,
            payload: Arc::from(&b"x"[..]),
        })
    }

    #[tokio::test]
    async fn a_slow_reader_loses_audio_but_no_other_event() {
        let (mut sender, mut events) = channel();
        for _ in 0..2 * CAPACITY {
            sender.send(audio()).unwrap();
        }
        sender.send(RoomEvent::LocalTrackSubscribed { track: "TR_2".into() }).unwrap();
        sender.finish(DisconnectReason::RoomDeleted);

        let mut received = Vec::new();
        while let Some(event) = events.recv().await {
            received.push(event);
        }
        assert_eq!(received.len(), CAPACITY - RESERVED + 2);
        assert!(matches!(received[received.len() - 2], RoomEvent::LocalTrackSubscribed { .. }));
        assert!(matches!(
            received[received.len() - 1],
            RoomEvent::Disconnected { reason: DisconnectReason::RoomDeleted }
        ));
    }

    #[tokio::test]
    async fn a_full_channel_is_reported_when_an_event_would_be_lost() {
        let (mut sender, _events) = channel();
        for n in 0..CAPACITY {
            assert!(sender.send(RoomEvent::LocalTrackSubscribed { track: String::new() }).is_ok(), "event {n}");
        }
        assert!(sender.send(RoomEvent::LocalTrackSubscribed { track: String::new() }).is_err());
    }

    #[tokio::test]
    async fn a_panicking_task_ends_as_internal() {
        let (sender, mut events) = channel();
        drop(sender);
        assert!(matches!(events.recv().await, Some(RoomEvent::Disconnected { reason: DisconnectReason::Internal })));
        assert!(events.recv().await.is_none());
    }

    #[test]
    fn leave_reasons() {
        use proto::DisconnectReason as Wire;
        use proto::leave_request::Action;
        let leave = |reason: Wire, action: Action| {
            DisconnectReason::from_leave(&proto::LeaveRequest {
                reason: reason as i32,
                action: action as i32,
                ..Default::default()
            })
        };
        assert_eq!(leave(Wire::DuplicateIdentity, Action::Disconnect), DisconnectReason::DuplicateIdentity);
        assert_eq!(leave(Wire::RoomDeleted, Action::Disconnect), DisconnectReason::RoomDeleted);
        assert_eq!(leave(Wire::ServerShutdown, Action::Reconnect), DisconnectReason::ServerShutdown);
        assert_eq!(leave(Wire::UnknownReason, Action::Resume), DisconnectReason::TransportLost);
        assert_eq!(leave(Wire::UserRejected, Action::Disconnect), DisconnectReason::Other);
    }
}
