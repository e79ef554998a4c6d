//! Deletions that survive any crash: the operator against a real API server, a real Postgres, a real LiveKit and a
//! stand-in of the carrier, ended at every single effect and started again.
//!
//! `cargo test -p voxplane-operator --all-features --test deletion` with `KUBECONFIG` = a cluster used for tests only, in
//! which no operator runs, `VOXPLANE_TEST_DATABASE_URL` = superuser of such a Postgres, and
//! `VOXPLANE_TEST_LIVEKIT_{URL,KEY,SECRET}`.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cut`] | counts effects and ends the process at them |
//! | [`cluster`], [`livekit`], [`postgres`] | the connections of a process, which die with it |
//! | [`process`] | an operator that lives as often as it must |
//! | [`world`] | agencies and what they have |
//! | [`order`] | every effect of a deletion cut off |
//! | [`halves`] | deletions at every effect of a creation |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod cluster;
mod cut;
mod halves;
mod livekit;
mod order;
mod postgres;
mod process;
mod world;
