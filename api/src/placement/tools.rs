//! An agent's tools → what a call gets. Pure. Texts with placeholders are taken apart here: a pod only fills them in.

use voxplane_control::v1::{
    EndCallTool, HttpHeader, HttpTool, TemplatePart, ToolConfig, template_part, tool_config::Action,
    tool_config::Effect,
};
use voxplane_crds::names;
use voxplane_crds::voice_agent::tools::{self as crd, BuiltinTool, Tool, template::Part};

/// What a pod must be able to do for calls with tools.
pub const CAPABILITY: &str = "feature/tools";

/// The tools that the language model gets to know. One that cannot work is left out: the agent's status says why.
pub fn compile(tools: &[Tool]) -> Vec<ToolConfig> {
    tools.iter().filter(|tool| tool.enabled).filter_map(one).collect()
}

/// Whether any of them needs a key.
pub fn use_keys(tools: &[Tool]) -> bool {
    crd::http::secrets(tools).next().is_some()
}

fn one(tool: &Tool) -> Option<ToolConfig> {
    let action = match (&tool.http, tool.builtin) {
        (Some(tool), None) => Action::Http(http(tool)?),
        (None, Some(BuiltinTool::EndCall)) => Action::EndCall(EndCallTool {}),
        _ => return None,
    };
    let parameters = tool.parameters.as_ref().map(serde_json::to_string).transpose().ok()?;
    Some(ToolConfig {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters_json: parameters.unwrap_or_default(),
        action: Some(action),
        effect: match tool.effect() {
            crd::Effect::Read => Effect::Read,
            crd::Effect::Idempotent => Effect::Idempotent,
            crd::Effect::Once => Effect::Once,
        }
        .into(),
        say_on_start: tool.say.on_start.clone(),
        say_on_complete: tool.say.on_complete.clone(),
    })
}

fn http(tool: &crd::HttpTool) -> Option<HttpTool> {
    let request = tool.request().ok()?;
    let header = |(name, value): (String, Vec<Part>)| HttpHeader { name, value: parts(value) };
    Some(HttpTool {
        method: tool.method.as_str().to_owned(),
        origin: request.origin,
        target: parts(request.target),
        headers: request.headers.into_iter().map(header).collect(),
        // Agents name Secrets of their own namespace only.
        credential: tool.secret_ref.as_ref().map(|secret| names::credential(&secret.name, false)).unwrap_or_default(),
        timeout_ms: u32::try_from(tool.timeout_seconds).unwrap_or_default().saturating_mul(1_000),
        retries: u32::try_from(tool.retries).unwrap_or_default(),
    })
}

fn parts(parts: Vec<Part>) -> Vec<TemplatePart> {
    let part = |part| {
        Some(match part {
            Part::Text(text) => template_part::Part::Text(text),
            Part::Argument(name) => template_part::Part::Argument(name),
            Part::Secret(key) => template_part::Part::Secret(key),
        })
    };
    parts.into_iter().map(|one| TemplatePart { part: part(one) }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn compiled(tools: Value) -> Vec<ToolConfig> {
        compile(&serde_json::from_value::<Vec<Tool>>(tools).unwrap())
    }

    #[test]
    fn a_request_is_taken_apart() {
        let [tool] = &compiled(json!([{
            "name": "book", "description": "Books a table.", "effect": "Idempotent",
            "parameters": {"type": "object", "required": ["day"], "properties": {"day": {"type": "string"}}},
            "say": {"onStart": "One moment."},
            "http": {"url": "https://api.example.com/v1/{{ args.day }}", "retries": 2, "secretRef": {"name": "crm"},
                     "headers": [{"name": "Authorization", "value": "Bearer {{ secret.token }}"}]},
        }]))[..] else {
            panic!("one tool")
        };
        assert_eq!(tool.effect(), Effect::Idempotent);
        assert!(tool.parameters_json.starts_with(r#"{"type":"object","required":["day"]"#), "{}", tool.parameters_json);
        let Some(Action::Http(http)) = &tool.action else { panic!("a request") };
        let text = |part: &TemplatePart| format!("{:?}", part.part.as_ref().unwrap());
        assert_eq!(http.target.iter().map(text).collect::<Vec<_>>(), [r#"Text("/v1/")"#, r#"Argument("day")"#]);
        assert_eq!(
            http.headers[0].value.iter().map(text).collect::<Vec<_>>(),
            [r#"Text("Bearer ")"#, r#"Secret("token")"#]
        );
        assert_eq!((http.origin.as_str(), http.credential.as_str()), ("https://api.example.com", "crm"));
        assert_eq!((http.method.as_str(), http.timeout_ms, http.retries), ("POST", 10_000, 2));
    }

    #[test]
    fn what_is_off_or_cannot_work_is_left_out() {
        let tools = json!([
            {"name": "hang_up", "description": "Ends the call.", "builtin": "EndCall"},
            {"name": "off", "description": "x", "enabled": false, "http": {"url": "https://api.example.com"}},
            {"name": "leak", "description": "x", "http": {"url": "https://api.example.com/?k={{ secret.k }}"}},
        ]);
        let names: Vec<_> = compiled(tools).into_iter().map(|tool| tool.name).collect();
        assert_eq!(names, ["hang_up"]);
    }
}
