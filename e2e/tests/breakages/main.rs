//! Parts that are broken under a live call: alone with the lab. Needs a running lab.
#![cfg(feature = "lab")]
#![allow(clippy::print_stdout, missing_docs)]

mod api_outage;
mod control_plane;
mod drain;
mod node_drain;
