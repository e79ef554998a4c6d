//! The router as a whole: contract of errors, and who may see what.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

mod branding;
mod contract;
mod document;
#[cfg(feature = "test-postgres")]
mod isolation;
mod world;

#[cfg(feature = "test-postgres")]
pub use world::{no_cluster as test_no_cluster, tokens as test_tokens};

/// A platform administrator's access token.
#[cfg(feature = "test-postgres")]
pub fn test_token() -> String {
    world::token(crate::auth::Role::PlatformAdmin, None, None)
}
