//! Whether an agent's tools can work, and which Secrets they may use. Pure.

use std::collections::BTreeMap;

use jsonschema::PatternOptions;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Map, Value};
use voxplane_crds::conditions::reasons;
use voxplane_crds::voice_agent::LlmProvider;
use voxplane_crds::voice_agent::tools::http::{self, ToolSecret};
use voxplane_crds::voice_agent::tools::{SECRET_PROVIDER, Tool};
use voxplane_crds::{Effective, VoiceAgent, names};

use super::credentials::{ALLOWED_ENDPOINTS, Key, endpoints, meant, value};
use crate::status::Problem;

/// Longest JSON Schema of arguments, in bytes: the language model reads all of them in every turn.
const MAX_SCHEMA: usize = 16 * 1024;
/// Deepest nesting of one.
const MAX_DEPTH: usize = 16;
/// What leads elsewhere in a schema: it could not be read as it stands, by people or by language models.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Judges the tools of an agent.
///
/// # Errors
/// A problem for `Accepted` that names the field.
pub fn check(agent: &VoiceAgent, settings: &Effective<'_>) -> Result<(), Problem> {
    let invalid = |message: String| Problem::new(reasons::INVALID, message);
    let tools = &agent.spec.tools;
    for (index, tool) in tools.iter().enumerate() {
        one(tool).map_err(|problem| invalid(format!("spec.tools[{index}].{problem}")))?;
    }
    let llm = settings.llm;
    if tools.iter().any(|tool| tool.enabled) && llm.value.provider == LlmProvider::Extractive {
        return Err(invalid(format!(
            "spec.tools: the language model `extractive` ({}) cannot call tools: choose `openai-compatible`, or set \
             `enabled: false` on every tool",
            llm.origin.path("llm.provider")
        )));
    }
    Ok(())
}

/// The field below the tool, and what is wrong with it.
fn one(tool: &Tool) -> Result<(), String> {
    if let Some(parameters) = &tool.parameters {
        schema(parameters).map_err(|problem| format!("parameters: {problem}"))?;
    }
    let Some(http) = &tool.http else { return Ok(()) };
    let request = http.request().map_err(|error| format!("http.{error}"))?;
    let declared = tool.parameters.as_ref().and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    match request.arguments().find(|name| !declared.is_some_and(|properties| properties.contains_key(*name))) {
        Some(name) => {
            Err(format!("http: `{{{{ args.{name} }}}}` is no argument: declare it in `parameters.properties`"))
        }
        None => Ok(()),
    }
}

/// Whether arguments can be checked by it.
fn schema(parameters: &Map<String, Value>) -> Result<(), String> {
    let schema = Value::Object(parameters.clone());
    if parameters.get("type").and_then(Value::as_str) != Some("object") {
        return Err("arguments have names: write `type: object`".to_owned());
    }
    let length = schema.to_string().len();
    if length > MAX_SCHEMA {
        return Err(format!("it is {length} bytes long; at most {MAX_SCHEMA} are accepted"));
    }
    plain(&schema, MAX_DEPTH)?;
    // Patterns of linear time only, as pods check by.
    let built = jsonschema::options().with_pattern_options(PatternOptions::regex()).build(&schema);
    built.map(|_| ()).map_err(|error| match error.instance_path().to_string() {
        path if path.is_empty() => format!("it is no JSON Schema: {error}"),
        path => format!("it is no JSON Schema at {path}: {error}"),
    })
}

/// Whether it can be read as it stands.
fn plain(value: &Value, depth: usize) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("it is nested more than {MAX_DEPTH} levels deep"));
    };
    match value {
        Value::Object(object) => {
            if let Some(reference) = REFERENCES.iter().find(|reference| object.contains_key(**reference)) {
                return Err(format!("it has a {reference:?}: write out what it refers to"));
            }
            object.values().try_for_each(|value| plain(value, depth))
        }
        Value::Array(items) => items.iter().try_for_each(|value| plain(value, depth)),
        _ => Ok(()),
    }
}

/// The keys that the tools of an agent may use, by the name under which pods find them, or why one may not. One tool's
/// mistake takes no key from the others. `secrets` are by the same names.
pub fn keys(agent: &VoiceAgent, secrets: &BTreeMap<String, Secret>) -> Vec<Result<(String, Key), Problem>> {
    http::secrets(&agent.spec.tools)
        .map(|wanted| {
            let credential = names::credential(wanted.name, false);
            permit(&wanted, secrets.get(&credential)).map(|key| (credential, key))
        })
        .collect()
}

fn permit(wanted: &ToolSecret<'_>, secret: Option<&Secret>) -> Result<Key, Problem> {
    let ToolSecret { field, name, origin, keys } = wanted;
    let secret = meant(field, name, "this", SECRET_PROVIDER, secret)?;
    let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}: Secret {name:?} {what}"));
    let endpoints: Vec<String> = endpoints(secret).iter().filter_map(|line| http::origin(line)).collect();
    if !origin.as_ref().is_some_and(|origin| endpoints.contains(origin)) {
        let whereto = origin.as_deref().unwrap_or("that address");
        return Err(refused(format!(
            "does not allow its keys to be sent to {whereto}: add that to its key {ALLOWED_ENDPOINTS:?}, one per line"
        )));
    }
    if let Some(key) = keys.iter().find(|key| *key == ALLOWED_ENDPOINTS || value(secret, key).is_none()) {
        return Err(refused(format!("has no key {key:?} for a header")));
    }
    let data = secret.data.iter().flatten().filter(|(key, value)| *key != ALLOWED_ENDPOINTS && !value.0.is_empty());
    // All of them, so that two tools which use different ones need one set.
    Ok(Key { values: data.map(|(key, value)| (format!(".key.{key}"), value.0.clone())).collect(), endpoints })
}

/// The first Secret that the tools of an agent may not use.
pub fn unresolved(agent: &VoiceAgent, secrets: &BTreeMap<String, Secret>) -> Option<Problem> {
    keys(agent, secrets).into_iter().find_map(Result::err)
}
