//! A LiveKit participant on str0m: audio in, audio out, data, DTMF.
//!
//! [`Room::join`] is the one door: it joins a room and spawns one task that owns the socket, the WebRTC state machine
//! and the signalling connection. The caller gets a [`Room`] handle, a stream of [`RoomEvent`]s and, once it publishes,
//! a [`Speaker`] that paces speech. Everything else is pure and runs in virtual time:
//!
//! | module | job |
//! | --- | --- |
//! | [`clock`] | the call clock: 48 kHz samples since the call began |
//! | [`pacer`] | one 20 ms frame per tick, flush, ducking, what was sent when |
//! | [`inbound`] | received packets → 16 kHz audio, once at arrival (VAD) and once in order (STT, recording) |
//! | [`jitter`] | reordering, adaptive patience, concealment |
//! | [`anchor`] | places received audio on the call clock by its arrival |
//! | [`codec`], [`resample`] | Opus, sample rates |
//!
//! Sample formats: 16-bit signed PCM, mono. Positions on the call clock are [`clock::Position`].

pub mod anchor;
pub mod clock;
pub mod codec;
pub mod inbound;
pub mod jitter;
pub mod pacer;
mod room;

pub use voxplane_resample as resample;

pub use room::{
    AudioPacket, Bind, Destinations, DisconnectReason, JoinError, JoinOptions, Participant, ParticipantKind, Room,
    RoomError, RoomEvent, RoomEvents, Speaker,
};
