//! The contract between the API and agent-runtime pods: gRPC over TLS, dialled by the pod.
//!
//! The contract is additive only (`proto/voxplane/control/v1/control.proto`); [`version`] holds the versions both sides
//! negotiate in `Hello` and `Welcome`.

pub mod version;

/// Messages and services of `voxplane.control.v1`.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("voxplane.control.v1");
}

/// Audience of the projected ServiceAccount token a pod sends in `Hello`.
pub const TOKEN_AUDIENCE: &str = "voxplane-runtime";
