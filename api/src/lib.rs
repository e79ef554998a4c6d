//! The API: LiveKit worker and call placement, the control port of runtime pods, the ledger, REST.
//!
//! | module | job |
//! | --- | --- |
//! | [`config`] | command line and environment, checked |
//! | [`serve`], [`migrate`] | what the binary does |
//! | [`cluster`] | the only module with a Kubernetes client: reflectors in, server-side apply out |
//! | [`livekit`] | the agent worker connection, the room service, per-call tokens |
//! | [`placement`] | number → tenant → agent → pod, or a refusal |
//! | [`control`] | gRPC for runtime pods: sessions, leases, events, commands, passages |
//! | [`lifecycle`] | the end of a call |
//! | [`sweeper`] | puts right what got lost |
//! | [`auth`] | who is calling |
//! | [`rest`] | `/api/v1` |
//! | [`metrics`] | what is measured |

pub mod auth;
pub mod cluster;
pub mod config;
pub mod control;
pub mod lifecycle;
pub mod livekit;
pub mod metrics;
pub mod migrate;
pub mod placement;
pub mod refusal;
pub mod rest;
pub mod serve;
pub mod sweeper;

#[cfg(test)]
mod fixture;
#[cfg(all(test, feature = "test-postgres"))]
mod testbed;
