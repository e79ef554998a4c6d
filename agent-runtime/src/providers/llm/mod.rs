//! Language models: a conversation and retrieved passages to an answer, as a stream of text.

mod extractive;
mod openai;

use std::time::Duration;

use futures::{future::BoxFuture, stream::BoxStream};
use serde_json::Value;

pub use self::{extractive::Extractive, openai::OpenAiCompatible};
use super::Result;

/// A language model with its configuration: model name, base URL and credential are fixed when the registry makes it.
pub trait LlmProvider: Send + Sync {
    /// Name in an agent's configuration, for example `openai-compatible`.
    fn name(&self) -> &'static str;

    /// Starts an answer and resolves when the vendor began to answer. Dropping the future or the stream cancels the
    /// generation, also at the vendor.
    ///
    /// # Errors
    /// Any class of [`ProviderError`](super::ProviderError). Retries that are worth it happen inside, before the first
    /// text only; an error in the stream is final and ends it.
    fn stream(&self, request: LlmRequest) -> BoxFuture<'_, Result<LlmStream>>;
}

/// The events of one answer: text, or calls of tools, or both. Ends after [`LlmEvent::Done`] or the first error.
pub type LlmStream = BoxStream<'static, Result<LlmEvent>>;

/// What to answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LlmRequest {
    /// Instructions: persona and system prompt.
    pub system: String,
    /// The conversation so far, oldest first; the last one is the caller's.
    pub messages: Vec<Message>,
    /// Passages of the tenant's knowledge, best first.
    pub passages: Vec<Passage>,
    /// Sampling temperature; providers without one ignore it.
    pub temperature: f32,
    /// Upper bound of the answer's length in the vendor's tokens; 0 = the vendor's own limit.
    pub max_tokens: u32,
    /// What the model may ask for. Providers that cannot call tools ignore it.
    pub tools: Vec<ToolDefinition>,
    /// Whether it may ask for them this time; if not, they explain the calls among `messages`.
    pub may_call: bool,
}

/// A tool as the model gets to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    /// Name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// A call of a tool as the model writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's name for it, repeated with the result.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, if the model wrote it well.
    pub arguments: String,
}

/// A call and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// The call.
    pub call: ToolCall,
    /// What came of it.
    pub result: String,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who spoke.
    pub role: Role,
    /// What was said; for an interrupted answer, what was heard of it.
    pub text: String,
    /// Instead of words: what the agent did.
    pub tools: Vec<ToolUse>,
}

impl Message {
    /// Something that was said.
    pub fn said(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), tools: Vec::new() }
    }
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The agent.
    Assistant,
}

/// A piece of knowledge that may answer the question.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Identity in the store.
    pub id: String,
    /// The text itself.
    pub text: String,
    /// Higher is better; comparable within one request only.
    pub score: f64,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum LlmEvent {
    /// More text, never empty.
    Text(String),
    /// The model writes calls of tools; nothing can be said yet.
    Writing,
    /// Everything the model asks for, once, after its text.
    ToolCalls(Vec<ToolCall>),
    /// What the vendor will bill.
    Usage(Usage),
    /// The answer is complete.
    Done(LlmTiming),
}

/// Tokens as the vendor counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
}

/// Durations of one answer, from the call of [`LlmProvider::stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LlmTiming {
    /// To the first text.
    pub first_token: Option<Duration>,
    /// To the end.
    pub total: Duration,
    /// Attempts before the one that answered.
    pub retries: u32,
}
