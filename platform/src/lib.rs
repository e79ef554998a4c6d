//! Process plumbing: what every Voxplane binary needs and none should write twice.
//!
//! | module | job |
//! | --- | --- |
//! | [`telemetry`] | structured logs, configured by the environment |
//! | [`redact`] | a wrapper that keeps personal data and secrets out of logs and documents |
//! | [`error_chain`] | one line for an error and its causes, without repeated text |
//! | [`shutdown`] | signals to a [`CancellationToken`](tokio_util::sync::CancellationToken); owner of tasks |
//! | [`health`] | named readiness checks with reasons |
//! | [`admin`] | the HTTP server for `/healthz`, `/readyz` and `/metrics` |
//! | [`metrics`] | a Prometheus registry that starts with build information |
//! | [`egress`] | which addresses requests may go to whose URLs tenants write |
//! | [`endpoint`] | where a key may be sent |
//! | [`tls`] | the process-wide TLS cryptography provider |

pub mod admin;
pub mod egress;
pub mod endpoint;
pub mod error_chain;
pub mod health;
pub mod metrics;
pub mod redact;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
