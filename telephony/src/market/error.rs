//! What can go wrong at a carrier, by what is known about the outcome.

use std::error::Error;
use std::time::Duration;

use crate::e164::E164;

/// The cause of a failure. Holds no number and no address with one.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a carrier did not do it, or may not have done it. Texts hold no telephone number.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The carrier says no; nothing was done.
    #[error("the carrier refused (status {status}{}): {message}", with_code(.code.as_deref()))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The carrier's own error code.
        code: Option<String>,
        /// The carrier's own words.
        message: String,
    },
    /// The number cannot be bought any more. Unless an earlier order of ours bought it, choose another.
    #[error("the number is not for sale any more")]
    Taken {
        /// The number that was ordered.
        number: E164,
    },
    /// The carrier does not accept the credentials; nothing was done.
    #[error("the carrier does not accept the credentials: {message}")]
    Credentials {
        /// The carrier's own words.
        message: String,
    },
    /// The authorisation that was given to us ended, was withdrawn or does not suffice; nothing was done.
    #[error("the carrier must be authorised again: {message}")]
    Reauthorize {
        /// Why, and how.
        message: String,
    },
    /// Nothing like what was ordered is for sale; nothing was done.
    #[error("nothing like that is for sale: try another area code")]
    NoneForSale,
    /// The carrier has no request for it; nothing was done.
    #[error("{message}")]
    ByHand {
        /// What somebody has to do at the carrier.
        message: &'static str,
    },
    /// Too many requests; nothing was done.
    #[error("the carrier asks to slow down")]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Certainly nothing was done: the request did not reach the carrier, or it was one that only reads.
    #[error("the carrier cannot be reached")]
    Unavailable {
        /// Why.
        source: BoxError,
    },
    /// The request was sent and its answer lost, or the carrier failed in the middle: look before trying again.
    #[error("it is unknown whether the carrier did it")]
    OutcomeUnknown {
        /// Why.
        source: BoxError,
    },
    /// An answer that cannot be read. If something was to be changed, it may have been.
    #[error("the carrier's answer cannot be read: {message}")]
    Protocol {
        /// What is wrong with it.
        message: String,
    },
}

fn with_code(code: Option<&str>) -> String {
    code.map(|code| format!(", code {code}")).unwrap_or_default()
}

impl MarketError {
    /// Whether something may have been changed (bought, routed, released) all the same. Asked after a request that was
    /// to change something.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. } | Self::Protocol { .. })
    }

    /// Short name for conditions and metric labels.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "CarrierRefused",
            Self::Taken { .. } => "NumberTaken",
            Self::Credentials { .. } => "CarrierCredentials",
            Self::Reauthorize { .. } => "CarrierReauthorization",
            Self::NoneForSale => "NoNumberForSale",
            Self::ByHand { .. } => "CarrierByHand",
            Self::RateLimited { .. } => "CarrierRateLimited",
            Self::Unavailable { .. } => "CarrierUnavailable",
            Self::OutcomeUnknown { .. } => "CarrierOutcomeUnknown",
            Self::Protocol { .. } => "CarrierProtocol",
        }
    }

    /// How long the carrier asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use voxplane_platform::error_chain::describe;

    use super::*;

    fn all() -> Vec<MarketError> {
        vec![
            MarketError::Refused { status: 400, code: Some("21421".to_owned()), message: "no".to_owned() },
            MarketError::Taken { number: E164::parse("+15550100").unwrap() },
            MarketError::Credentials { message: "who?".to_owned() },
            MarketError::RateLimited { retry_after: Some(Duration::from_secs(7)) },
            MarketError::Unavailable { source: "connection refused".into() },
            MarketError::OutcomeUnknown { source: "connection reset".into() },
            MarketError::Protocol { message: "not JSON".to_owned() },
            MarketError::Reauthorize { message: "it ended".to_owned() },
            MarketError::NoneForSale,
            MarketError::ByHand { message: "remove it there" },
        ]
    }

    #[test]
    fn only_a_lost_answer_leaves_the_outcome_open() {
        let open: Vec<_> = all().iter().filter(|error| error.outcome_unknown()).map(MarketError::reason).collect();
        assert_eq!(open, ["CarrierOutcomeUnknown", "CarrierProtocol"]);
    }

    #[test]
    fn errors_are_told_in_one_line_without_numbers() {
        let lines: Vec<_> = all().iter().map(|error| describe(error)).collect();
        assert_eq!(lines[0], "the carrier refused (status 400, code 21421): no");
        assert_eq!(lines[5], "it is unknown whether the carrier did it: connection reset");
        for error in all() {
            assert!(!format!("{error} {error:?}").contains("5550100"));
        }
    }

    #[test]
    fn only_a_rate_limit_says_how_long_to_wait() {
        let waits: Vec<_> = all().iter().filter_map(MarketError::retry_after).collect();
        assert_eq!(waits, [Duration::from_secs(7)]);
    }
}
