//! The reference of the five kinds, from the same text that `kubectl explain` shows.

use crate::{GENERATE, generated::Generated};
use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use std::{fmt::Write as _, path::Path};

/// Longest line of the page.
pub const WIDTH: usize = 120;

/// Adds the reference page.
pub fn add(_: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    let mut page = format!(
        "<!-- Made by `{GENERATE}` from the crate `crds`. Do not edit. -->\n\n# Resources\n\n\
         API group `{}`, version `{}`. `kubectl explain <kind> --recursive` shows the same.\n",
        voxplane_crds::GROUP,
        voxplane_crds::VERSION
    );
    for crd in voxplane_crds::all_crds() {
        kind(&mut page, &crd)?;
    }
    files.file("docs/reference/crds.md", page);
    Ok(None)
}

fn kind(page: &mut String, crd: &CustomResourceDefinition) -> anyhow::Result<()> {
    let names = &crd.spec.names;
    let version = crd.spec.versions.first().context("a definition has a version")?;
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema.context("a definition has a schema")?)?;
    let short = names.short_names.iter().flatten().next().map_or("", String::as_str);
    let scope = if crd.spec.scope == "Cluster" { "cluster-scoped" } else { "namespaced" };
    write!(page, "\n## {}\n\n", names.kind)?;
    paragraph(page, "", &format!("{} (`{short}`, {scope})", text(&schema)));
    rules(page, "", &schema);
    for part in ["spec", "status"] {
        write!(page, "\n### {} {part}\n\n", names.kind)?;
        fields(page, part, &schema["properties"][part]);
    }
    Ok(())
}

/// One entry per field below `path`, depth first. `required` fields and others alike stand in the schema's order, which
/// is the alphabet's.
fn fields(page: &mut String, path: &str, schema: &Value) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let path = format!("{path}.{name}");
        paragraph(page, "", &format!("- **`{path}`** {}", facts(property, required)));
        paragraph(page, "  ", &text(property));
        rules(page, "  ", property);
        fields(page, &path, property);
        if property["items"]["type"] == "object" {
            rules(page, "  ", &property["items"]);
            fields(page, &format!("{path}[]"), &property["items"]);
        }
    }
}

fn facts(schema: &Value, required: bool) -> String {
    let mut facts = vec![type_of(schema)];
    if required {
        facts.push("required".to_owned());
    }
    match &schema["default"] {
        Value::Null => {}
        // The defaults of its fields say the same.
        Value::Object(_) => {}
        default => facts.push(format!("default `{default}`")),
    }
    // Bounds are floating point numbers in a definition, even those of integers.
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(low), Some(high)) => facts.push(format!("{low} to {high}")),
        (Some(low), None) => facts.push(format!("at least {low}")),
        _ => {}
    }
    for (key, unit) in [("maxLength", "characters"), ("maxItems", "entries"), ("maxProperties", "entries")] {
        if let Value::Number(most) = &schema[key] {
            facts.push(format!("at most {most} {unit}"));
        }
    }
    facts.join(", ")
}

fn type_of(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match (schema["type"].as_str(), &schema["x-kubernetes-list-map-keys"][0], &schema["items"]) {
        (Some("array"), Value::String(key), _) => format!("list of objects by `{key}`"),
        (Some("array"), _, items) => format!("list of {}", type_of(items)),
        (Some("object"), ..) if schema["additionalProperties"].is_object() => "map".to_owned(),
        (Some(name), ..) => name.to_owned(),
        (None, ..) => "integer or string".to_owned(),
    }
}

fn rules(page: &mut String, indent: &str, schema: &Value) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        paragraph(page, indent, &format!("Rule: {}.", rule["message"].as_str().unwrap_or_default()));
    }
}

fn text(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

/// Words in lines of at most [`WIDTH`] characters; a list entry's later lines are indented below its first.
pub fn paragraph(page: &mut String, indent: &str, words: &str) {
    let hanging = if words.starts_with("- ") { "  " } else { indent };
    let mut line = indent.to_owned();
    for word in words.split_whitespace() {
        let glue = if line.trim().is_empty() { "" } else { " " };
        if line.chars().count() + glue.len() + word.chars().count() > WIDTH {
            page.push_str(line.trim_end());
            page.push('\n');
            line = format!("{hanging}{word}");
        } else {
            line.push_str(glue);
            line.push_str(word);
        }
    }
    if !line.trim().is_empty() {
        page.push_str(&line);
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_keeps_its_width_and_names_every_spec() {
        let mut files = Generated::default();
        add(Path::new(""), &mut files).unwrap();
        let folder = tempfile::tempdir().unwrap();
        files.stale(folder.path()).unwrap().iter().for_each(|change| change.apply(folder.path()).unwrap());
        let page = std::fs::read_to_string(folder.path().join("docs/reference/crds.md")).unwrap();
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        for heading in ["### Agency spec", "### KnowledgeBase status", "- **`spec.carriers[].sip.allowedAddresses`**"] {
            assert!(page.contains(heading), "{heading}");
        }
        assert!(page.contains("- **`spec.quotas.concurrentCalls.max`** integer, default `10`, 0 to 100000"));
    }
}
