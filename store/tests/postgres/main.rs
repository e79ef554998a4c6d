//! The store against a real Postgres: `cargo test -p voxplane-store --features test-postgres` with
//! `VOXPLANE_TEST_DATABASE_URL` = superuser of a server used for tests only.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod admission;
mod bootstrap;
mod catalogue;
mod commands;
mod embeddings;
mod isolation;
mod knowledge;
mod lease;
mod ledger;
mod number_orders;
mod resources;
mod sessions;
mod startup;
mod support;
mod usage;
