//! The protocol's JSON, as far as we speak it. Pure.

use serde::{Deserialize, Serialize};

use super::super::{LlmRequest, Role, Usage};

/// Body of `POST /chat/completions`.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    temperature: f32,
    /// The older name, which every compatible server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    /// The name OpenAI itself wants for its newer models.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: std::borrow::Cow<'a, str>,
}

impl<'a> Request<'a> {
    pub(super) fn new(model: &'a str, host: Option<&str>, request: &'a LlmRequest) -> Self {
        let limit = (request.max_tokens > 0).then_some(request.max_tokens);
        let is_openai = host == Some("api.openai.com");
        let system = system(request);
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !system.is_empty() {
            messages.push(Turn { role: "system", content: system.into() });
        }
        messages.extend(request.messages.iter().map(|message| Turn {
            role: match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            },
            content: message.text.as_str().into(),
        }));
        Self {
            model,
            messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature: request.temperature,
            max_tokens: limit.filter(|_| !is_openai),
            max_completion_tokens: limit.filter(|_| is_openai),
        }
    }
}

/// Instructions, then what is known.
fn system(request: &LlmRequest) -> String {
    let mut text = request.system.trim().to_owned();
    if !request.passages.is_empty() {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str("Passages that may hold the answer:");
        for (n, passage) in request.passages.iter().enumerate() {
            text.push_str(&format!("\n[{}] {}", n + 1, passage.text.trim()));
        }
    }
    text
}

/// One event of the stream: a chunk or an error.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    pub(super) error: Option<ErrorBody>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Chunk {
    /// The chunk's text, if it brings any.
    pub(super) fn text(&mut self) -> Option<String> {
        let content = self.choices.first_mut()?.delta.content.take()?;
        (!content.is_empty()).then_some(content)
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().map(|usage| Usage { input: usage.prompt_tokens, output: usage.completion_tokens })
    }
}

/// `{"error": {...}}`, in an error response or in the stream.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorResponse {
    pub(super) error: ErrorBody,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) code: Option<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::llm::{Message, Passage};

    #[test]
    fn a_request_carries_prompt_passages_and_history() {
        let request = LlmRequest {
            system: "Be brief.".into(),
            messages: vec![
                Message { role: Role::Assistant, text: "Hello.".into() },
                Message { role: Role::User, text: "Are you open?".into() },
            ],
            passages: vec![Passage { id: "1".into(), text: "Open from nine.".into(), score: 1.0 }],
            temperature: 0.2,
            max_tokens: 100,
        };
        let body = serde_json::to_value(Request::new("m", Some("localhost"), &request)).unwrap();
        assert_eq!(
            body["messages"][0]["content"],
            "Be brief.\n\nPassages that may hold the answer:\n[1] Open from nine."
        );
        assert_eq!(body["messages"][2], serde_json::json!({"role": "user", "content": "Are you open?"}));
        assert_eq!((&body["stream"], &body["max_tokens"]), (&true.into(), &100.into()));
        let body = serde_json::to_value(Request::new("m", Some("api.openai.com"), &request)).unwrap();
        assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&100.into(), None));
    }
}
