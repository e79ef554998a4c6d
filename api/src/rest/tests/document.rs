use serde_json::{Value, json};

use super::super::document::openapi;

#[test]
fn the_document_is_as_committed() {
    let mut document = openapi();
    // Long, and pinned by the CRDs' own snapshots.
    for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        if name.ends_with("Spec") {
            *schema = Value::from("from the CRD");
        }
    }
    insta::assert_json_snapshot!(document);
}

#[test]
fn specs_are_described_by_their_crds() {
    let document = openapi();
    let spec = &document["components"]["schemas"]["VoiceAgentSpec"];
    assert!(spec["properties"]["greeting"]["properties"]["text"]["description"].is_string(), "{spec}");
    assert!(!spec.to_string().contains("x-kubernetes"), "{spec}");
}

#[test]
fn every_reference_resolves() {
    let document = openapi();
    let mut missing = Vec::new();
    walk(&document, &mut |reference| {
        let pointer = reference.trim_start_matches('#');
        if document.pointer(pointer).is_none() {
            missing.push(reference.to_owned());
        }
    });
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_operation_but_three_needs_a_token() {
    let document = openapi();
    let mut open = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] != json!([{"bearer": []}]) {
                open.push(format!("{method} {path}"));
            }
        }
    }
    open.sort();
    assert_eq!(open, ["get /api/v1/health", "get /api/v1/openapi.json", "post /api/v1/auth/login"]);
}

fn walk(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                found(reference);
            }
            object.values().for_each(|child| walk(child, found));
        }
        Value::Array(items) => items.iter().for_each(|child| walk(child, found)),
        _ => {}
    }
}
