//! Rules every schema keeps, whatever it describes: bounds on everything, marks on every list, words on every field.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use voxplane_crds::all_crds;

/// A schema node and where it stands.
struct Node<'a> {
    path: String,
    schema: &'a Value,
}

fn nodes() -> Vec<(String, Value)> {
    all_crds()
        .into_iter()
        .map(|crd| {
            let version = &crd.spec.versions[0];
            let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            (crd.spec.names.kind, serde_json::to_value(schema).unwrap())
        })
        .collect()
}

/// Every node below `spec` and `status`: `metadata` belongs to Kubernetes.
fn walk<'a>(path: &str, schema: &'a Value, visit: &mut impl FnMut(&Node<'a>)) {
    visit(&Node { path: path.to_owned(), schema });
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if !(path.chars().all(char::is_alphabetic) && name == "metadata") {
            walk(&format!("{path}.{name}"), property, visit);
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            walk(&format!("{path}{mark}"), &schema[key], visit);
        }
    }
}

fn complaints(rule: impl Fn(&Node<'_>) -> Option<&'static str>) -> Vec<String> {
    let mut found = vec![];
    for (kind, schema) in nodes() {
        walk(&kind, &schema, &mut |node| {
            if let Some(complaint) = rule(node) {
                found.push(format!("{}: {complaint}", node.path));
            }
        });
    }
    found
}

/// The objects whose fields are the author's: JSON Schemas.
const AUTHORS_OWN: [&str; 1] = ["VoiceAgent.spec.tools[].parameters"];

fn unbounded(node: &Node<'_>) -> Option<&'static str> {
    let schema = node.schema;
    match schema["type"].as_str() {
        Some("string") if schema["enum"].is_null() && schema["maxLength"].is_null() => Some("string without maxLength"),
        Some("array") if schema["maxItems"].is_null() => Some("list without maxItems"),
        Some("object") if schema["additionalProperties"].is_object() && schema["maxProperties"].is_null() => {
            Some("map without maxProperties")
        }
        Some("object")
            if schema["x-kubernetes-preserve-unknown-fields"] == true && !AUTHORS_OWN.contains(&node.path.as_str()) =>
        {
            Some("accepts unknown fields")
        }
        Some("object")
            if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["maxProperties"].is_null() =>
        {
            Some("unknown fields without maxProperties")
        }
        Some("integer")
            if node.path.contains(".spec.") && (schema["minimum"].is_null() || schema["maximum"].is_null()) =>
        {
            Some("integer without minimum and maximum")
        }
        Some("number") => Some("floating point numbers do not survive a round trip: use an integer"),
        Some(_) => None,
        // `IntOrString` has no type of its own.
        None if schema["x-kubernetes-int-or-string"] == true && !schema["maxLength"].is_null() => None,
        None => Some("has no type"),
    }
}

fn unmarked(node: &Node<'_>) -> Option<&'static str> {
    let schema = node.schema;
    let of_objects = schema["items"]["type"] == "object";
    match schema["type"].as_str() {
        Some("array") if schema["x-kubernetes-list-type"].is_null() => Some("list without x-kubernetes-list-type"),
        Some("array") if of_objects && schema["x-kubernetes-list-type"] == "set" => Some("a set of objects"),
        _ => None,
    }
}

fn undocumented(node: &Node<'_>) -> Option<&'static str> {
    let is_field = node.path.contains('.') && !node.path.ends_with(']') && !node.path.ends_with('}');
    let by_us = !matches!(node.path.rsplit('.').next(), Some("apiVersion" | "kind"));
    let text = node.schema["description"].as_str().unwrap_or_default();
    (is_field && by_us && text.is_empty()).then_some("field without a description")
}

/// An optional field of a spec either has a schema default or says what leaving it out means.
fn silent_about_omission(node: &Node<'_>) -> Option<&'static str> {
    for (name, property) in node.schema["properties"].as_object()? {
        let required = node.schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
        let text = property["description"].as_str().unwrap_or_default();
        let explained = text.contains("Omitted") || text.contains("needed when") || text.contains("needed by");
        let filled_in = property["default"].is_object();
        if node.path.contains(".spec") && !required && !explained && !filled_in {
            return Some(Box::leak(format!("`{name}` does not say what omitting it means").into_boxed_str()));
        }
    }
    None
}

#[test]
fn everything_is_bounded() {
    assert_eq!(complaints(unbounded), Vec::<String>::new());
}

#[test]
fn every_list_says_how_it_merges() {
    assert_eq!(complaints(unmarked), Vec::<String>::new());
}

#[test]
fn every_field_is_explained() {
    assert_eq!(complaints(undocumented), Vec::<String>::new());
    assert_eq!(complaints(silent_about_omission), Vec::<String>::new());
}

#[test]
fn every_rule_has_a_message() {
    let rules = |node: &Node<'_>| {
        let rules = node.schema["x-kubernetes-validations"].as_array()?;
        rules.iter().any(|rule| rule["message"].as_str().is_none_or(str::is_empty)).then_some("rule without message")
    };
    assert_eq!(complaints(rules), Vec::<String>::new());
}

/// The walk sees what is wrong: a schema with every fault is complained about.
#[test]
fn the_rules_find_faults() {
    let bad = serde_json::json!({"type": "object", "properties": {
        "text": {"type": "string"},
        "list": {"type": "array", "items": {"type": "object"}},
    }});
    let mut faults = vec![];
    walk("Bad.spec", &bad, &mut |node| {
        faults.extend([unbounded(node), unmarked(node), undocumented(node)].into_iter().flatten());
    });
    for expected in ["string without maxLength", "list without maxItems", "list without x-kubernetes-list-type"] {
        assert!(faults.contains(&expected), "{expected} is missing in {faults:?}");
    }
}

#[test]
fn every_kind_has_what_users_rely_on() {
    for crd in all_crds() {
        let (names, version) = (&crd.spec.names, &crd.spec.versions[0]);
        let kind = &names.kind;
        assert_eq!(names.categories.as_deref(), Some(&["voxplane".to_owned()][..]), "{kind}");
        assert_eq!(names.short_names.as_ref().map(Vec::len), Some(1), "{kind}");
        let columns: Vec<_> =
            version.additional_printer_columns.iter().flatten().map(|column| column.name.as_str()).collect();
        for column in ["Ready", "Reason", "Age"] {
            assert!(columns.contains(&column), "{kind} has no column {column}");
        }
        let subresources = version.subresources.as_ref().unwrap();
        assert!(subresources.status.is_some(), "{kind} has no status subresource");
        assert_eq!(subresources.scale.is_some(), kind == "VoiceAgent", "{kind}");
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        assert!(!schema.description.as_deref().unwrap().starts_with("Auto-generated"), "{kind} has no description");
    }
}
