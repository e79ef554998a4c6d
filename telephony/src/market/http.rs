//! One request to a carrier, and what its failure says about the outcome.

use std::time::Duration;

use reqwest::RequestBuilder;

use super::answer::Answer;
use super::{BoxError, MarketError};

/// Longest answer that is read.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// The connections to carriers; clones share them.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    timeout: Duration,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only looks: whatever happens to it, nothing was done.
    Reads,
    /// It changes something.
    Changes,
}

impl Http {
    /// How long a request may take unless told otherwise: purchases take several seconds.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// Connections on which a request, with its answer, may take `timeout`.
    ///
    /// # Errors
    /// [`MarketError::Unavailable`] when TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, MarketError> {
        let client = reqwest::Client::builder()
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout)
            // A connection that the carrier closes while we write to it would leave the outcome open for nothing.
            .pool_max_idle_per_host(0)
            // A redirect could carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // Nothing is tried twice behind the caller's back.
            .retry(reqwest::retry::never())
            .user_agent(concat!("voxplane/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| MarketError::Unavailable { source: Box::new(error) })?;
        Ok(Self { client, timeout })
    }

    /// How long a request may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What requests are built with.
    pub(crate) const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(crate) async fn send(&self, request: RequestBuilder, effect: Effect) -> Result<Answer, MarketError> {
        let mut response = match request.send().await {
            Ok(response) => response,
            // Not even connected, TLS included: nothing was sent.
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(MarketError::Unavailable { source: without_address(error) });
            }
            Err(error) => return Err(effect.lost(without_address(error))),
        };
        let mut answer = Answer::new(response.status(), response.headers());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() <= MAX_BODY => answer.body.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    return Err(MarketError::Protocol { message: format!("it is longer than {MAX_BODY} bytes") });
                }
                Ok(None) => return Ok(answer),
                // The status alone says that nothing was done.
                Err(_) if answer.is_refusal() => return Ok(answer),
                Err(error) => return Err(effect.lost(without_address(error))),
            }
        }
    }
}

impl Effect {
    /// The error of a request whose answer is lost.
    pub(crate) fn lost(self, source: BoxError) -> MarketError {
        match self {
            Self::Reads => MarketError::Unavailable { source },
            Self::Changes => MarketError::OutcomeUnknown { source },
        }
    }
}

/// The address may hold a telephone number.
fn without_address(error: reqwest::Error) -> BoxError {
    Box::new(error.without_url())
}
