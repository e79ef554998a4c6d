//! Exactly one number, whatever crashes: a purchase and a release against a stand-in of the carrier over the wire and a
//! real Postgres, cut off at every single effect.
//!
//! `cargo test -p voxplane-operator --features test-postgres --test purchase` with `VOXPLANE_TEST_DATABASE_URL` = superuser
//! of a server used for tests only.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod crashes;
mod cut;
mod faults;
mod world;
