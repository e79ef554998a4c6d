//! Tools that agents use: requests to services of the tenant.
//!
//! | file | job |
//! | --- | --- |
//! | [`set`] | a call's tools: what the model gets to know, and whether arguments are right |
//! | [`request`] | tool and arguments → the request; pure |
//! | [`client`] | the connection, to nothing but what [`Egress`](voxplane_platform::egress::Egress) permits |
//! | [`run`] | one use: attempts, time, what the model is told |

mod client;
mod request;
mod run;
mod set;

pub use client::ToolClient;
pub use run::{Job, run};
pub use set::ToolSet;

#[cfg(test)]
mod tests;
