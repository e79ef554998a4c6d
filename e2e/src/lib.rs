//! End-to-end tests of Voxplane against the real parts: what a caller hears, what kubectl shows, what the API remembers.
//!
//! The lab that runs the parts is the crate `voxplane-lab`; here are the tests' hands, ears and eyes.

pub mod admission;
#[path = "caller/mod.rs"]
pub mod caller;
pub mod cluster;
pub mod env;
pub mod heard;
pub mod lab;
pub mod livekit;
pub mod market;
pub mod rest;
pub mod scenario;
pub mod scratch;
pub mod voice;
pub mod world;
