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
//! | [`tools`] | requests to the tenant's services that the language model asks for |
//! | [`spool`] | ledger events until the API has them |
//! | [`drain`] | stopping without cutting anyone off |
//! | [`self_check`], [`metrics`] | what can be seen from outside |
//!
//! It speaks only to the API (gRPC), LiveKit, the providers and, for tools, the tenant's services: no database, no Kubernetes API.

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
pub mod tools;
