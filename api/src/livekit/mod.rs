//! Everything said to LiveKit: the agent worker connection, the room service and per-call tokens.

mod access;
mod protocol;
mod rooms;
mod worker;

pub use access::{AGENT_IDENTITY, CallTokens, LiveKitAccount, LiveKitUrlError, mint};
pub use rooms::{Leg, LegKind, RoomError, RoomSummary, Rooms, shown};
pub use worker::{AGENT_NAME, JobOffer, JobReport, Worker, WorkerStatus};
