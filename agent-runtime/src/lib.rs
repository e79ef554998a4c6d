//! The voice agent runtime: takes calls from the API, joins their rooms and runs conversations.
//!
//! | module | job |
//! | --- | --- |
//! | [`app`] | starts and stops everything |
//! | [`config`] | the environment, checked |
//! | [`control_client`] | the one connection to the API |
//! | [`calls`], [`slots`] | the calls of this pod and how many there may be |
//! | [`call`] | one call: a task tree around the engine (`voxplane-session`) |
//! | [`providers`] | speech recognition, language models, speech synthesis, voice detection |
//! | [`spool`] | ledger events until the API has them |
//! | [`drain`] | stopping without cutting anyone off |
//! | [`self_check`], [`metrics`] | what can be seen from outside |
//!
//! It speaks only to the API (gRPC), LiveKit and the providers: no database, no Kubernetes API.

pub mod app;
pub mod call;
pub mod calls;
pub mod config;
pub mod control_client;
pub mod drain;
pub mod metrics;
pub mod providers;
pub mod self_check;
pub mod slots;
pub mod spool;
