//! The operator: makes the cluster, LiveKit and the database be as the five Voxplane resources say.
//!
//! Every kind has a folder with the same files, and every pass goes the same way: `observe` reads, `validate` judges,
//! `build` describes what should be, [`apply`] makes it so, `status` says how it went; `cleanup` undoes it, and
//! `controller` says which changes lead to a pass. `validate`, `build` and `status` are pure.
//!
//! | module | job |
//! | --- | --- |
//! | [`agency`], [`tenant`], [`voice_agent`], [`phone_number`], [`knowledge_base`] | one kind each |
//! | [`kind`] | the pass itself: finalizer, time limit, backoff, metrics |
//! | [`watch`] | caches shared by all controllers, and who is told of a change |
//! | [`apply`], [`applied`] | the only writer of objects in the cluster, and what it has written |
//! | [`claims`] | who has which telephone number |
//! | [`carriers`] | accounts at carriers that sell numbers |
//! | [`home`], [`namespaces`] | whose namespace it is |
//! | [`identity`], [`database`] | ids in Postgres, which may be away |
//! | [`livekit`] | trunks and dispatch rules |
//! | [`pool`] | what runtime pods report, and the marks that keep busy ones alive |
//! | [`control_tls`] | the certificate of the API's control port |
//! | [`status`] | conditions, and the roll-up into `Ready` |
//! | [`requests`], [`metrics`] | what it asks of the API server, and what else is counted |
//! | [`context`], [`config`], [`run`] | the process |
//! | [`rbac`] | the rights all this needs |

pub mod agency;
pub mod applied;
pub mod apply;
pub mod backoff;
pub mod caller_ids;
pub mod carriers;
pub mod claims;
pub mod config;
pub mod context;
pub mod control_tls;
pub mod database;
pub mod error;
pub mod events;
pub mod home;
pub mod identity;
pub mod kind;
pub mod knowledge_base;
pub mod livekit;
pub mod members;
pub mod metrics;
pub mod namespaces;
pub mod phone_number;
pub mod pool;
pub mod rbac;
pub mod requests;
pub mod run;
pub mod status;
pub mod tenant;
#[cfg(test)]
mod testing;
pub mod voice_agent;
pub mod watch;
