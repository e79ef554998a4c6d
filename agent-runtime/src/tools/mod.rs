//! Tools that agents use: requests to services of the tenant.
//!
//! | file | job |
//! | --- | --- |
//! | [`set`] | a call's tools: what the model gets to know, and whether arguments are right |
//! | [`request`] | tool and arguments → the request; pure |
//! | [`address`] | which addresses a request may go to; pure |
//! | [`client`] | the connection: resolves names itself, and connects to nothing but what [`address`] permits |
//! | [`run`] | one use: attempts, time, what the model is told |

mod address;
mod client;
mod request;
mod run;
mod set;

pub use address::Egress;
pub use client::ToolClient;
pub use run::{Job, run};
pub use set::ToolSet;

#[cfg(test)]
mod tests;
