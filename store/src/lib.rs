//! Postgres access: what happened, and the ids everything refers to.
//!
//! Every statement runs in a [`ScopedTx`], a transaction that declares on whose behalf it runs; row-level security in
//! the database shows it nothing else. Repositories are plain functions over such a transaction, so that a caller
//! combines them into one commit:
//!
//! ```no_run
//! # async fn example(db: voxplane_store::Db, agency: voxplane_store::AgencyId, call: voxplane_store::CallId)
//! # -> Result<(), voxplane_store::StoreError> {
//! use voxplane_store::{Scope, calls};
//! let mut tx = db.begin(&Scope::agency(agency)).await?;
//! let limits = calls::Limits { agency_max: 20, tenant_max: 5, ..Default::default() };
//! let admission = calls::admit(&mut tx, call, &limits).await?;
//! tx.commit().await
//! # }
//! ```
//!
//! | module | job |
//! | --- | --- |
//! | [`Db`], [`Scope`], [`ScopedTx`] | connections, start-up checks, transactions |
//! | [`resources`] | ids of Kubernetes objects |
//! | [`calls`] | calls: creation, admission, lease and epoch, end |
//! | [`events`] | the ledger, and the transcript read from it |
//! | [`keys`], [`DataKey`] | per-call encryption and erasure |
//! | [`commands`] | what people ask of running calls |
//! | [`sessions`] | connected runtime pods |
//! | [`knowledge`] | passages and full-text search |
//! | [`number_orders`] | what was asked of carriers |
//! | [`migrate`], [`bootstrap_roles`] | the schema and the roles that use it |
//!
//! Times are [`jiff::Timestamp`]; comparisons that decide anything (leases, expiry) use the database's clock.

mod bootstrap;
pub mod calls;
pub mod commands;
mod crypto;
mod db;
mod error;
pub mod events;
mod ids;
pub mod keys;
pub mod knowledge;
mod listen;
mod migrations;
pub mod number_orders;
pub mod resources;
mod scope;
pub mod sessions;
#[cfg(feature = "test-postgres")]
pub mod testing;
mod text_enum;
mod timestamp;

pub use bootstrap::{RoleUrls, bootstrap_roles};
pub use crypto::{DataKey, EncryptionError};
pub use db::{Db, DbOptions};
pub use error::StoreError;
pub use ids::{AgencyId, AgentId, CallId, CommandId, KnowledgeBaseId, SessionId, TenantId};
pub use listen::{CallListener, Wake};
pub use migrations::{Migrated, migrate, needed_schema_version};
pub use scope::{Scope, ScopedTx};
