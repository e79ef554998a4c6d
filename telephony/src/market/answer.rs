//! A carrier's answer as a value or a class of errors. Pure but for the clock that dates are compared with.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::MarketError;
use super::censor::censor;
use super::http::Effect;

/// Longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Status and content of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    /// The content.
    pub(crate) body: Vec<u8>,
}

/// What a carrier complains about, in its own error format.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Its error code.
    pub(crate) code: Option<String>,
    /// Its words.
    pub(crate) message: String,
    /// Whether the key lacks a right.
    pub(crate) forbidden: bool,
}

/// A status that says the carrier failed.
#[derive(Debug, thiserror::Error)]
#[error("status {status}{}", after_colon(.message))]
struct Failed {
    status: u16,
    message: String,
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Answer {
    /// An answer whose content has yet to come.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let retry_after =
            headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now()));
        Self { status, retry_after, body: Vec::new() }
    }

    /// Whether the carrier says that it did nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT
    }

    /// Whether the request was not authorised. Nothing was done.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// How long the carrier asks to wait.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// The answer, if its status says success; `complaint` reads the carrier's error format.
    pub(crate) fn success(self, effect: Effect, complaint: fn(&[u8]) -> Complaint) -> Result<Self, MarketError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let Complaint { code, message, forbidden } = complaint(&self.body);
        let message = censor(&message);
        Err(match self.status.as_u16() {
            401 => MarketError::Credentials { message },
            403 if forbidden => MarketError::Credentials { message },
            429 => MarketError::RateLimited { retry_after: self.retry_after },
            status @ (408 | 500..) => effect.lost(Box::new(Failed { status, message })),
            status @ 400..=499 => MarketError::Refused { status, code: code.as_deref().map(censor), message },
            status => MarketError::Protocol { message: format!("status {status}; redirects are not followed") },
        })
    }

    /// The content; `what` names it.
    pub(crate) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, MarketError> {
        // The error's own text may quote the content.
        serde_json::from_slice(&self.body).map_err(|error| MarketError::Protocol {
            message: format!("{what} is not as documented (line {}, column {})", error.line(), error.column()),
        })
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let mut answer = Answer::new(StatusCode::from_u16(status).unwrap(), &headers);
        answer.body = body.into();
        answer
    }

    fn complaint(body: &[u8]) -> Complaint {
        Complaint {
            code: Some("21421".to_owned()),
            message: String::from_utf8_lossy(body).into_owned(),
            forbidden: true,
        }
    }

    fn reason(status: u16, effect: Effect) -> &'static str {
        answer(status, "").success(effect, complaint).unwrap_err().reason()
    }

    #[test]
    fn every_status_has_a_class() {
        for (status, reads, changes) in [
            (307, "CarrierProtocol", "CarrierProtocol"),
            (400, "CarrierRefused", "CarrierRefused"),
            (401, "CarrierCredentials", "CarrierCredentials"),
            (403, "CarrierCredentials", "CarrierCredentials"),
            (404, "CarrierRefused", "CarrierRefused"),
            (408, "CarrierUnavailable", "CarrierOutcomeUnknown"),
            (422, "CarrierRefused", "CarrierRefused"),
            (429, "CarrierRateLimited", "CarrierRateLimited"),
            (500, "CarrierUnavailable", "CarrierOutcomeUnknown"),
            (503, "CarrierUnavailable", "CarrierOutcomeUnknown"),
        ] {
            assert_eq!((reason(status, Effect::Reads), reason(status, Effect::Changes)), (reads, changes), "{status}");
        }
        for status in [200, 201, 204] {
            assert!(answer(status, "").success(Effect::Changes, complaint).is_ok(), "{status}");
        }
        let limited = answer(429, "").success(Effect::Changes, complaint).unwrap_err();
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_carriers_words_are_kept_without_numbers() {
        let error = answer(400, "+14045550100 is no good").success(Effect::Changes, complaint).unwrap_err();
        assert_eq!(error.to_string(), "the carrier refused (status 400, code 21421): [redacted] is no good");
    }

    #[test]
    fn an_unreadable_answer_is_not_quoted() {
        let error = answer(200, r#"{"a": "+14045550100"}"#).json::<Vec<u8>>("the list").unwrap_err().to_string();
        assert_eq!(error, "the carrier's answer cannot be read: the list is not as documented (line 1, column 0)");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("2", Some(2)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 12:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("999999", Some(3600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
