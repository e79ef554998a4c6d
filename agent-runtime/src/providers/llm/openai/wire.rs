//! The protocol's JSON, as far as we speak it. Pure.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::super::{LlmRequest, Message, Role, ToolUse, Usage};

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Definition<'a>,
}

#[derive(Debug, Serialize)]
struct Definition<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    /// Null beside calls of tools.
    content: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Turn<'a> {
    fn said(role: &'static str, content: impl Into<std::borrow::Cow<'a, str>>) -> Self {
        Self { role, content: Some(content.into()), tool_calls: Vec::new(), tool_call_id: None }
    }

    /// The calls in one message, and each result in one of its own right after it.
    fn used(tools: &'a [ToolUse]) -> impl Iterator<Item = Self> {
        let call = |used: &'a ToolUse| Called {
            id: &used.call.id,
            r#type: "function",
            function: Function { name: &used.call.name, arguments: &used.call.arguments },
        };
        let result =
            |used: &'a ToolUse| Self { tool_call_id: Some(&used.call.id), ..Self::said("tool", used.result.as_str()) };
        let calls =
            Self { role: "assistant", content: None, tool_calls: tools.iter().map(call).collect(), tool_call_id: None };
        std::iter::once(calls).chain(tools.iter().map(result))
    }
}

fn turns(message: &Message) -> Vec<Turn<'_>> {
    if !message.tools.is_empty() {
        return Turn::used(&message.tools).collect();
    }
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    vec![Turn::said(role, message.text.as_str())]
}

impl<'a> Request<'a> {
    pub(super) fn new(model: &'a str, host: Option<&str>, request: &'a LlmRequest) -> Self {
        let limit = (request.max_tokens > 0).then_some(request.max_tokens);
        let is_openai = host == Some("api.openai.com");
        let system = system(request);
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !system.is_empty() {
            messages.push(Turn::said("system", system));
        }
        messages.extend(request.messages.iter().flat_map(turns));
        let tool = |tool: &'a super::super::ToolDefinition| Tool {
            r#type: "function",
            function: Definition { name: &tool.name, description: &tool.description, parameters: &tool.parameters },
        };
        Self {
            model,
            messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature: request.temperature,
            max_tokens: limit.filter(|_| !is_openai),
            max_completion_tokens: limit.filter(|_| is_openai),
            tools: request.tools.iter().map(tool).collect(),
            tool_choice: (!request.tools.is_empty() && !request.may_call).then_some("none"),
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
    #[serde(default)]
    tool_calls: Option<Vec<CallDelta>>,
}

/// A piece of a call: the first one of an index has id and name, the arguments come in fragments.
#[derive(Debug, Deserialize)]
pub(super) struct CallDelta {
    #[serde(default)]
    pub(super) index: Option<usize>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<String>,
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

    /// The chunk's pieces of calls, if it brings any.
    pub(super) fn calls(&mut self) -> Vec<CallDelta> {
        self.choices.first_mut().and_then(|choice| choice.delta.tool_calls.take()).unwrap_or_default()
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
    pub(super) code: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::llm::{Passage, ToolCall, ToolDefinition};

    #[test]
    fn a_request_carries_prompt_passages_and_history() {
        let request = LlmRequest {
            system: "Be brief.".into(),
            messages: vec![Message::said(Role::Assistant, "Hello."), Message::said(Role::User, "Are you open?")],
            passages: vec![Passage { id: "1".into(), text: "Open from nine.".into(), score: 1.0 }],
            temperature: 0.2,
            max_tokens: 100,
            ..LlmRequest::default()
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
        assert_eq!((body.get("tools"), body.get("tool_choice")), (None, None));
    }

    #[test]
    fn a_request_carries_tools_and_what_came_of_them() {
        let used = |id: &str, result: &str| ToolUse {
            call: ToolCall { id: id.into(), name: "find".into(), arguments: "{\"q\":1}".into() },
            result: result.into(),
        };
        let tools = vec![used("a", "one"), used("b", "two")];
        let mut request = LlmRequest {
            messages: vec![
                Message::said(Role::User, "Find it."),
                Message { role: Role::Assistant, text: String::new(), tools },
            ],
            tools: vec![ToolDefinition {
                name: "find".into(),
                description: "Finds.".into(),
                parameters: serde_json::json!({"type": "object"}),
            }],
            may_call: true,
            ..LlmRequest::default()
        };
        let body = serde_json::to_value(Request::new("m", None, &request)).unwrap();
        let call = |id: &str| serde_json::json!({"id": id, "type": "function", "function": {"name": "find", "arguments": "{\"q\":1}"}});
        assert_eq!(
            body["messages"],
            serde_json::json!([
                {"role": "user", "content": "Find it."},
                {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
                {"role": "tool", "content": "one", "tool_call_id": "a"},
                {"role": "tool", "content": "two", "tool_call_id": "b"},
            ])
        );
        let function = serde_json::json!({"name": "find", "description": "Finds.", "parameters": {"type": "object"}});
        assert_eq!(body["tools"], serde_json::json!([{"type": "function", "function": function}]));
        assert_eq!(body.get("tool_choice"), None);
        request.may_call = false;
        let body = serde_json::to_value(Request::new("m", None, &request)).unwrap();
        assert_eq!(body["tool_choice"], "none");
    }
}
