//! Any endpoint that speaks OpenAI's chat completions with server-sent events.
//!
//! Protocol: <https://platform.openai.com/docs/api-reference/chat/create> and
//! <https://platform.openai.com/docs/api-reference/chat-streaming>; spoken alike by vLLM, Ollama, Groq, DeepSeek and
//! others. The key goes only to base URLs that the Secret's owner listed, and never along a redirect.

mod calls;
mod endpoint;
mod request;
mod status;
mod wire;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use reqwest::Url;
use secrecy::SecretString;
use voxplane_control::v1::LlmConfig;

use super::{LlmProvider, LlmRequest, LlmStream};
use crate::providers::{Credentials, ProviderError, Result};

/// How long each stage may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// From asking to the first text, retries included: a caller does not wait longer.
    first_token: Duration,
    /// Between two events of a running answer.
    idle: Duration,
    /// Attempts after the first, as long as `first_token` is not over.
    retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { first_token: Duration::from_secs(5), idle: Duration::from_secs(5), retries: 2 }
    }
}

/// One agent's model behind one endpoint; clones share the connections.
#[derive(Clone)]
pub struct OpenAiCompatible {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    url: Url,
    key: SecretString,
    model: String,
    limits: Limits,
}

impl OpenAiCompatible {
    /// The connections all agents of a process share.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] when TLS cannot be set up.
    pub fn client() -> Result<reqwest::Client> {
        reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(90))
            // A redirect could carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("voxplane/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ProviderError::unavailable("the HTTP client", error))
    }

    /// A model as an agent's configuration asks for it.
    ///
    /// # Errors
    /// [`ProviderError::Config`] naming the field: no model, no or a bad base URL, one that the credential does not
    /// allow, no credential, an unknown option.
    pub fn new(client: reqwest::Client, config: &LlmConfig, credentials: &Credentials) -> Result<Self> {
        if config.model.is_empty() {
            return Err(ProviderError::config("llm.model", "name the model, as the endpoint calls it"));
        }
        let limits = limits(config)?;
        let credential = credentials.read(&config.credential, "llm.secretRef")?;
        let url = endpoint::completions_url(&config.base_url, &credential.endpoints)?;
        let inner = Inner { client, url, key: credential.key, model: config.model.clone(), limits };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl LlmProvider for OpenAiCompatible {
    fn name(&self) -> &'static str {
        "openai-compatible"
    }

    fn stream(&self, request: LlmRequest) -> BoxFuture<'_, Result<LlmStream>> {
        request::start(self.inner.clone(), request).boxed()
    }
}

fn limits(config: &LlmConfig) -> Result<Limits> {
    let mut limits = Limits::default();
    for (option, value) in &config.options {
        let field = || format!("llm.options.{option}");
        let number = |range: std::ops::RangeInclusive<u64>| {
            value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
                let message = format!("{value:?} is not a whole number from {} to {}", range.start(), range.end());
                ProviderError::config(field(), message)
            })
        };
        match option.as_str() {
            "first_token_timeout_ms" => limits.first_token = Duration::from_millis(number(100..=60_000)?),
            "idle_timeout_ms" => limits.idle = Duration::from_millis(number(100..=60_000)?),
            "retries" => limits.retries = number(0..=5)? as u32,
            _ => {
                let message = "unknown; there are first_token_timeout_ms, idle_timeout_ms and retries";
                return Err(ProviderError::config(field(), message));
            }
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(options: &[(&str, &str)]) -> LlmConfig {
        let options = options.iter().map(|(option, value)| (option.to_string(), value.to_string())).collect();
        LlmConfig { options, ..Default::default() }
    }

    #[test]
    fn options_are_checked_by_name_and_range() {
        let limits = limits(&config(&[("retries", "0"), ("idle_timeout_ms", "900")])).unwrap();
        assert_eq!((limits.retries, limits.idle), (0, Duration::from_millis(900)));
        let error = super::limits(&config(&[("retries", "-1")])).unwrap_err().to_string();
        assert_eq!(error, "llm.options.retries: \"-1\" is not a whole number from 0 to 5");
        assert!(super::limits(&config(&[("top_p", "1")])).is_err());
    }
}
