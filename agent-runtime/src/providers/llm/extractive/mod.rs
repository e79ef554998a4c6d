//! Answers with sentences of the tenant's own knowledge: no model, no account, no invention.
//!
//! Deterministic. The caller's last turn is compared with every sentence of the passages ([`choose`]); the best one is
//! the answer, with the sentence after it when that speaks of the same. When nothing fits, it says so. English only.

mod choose;
mod small_talk;
mod terms;

use std::time::Instant;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use voxplane_control::v1::LlmConfig;

use super::{LlmEvent, LlmProvider, LlmRequest, LlmStream, LlmTiming, Role};
use crate::providers::{ProviderError, Result};

/// Option with the text said when the knowledge has no answer.
const UNKNOWN_OPTION: &str = "unknown_answer";
const UNKNOWN: &str = "I am sorry, I do not know that.";

/// The extractive answerer of one call.
#[derive(Debug, Clone)]
pub struct Extractive {
    unknown: String,
}

impl Extractive {
    /// Takes the option `unknown_answer`.
    ///
    /// # Errors
    /// [`ProviderError::Config`] for a model or another option: they would have no effect.
    pub fn new(config: &LlmConfig) -> Result<Self> {
        if !config.model.is_empty() {
            return Err(ProviderError::config("llm.model", "the provider extractive has no models; remove the field"));
        }
        if let Some(option) = config.options.keys().find(|option| *option != UNKNOWN_OPTION) {
            let message = format!("unknown; the provider extractive knows the option {UNKNOWN_OPTION}");
            return Err(ProviderError::config(format!("llm.options.{option}"), message));
        }
        let unknown = config.options.get(UNKNOWN_OPTION).filter(|text| !text.trim().is_empty());
        Ok(Self { unknown: unknown.cloned().unwrap_or_else(|| UNKNOWN.to_owned()) })
    }

    fn answer(&self, request: &LlmRequest) -> Vec<String> {
        let question = request.messages.iter().rev().find(|message| message.role == Role::User);
        let Some(question) = question.map(|message| message.text.as_str()) else {
            return vec![self.unknown.clone()];
        };
        if let Some(reply) = small_talk::reply(question) {
            return vec![reply.to_owned()];
        }
        let passages: Vec<&str> = request.passages.iter().map(|passage| passage.text.as_str()).collect();
        let sentences = choose::answer(question, &passages);
        if sentences.is_empty() { vec![self.unknown.clone()] } else { sentences }
    }
}

impl LlmProvider for Extractive {
    fn name(&self) -> &'static str {
        "extractive"
    }

    fn stream(&self, request: LlmRequest) -> BoxFuture<'_, Result<LlmStream>> {
        async move {
            let asked = Instant::now();
            let sentences = self.answer(&request);
            let first_token = Some(asked.elapsed());
            let texts = sentences.into_iter().enumerate().map(|(n, sentence)| {
                // One event per sentence; together they are running text.
                Ok(LlmEvent::Text(if n == 0 { sentence } else { format!(" {sentence}") }))
            });
            let done = LlmTiming { first_token, total: asked.elapsed(), retries: 0 };
            Ok(stream::iter(texts.chain([Ok(LlmEvent::Done(done))]).collect::<Vec<_>>()).boxed())
        }
        .boxed()
    }
}
