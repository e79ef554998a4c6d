//! Our audio track: announced, negotiated, then spoken through.

use std::sync::Arc;
use std::time::Instant;

use livekit_protocol as proto;
use tokio::sync::oneshot;

use super::RoomError;
use super::speaker::{Shared, Speaker};
use crate::clock::{CallClock, Position};
use crate::codec::{CodecError, Encoder};
use crate::pacer::PlayoutEvent;

pub(super) type PublishReply = oneshot::Sender<Result<Speaker, RoomError>>;

/// Name of our only track on the client side.
const CID: &str = "voxplane-audio";

/// One encoded frame.
pub(super) struct Packet {
    pub(super) at: Position,
    pub(super) talkspurt_start: bool,
    pub(super) payload: Vec<u8>,
}

/// How far publishing has come.
pub(super) enum Publication {
    /// Nothing was asked for.
    None,
    /// The server was told.
    Requested { shared: Arc<Shared>, encoder: Encoder, reply: PublishReply },
    /// The server knows the track; its media section is being negotiated.
    Negotiating { shared: Arc<Shared>, encoder: Encoder, reply: PublishReply, track: String },
    /// The track carries audio.
    Live { shared: Arc<Shared>, encoder: Encoder },
}

impl Publication {
    /// The owner wants a track. Returns the request for the server, or answers the owner with what is wrong.
    pub(super) fn request(
        &mut self,
        name: String,
        reply: PublishReply,
        clock: CallClock,
    ) -> Option<proto::AddTrackRequest> {
        if !matches!(self, Publication::None) {
            let _ = reply.send(Err(RoomError::AlreadyPublished));
            return None;
        }
        let encoder = match Encoder::new() {
            Ok(encoder) => encoder,
            Err(error) => {
                let _ = reply.send(Err(error.into()));
                return None;
            }
        };
        *self = Publication::Requested { shared: Shared::new(clock), encoder, reply };
        Some(proto::AddTrackRequest {
            cid: CID.to_owned(),
            name,
            r#type: proto::TrackType::Audio as i32,
            source: proto::TrackSource::Microphone as i32,
            audio_features: vec![proto::AudioTrackFeature::TfNoDtx as i32],
            disable_red: true,
            ..Default::default()
        })
    }

    /// The server announced the track. `true` if it now wants an offer.
    pub(super) fn announced(&mut self, cid: &str, track: String) -> bool {
        match std::mem::replace(self, Publication::None) {
            Publication::Requested { shared, encoder, reply } if cid == CID => {
                *self = Publication::Negotiating { shared, encoder, reply, track };
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }

    /// An answer was applied; `can_send` says whether it opened our section.
    pub(super) fn negotiated(&mut self, can_send: bool) {
        if !can_send {
            return;
        }
        *self = match std::mem::replace(self, Publication::None) {
            Publication::Negotiating { shared, encoder, reply, track } => {
                let _ = reply.send(Ok(Speaker::new(shared.clone(), track)));
                Publication::Live { shared, encoder }
            }
            other => other,
        };
    }

    /// The server refused the track.
    pub(super) fn refused(&mut self, error: RoomError) {
        match std::mem::replace(self, Publication::None) {
            Publication::Requested { reply, .. } => {
                let _ = reply.send(Err(error));
            }
            other => *self = other,
        }
    }

    /// When [`Publication::speak`] is due.
    pub(super) fn due(&self, clock: &CallClock, now: Instant) -> Option<Instant> {
        let Publication::Live { shared, .. } = self else { return None };
        shared.pacer().due(clock.position(now)).map(|due| clock.instant(due))
    }

    /// What the live track shares with its speakers.
    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        match self {
            Publication::Live { shared, .. } => Some(shared.clone()),
            _ => None,
        }
    }

    /// The packets due at `now`, and what there is to tell.
    pub(super) fn speak(&mut self, now: Position) -> Result<(Vec<Packet>, Vec<PlayoutEvent>), CodecError> {
        let Publication::Live { shared, encoder } = self else { return Ok(Default::default()) };
        let (frames, events) = {
            let mut pacer = shared.pacer();
            let frames = pacer.tick(now);
            (frames, std::iter::from_fn(|| pacer.poll_event()).collect())
        };
        let encode = |frame: crate::pacer::Frame| {
            let payload = encoder.encode(&frame.pcm)?;
            Ok(Packet { at: frame.at, talkspurt_start: frame.talkspurt_start, payload })
        };
        Ok((frames.into_iter().map(encode).collect::<Result<_, CodecError>>()?, events))
    }
}
