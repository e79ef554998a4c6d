//! The lab runs every real part of the platform on one machine: a Kubernetes node, LiveKit and LiveKit SIP, Redis,
//! Postgres with pgvector, an S3 store, the product's images and its Helm charts.
//!
//! A lab is one process tree in network, mount and pid namespaces of its own, so ports never clash with the host's,
//! several labs live side by side, and killing one process removes everything.
//!
//! | module | job |
//! | --- | --- |
//! | [`layout`] | names, addresses and paths of a lab: pure functions |
//! | [`state`] | what a lab remembers on disk: its index and its generated passwords |
//! | [`registry`] | which labs exist, which index is free, who may change one now |
//! | [`preflight`] | what the machine must offer, checked by trying it |
//! | [`tools`] | builds and caches every third-party part from its pin |
//! | [`init`] | the first process of a lab, which supervises all others, and the protocol to talk to it |
//! | [`net`] | the veth pair and route that lead from the host to the lab's node |
//! | [`cgroup`] | the lab's own control groups |
//! | [`pki`] | certificates and kubeconfigs |
//! | [`part`] | how each part is configured, started and probed |
//! | [`probe`] | real requests that decide whether a part works |
//! | [`up`], [`down`], [`status`], [`env`] | the commands |

pub mod cgroup;
pub mod command;
pub mod down;
pub mod env;
pub mod error;
pub mod init;
pub mod layout;
pub mod net;
pub mod oci;
pub mod part;
pub mod pki;
pub mod preflight;
pub mod probe;
pub mod registry;
pub mod report;
pub mod state;
pub mod status;
pub mod tools;
pub mod up;

pub use error::{LabError, Result};
