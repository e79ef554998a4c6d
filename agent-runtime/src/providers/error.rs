//! What can go wrong with a provider, in classes a conversation can act on.

use std::{error::Error, time::Duration};

/// Result of a provider operation.
pub type Result<T, E = ProviderError> = std::result::Result<T, E>;

/// A provider's failure. The class decides what the call does next: [`ProviderError::is_fatal`] says whether asking
/// again with the same configuration can help.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The agent's configuration asks for something this provider or this image does not have.
    #[error("{field}: {message}")]
    Config {
        /// Path of the field in the agent's configuration, for example `stt.options.phrases[3]`.
        field: String,
        /// What is wrong and how to fix it.
        message: String,
    },
    /// The vendor refused the key (HTTP 401 or 403).
    #[error("the provider refused the credential; check the key in the Secret that the agent refers to")]
    Unauthorized,
    /// The vendor wants fewer requests (HTTP 429).
    #[error("the provider limits our rate")]
    RateLimited {
        /// How long the vendor asked us to wait, when it said so.
        retry_after: Option<Duration>,
    },
    /// Nothing came in time.
    #[error("no {stage} within {} ms", after.as_millis())]
    Timeout {
        /// What was waited for, for example `first token`.
        stage: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The provider cannot be reached or failed on its side (connection errors, HTTP 5xx, a cut stream).
    #[error("{what} is unavailable")]
    Unavailable {
        /// What failed.
        what: String,
        /// Why, when known.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The vendor understood the request and will not serve it (HTTP 4xx other than 401, 403, 408 and 429).
    #[error("the provider rejected the request with status {status}: {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The vendor's own message, shortened.
        message: String,
    },
    /// The vendor answered something its published protocol does not allow.
    #[error("unexpected answer from the provider: {message}")]
    Protocol {
        /// What was unexpected.
        message: String,
    },
    /// A bounded queue in front of the provider is full: this machine cannot keep up.
    #[error("{what} cannot keep up")]
    Overloaded {
        /// Which queue.
        what: &'static str,
    },
}

impl ProviderError {
    /// A [`ProviderError::Config`] for `field`; `message` names the fix.
    pub fn config(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { field: field.into(), message: message.into() }
    }

    /// A [`ProviderError::Unavailable`] with the error that caused it.
    pub fn unavailable(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { what: what.into(), source: Some(source.into()) }
    }

    /// A [`ProviderError::Protocol`].
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::Protocol { message: message.into() }
    }

    /// True when the same request will fail again until somebody changes the configuration.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Config { .. } | Self::Unauthorized | Self::Rejected { .. })
    }

    /// Stable PascalCase name for events and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Config { .. } => "Config",
            Self::Unauthorized => "Unauthorized",
            Self::RateLimited { .. } => "RateLimited",
            Self::Timeout { .. } => "Timeout",
            Self::Unavailable { .. } => "Unavailable",
            Self::Rejected { .. } => "Rejected",
            Self::Protocol { .. } => "Protocol",
            Self::Overloaded { .. } => "Overloaded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_retry_cannot_cure_is_fatal() {
        assert!(ProviderError::config("llm.baseUrl", "add it").is_fatal());
        assert!(ProviderError::Unauthorized.is_fatal());
        assert!(ProviderError::Rejected { status: 400, message: String::new() }.is_fatal());
        assert!(!ProviderError::RateLimited { retry_after: None }.is_fatal());
        assert!(!ProviderError::Timeout { stage: "first token", after: Duration::from_secs(2) }.is_fatal());
        assert!(!ProviderError::Overloaded { what: "speech recognition" }.is_fatal());
    }

    #[test]
    fn display_leaves_the_source_to_the_error_chain() {
        let error = ProviderError::unavailable("the language model", std::io::Error::other("refused"));
        assert_eq!(error.to_string(), "the language model is unavailable");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("refused"));
    }
}
