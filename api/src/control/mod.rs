//! `control.v1`: runtime pods dial in, get calls, and tell what happened.

mod commands;
mod hello;
mod knowledge;
mod ledger;
mod registry;
mod search;
mod server;
mod service;
mod session;
mod tls;
mod wire;

pub use commands::HANG_UP;
pub use commands::deliver;
pub use knowledge::Knowledge;
pub use registry::{Answer, Pod, PodInfo, Registry, Work};
pub use server::{ServerError, bind, serve};
pub use service::{ControlParts, ControlService, KubeClient};
pub use tls::{ControlCertificate, TlsError};

#[cfg(all(test, feature = "test-postgres"))]
mod tests;
