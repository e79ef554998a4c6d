//! The certificate of the API's control port, and the authority that runtime pods check it against.
//!
//! Two Secrets in the system namespace: `voxplane-control-ca` holds the authorities with their keys and is mounted
//! nowhere; `voxplane-control-tls` holds what the API needs (`ca.crt`, `tls.crt`, `tls.key`). Every tenant namespace
//! gets a ConfigMap with the authorities' certificates. A new authority is published a day before it signs anything, so
//! that every pod knows it by then.
//!
//! | module | job |
//! | --- | --- |
//! | [`state`] | what is stored, and what to do about it; pure |
//! | [`issue`] | makes keys and certificates |
//! | [`keeper`] | reads, decides, writes, repeats |

pub mod issue;
pub mod keeper;
pub mod state;

pub use keeper::ControlCa;

#[cfg(test)]
mod tests;
