//! HTTP answers as classes of errors. Pure.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};

use super::wire::{ErrorBody, ErrorResponse};
use crate::providers::ProviderError;

/// Longest vendor message we repeat; it may quote the prompt, and the log is not the place for that.
const MAX_MESSAGE: usize = 200;
/// Longest `Retry-After` we believe.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The error of a response that is not 200.
pub(super) fn error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    let body = serde_json::from_slice::<ErrorResponse>(body).map(|response| response.error).unwrap_or_default();
    match status.as_u16() {
        401 | 403 => ProviderError::Unauthorized,
        // The account is empty: waiting does not help.
        429 if is(&body, "insufficient_quota") => rejected(429, &body),
        429 => ProviderError::RateLimited { retry_after: retry_after(headers) },
        408 | 409 | 425 | 500.. => unavailable(status.as_u16(), &body),
        300..=399 => ProviderError::protocol(format!("status {status}; redirects are not followed, fix the base URL")),
        code => rejected(code, &body),
    }
}

/// The error of an event in the stream.
pub(super) fn in_stream(body: &ErrorBody) -> ProviderError {
    if is(body, "rate_limit_exceeded") {
        return ProviderError::RateLimited { retry_after: None };
    }
    ProviderError::Unavailable { what: format!("the language model ({})", shortened(body)), source: None }
}

fn unavailable(status: u16, body: &ErrorBody) -> ProviderError {
    let what = match shortened(body).as_str() {
        "" => format!("the language model (status {status})"),
        message => format!("the language model (status {status}: {message})"),
    };
    ProviderError::Unavailable { what, source: None }
}

fn rejected(status: u16, body: &ErrorBody) -> ProviderError {
    ProviderError::Rejected { status, message: shortened(body) }
}

fn is(body: &ErrorBody, name: &str) -> bool {
    body.code.as_ref().is_some_and(|code| code == name) || body.kind.as_deref() == Some(name)
}

fn shortened(body: &ErrorBody) -> String {
    body.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}

/// `Retry-After` in seconds; the date form is not used by any vendor we know.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ProviderError {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "1.5".parse().unwrap());
        error(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn every_status_has_a_class() {
        let reasons = [
            (401, "Unauthorized"),
            (403, "Unauthorized"),
            (429, "RateLimited"),
            (400, "Rejected"),
            (404, "Rejected"),
            (408, "Unavailable"),
            (500, "Unavailable"),
            (503, "Unavailable"),
            (307, "Protocol"),
        ];
        for (status, reason) in reasons {
            assert_eq!(of(status, "not json").reason(), reason, "{status}");
        }
        assert!(
            matches!(of(429, ""), ProviderError::RateLimited { retry_after: Some(wait) } if wait.as_millis() == 1500)
        );
    }

    #[test]
    fn an_empty_account_is_not_a_rate_limit() {
        let body = r#"{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}"#;
        let error = of(429, body);
        assert!(error.is_fatal());
        assert!(error.to_string().contains("You exceeded your quota"));
    }
}
