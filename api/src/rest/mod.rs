//! The REST API: `/api/v1`, its error contract and its OpenAPI document.

mod code;
mod document;
mod error;
mod extract;
mod layers;
mod outcome;
mod page;
mod problems;
mod router;
mod routes;
mod views;
mod white_label;

pub use code::Code;
pub use document::openapi;
pub use error::{ApiError, Detail, ErrorBody};
pub use router::{App, router};

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "test-postgres"))]
pub use tests::{test_no_cluster, test_token, test_tokens};
