//! The error answer of every route: `{"error": {code, message, details, request_id}}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use voxplane_platform::error_chain::describe;

use super::code::Code;

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// Path of the field, for example `spec.greeting.text`.
    pub field: String,
    /// What kind of fault.
    pub code: Code,
    /// What to do about it.
    pub message: String,
}

/// The body of an error answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorContent,
}

/// What an error answer says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorContent {
    /// Stable code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The fields at fault, when fields are.
    pub details: Vec<Detail>,
    /// Quote it when you ask for help; it is also in the `x-request-id` header.
    #[serde(rename = "request_id")]
    pub request_id: String,
}

/// A request that was not served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Stable code; decides the HTTP status.
    pub code: Code,
    /// For the caller.
    pub message: String,
    /// Fields at fault.
    pub details: Vec<Detail>,
    /// Seconds until trying again is worth it.
    pub retry_after: Option<u64>,
    /// For our log only; never sent.
    pub cause: Option<String>,
}

impl ApiError {
    /// An error with a message and nothing else.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new(), retry_after: None, cause: None }
    }

    /// The one answer to unknown and foreign ids: identical, so that ids cannot be probed.
    pub fn not_found() -> Self {
        Self::new(Code::ResNotFound, "there is no such resource")
    }

    /// One field at fault.
    pub fn field(field: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = Detail { field: field.into(), code, message: message.clone() };
        Self { details: vec![detail], ..Self::new(code, message) }
    }

    /// Adds what the log should know.
    pub fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        self.cause = Some(describe(cause));
        self
    }

    /// Adds when to try again.
    pub fn retry_in(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    /// The body is written by [`finish`], which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of an error answer; logs faults of ours with their cause.
pub fn finish(response: Response, request_id: &str) -> Response {
    let Some(error) = error_of(&response) else { return response };
    if response.status().is_server_error() {
        tracing::error!(
            request.id = request_id,
            code = ?error.code,
            cause = error.cause.as_deref().unwrap_or("-"),
            "a request failed through a fault of ours"
        );
    }
    let (parts, _) = response.into_parts();
    let content = ErrorContent {
        code: error.code,
        message: error.message,
        details: error.details,
        request_id: request_id.to_owned(),
    };
    let mut answer = (error.code.status(), Json(ErrorBody { error: content })).into_response();
    if let Some(allow) = parts.headers.get(http::header::ALLOW) {
        answer.headers_mut().insert(http::header::ALLOW, allow.clone());
    }
    if parts.status == StatusCode::METHOD_NOT_ALLOWED {
        *answer.status_mut() = parts.status;
    }
    if let Some(seconds) = error.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// Our own errors, and those of the layers below (time-outs, size limits, unknown paths), in one form.
fn error_of(response: &Response) -> Option<ApiError> {
    if let Some(error) = response.extensions().get::<ApiError>() {
        return Some(error.clone());
    }
    let status = response.status();
    Some(match status {
        _ if !(status.is_client_error() || status.is_server_error()) => return None,
        StatusCode::NOT_FOUND => ApiError::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(Code::ValInvalidFormat, "this path does not have this method; see the Allow header")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Code::ValTooLong, "the body is larger than 1 MiB"),
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => {
            ApiError::new(Code::SrvTimeout, "the request took longer than 15 s; try again").retry_in(1)
        }
        status if status.is_client_error() => ApiError::new(Code::ValInvalidFormat, "the request is malformed"),
        _ => ApiError::new(Code::SrvInternalError, "something went wrong on our side"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stay_in_the_log() {
        let error = ApiError::new(Code::SrvInternalError, "something went wrong on our side")
            .caused_by(&std::io::Error::other("the secret reason"));
        assert!(error.cause.as_deref().unwrap().contains("secret reason"));
        assert!(!error.message.contains("secret"));
    }

    #[test]
    fn answers_of_layers_below_get_our_form() {
        let error = error_of(&StatusCode::REQUEST_TIMEOUT.into_response()).unwrap();
        assert_eq!(error.code, Code::SrvTimeout);
        assert!(error_of(&StatusCode::NO_CONTENT.into_response()).is_none());
    }
}
