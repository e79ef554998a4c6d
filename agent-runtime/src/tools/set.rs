//! The tools of one call.

use std::sync::Arc;
use std::time::Duration;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};
use voxplane_control::v1::{HttpTool, ToolConfig, tool_config};
use voxplane_session::{Effect, ToolKind, ToolRules};

use super::request::Arguments;
use crate::providers::llm::ToolDefinition;

/// The engine waits this much longer than a request may take, so that the request's own end is what counts.
const MARGIN: Duration = Duration::from_secs(1);
/// What is wrong with arguments is told in this many points.
const MAX_POINTS: usize = 5;

/// The tools of one call. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ToolSet {
    tools: Arc<[Tool]>,
}

#[derive(Debug)]
struct Tool {
    definition: ToolDefinition,
    rules: ToolRules,
    validator: Validator,
    http: Option<Arc<HttpTool>>,
}

impl ToolSet {
    /// The tools that can work, and the names of those that cannot.
    pub fn new(configs: Vec<ToolConfig>) -> (Self, Vec<String>) {
        let (mut tools, mut broken) = (Vec::new(), Vec::new());
        for config in configs {
            let name = config.name.clone();
            match Tool::new(config) {
                Some(tool) => tools.push(tool),
                None => broken.push(name),
            }
        }
        (Self { tools: tools.into() }, broken)
    }

    /// What the model gets to know.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.tools.iter().map(|tool| tool.definition.clone()).collect()
    }

    /// What the engine gets to know.
    pub fn rules(&self) -> Vec<ToolRules> {
        self.tools.iter().map(|tool| tool.rules.clone()).collect()
    }

    /// Why arguments cannot be used, in words for the model; `None`: they can, or there is no such tool.
    pub fn problem(&self, name: &str, arguments: &str) -> Option<String> {
        let tool = self.find(name)?;
        let arguments = match serde_json::from_str::<Value>(arguments) {
            Ok(arguments) => arguments,
            Err(_) => return Some("The arguments are not valid JSON.".to_owned()),
        };
        let points: Vec<String> = tool
            .validator
            .iter_errors(&arguments)
            .take(MAX_POINTS)
            .map(|error| match error.instance_path().to_string() {
                path if path.is_empty() => error.to_string(),
                path => format!("{path}: {error}"),
            })
            .collect();
        (!points.is_empty()).then(|| format!("The arguments are not right: {}", points.join("; ")))
    }

    /// The request that a tool makes.
    pub fn http(&self, name: &str) -> Option<(Arc<HttpTool>, Effect)> {
        let tool = self.find(name)?;
        Some((tool.http.clone()?, tool.rules.effect))
    }

    fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.definition.name == name)
    }
}

impl Tool {
    fn new(config: ToolConfig) -> Option<Self> {
        let effect = match config.effect() {
            tool_config::Effect::Read => Effect::Read,
            tool_config::Effect::Idempotent => Effect::Idempotent,
            // What nobody knows is not done twice.
            tool_config::Effect::Once | tool_config::Effect::Unspecified => Effect::Once,
        };
        let (kind, http) = match config.action? {
            tool_config::Action::Http(http) => (ToolKind::Remote, Some(Arc::new(http))),
            tool_config::Action::EndCall(_) => (ToolKind::EndCall, None),
        };
        let parameters = if config.parameters_json.is_empty() {
            json!({"type": "object", "properties": {}})
        } else {
            serde_json::from_str(&config.parameters_json).ok().filter(Value::is_object)?
        };
        let patience = http.as_ref().map(|http| Duration::from_millis(http.timeout_ms.into())).unwrap_or_default();
        Some(Self {
            validator: validator(&parameters)?,
            definition: ToolDefinition { name: config.name.clone(), description: config.description, parameters },
            rules: ToolRules {
                name: config.name,
                kind,
                effect,
                on_start: config.say_on_start,
                on_complete: config.say_on_complete,
                patience: patience + MARGIN,
            },
            http,
        })
    }
}

/// Patterns run in linear time: their authors and the texts they see are strangers to each other.
fn validator(schema: &Value) -> Option<Validator> {
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema).ok()
}

/// Arguments that were found to be right.
pub(super) fn parsed(arguments: &str) -> Option<Arguments> {
    serde_json::from_str(arguments).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ToolSet {
        let schema = r#"{"type": "object", "required": ["day"], "additionalProperties": false,
                         "properties": {"day": {"enum": ["monday", "friday"]}, "guests": {"type": "integer"}}}"#;
        let tool = |name: &str, parameters: &str| ToolConfig {
            name: name.into(),
            parameters_json: parameters.into(),
            action: Some(tool_config::Action::Http(HttpTool::default())),
            ..ToolConfig::default()
        };
        let (set, broken) = ToolSet::new(vec![
            tool("book", schema),
            tool("ping", ""),
            tool("nonsense", r#"{"type": "whatever"}"#),
            ToolConfig { name: "nothing".into(), ..ToolConfig::default() },
        ]);
        assert_eq!(broken, ["nonsense", "nothing"]);
        set
    }

    #[test]
    fn arguments_are_checked_before_anything_is_done() {
        let set = set();
        assert_eq!(set.problem("book", r#"{"day": "monday", "guests": 2}"#), None);
        assert_eq!(set.problem("ping", "{}"), None);
        for (arguments, told) in [
            ("{", "not valid JSON"),
            ("[]", "is not of type \"object\""),
            ("{}", "\"day\" is a required property"),
            (r#"{"day": "sunday"}"#, "/day: "),
            (r#"{"day": "monday", "guests": "two"}"#, "/guests: "),
            (r#"{"day": "monday", "x": 1}"#, "'x' was unexpected"),
        ] {
            let problem = set.problem("book", arguments).unwrap();
            assert!(problem.contains(told), "{problem}");
        }
    }

    #[test]
    fn an_effect_that_is_not_known_is_never_repeated() {
        assert!(set().rules().iter().all(|rules| rules.effect == Effect::Once));
    }
}
