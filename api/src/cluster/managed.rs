//! Field ownership: which parts of an object belong to which manager (`metadata.managedFields`, format FieldsV1 of
//! structured-merge-diff). Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value};
use voxplane_crds::labels::API_FIELD_MANAGER;

/// The part of a spec that we own, ready to be merged with a change and applied again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OwnedFields {
    /// Our fields with their present values; null when we own nothing.
    pub spec: Value,
}

/// A field and who owns it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Dotted path, for example `spec.greeting.text`.
    pub field: String,
    /// The manager's name.
    pub manager: String,
}

/// Our part of `spec`, according to the entries of our own applies.
pub fn owned_spec(spec: &Value, entries: &[ManagedFieldsEntry]) -> OwnedFields {
    let mut owned = Value::Null;
    for entry in entries.iter().filter(|entry| is_ours(entry)) {
        let Some(fields) = spec_fields(entry) else { continue };
        if let Some(part) = project(spec, fields) {
            merge(&mut owned, part);
        }
    }
    OwnedFields { spec: owned }
}

/// Fields under `path` (inside spec, keys of objects only) that somebody else owns. With an empty path: all of spec.
pub fn foreign_owners(path: &[&str], entries: &[ManagedFieldsEntry]) -> Vec<Foreign> {
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| !is_ours(entry)) {
        let Some(mut fields) = spec_fields(entry) else { continue };
        let mut exists = true;
        for key in path {
            match fields.get(format!("f:{key}").as_str()) {
                Some(Value::Object(below)) => fields = below,
                _ => {
                    exists = false;
                    break;
                }
            }
        }
        if exists {
            let manager = entry.manager.clone().unwrap_or_default();
            let prefix = std::iter::once("spec").chain(path.iter().copied()).collect::<Vec<_>>().join(".");
            leaves(&prefix, fields, &mut |field| found.push(Foreign { field, manager: manager.clone() }));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Our entries of the main resource; those of subresources (status, scale) are somebody's observations.
fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(API_FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

fn spec_fields(entry: &ManagedFieldsEntry) -> Option<&Map<String, Value>> {
    // The scale subresource owns spec.runtime.replicas with `subresource: scale`: that is ownership of spec too.
    if entry.subresource.as_deref() == Some("status") {
        return None;
    }
    entry.fields_v1.as_ref()?.0.get("f:spec")?.as_object()
}

/// The part of `value` that a field set names.
fn project(value: &Value, fields: &Map<String, Value>) -> Option<Value> {
    if fields.keys().all(|key| key == ".") {
        // A leaf: the whole value is owned. `.` alone: the container itself, without its content.
        return Some(match value {
            Value::Object(_) if !fields.is_empty() => Value::Object(Map::new()),
            Value::Array(_) if !fields.is_empty() => Value::Array(Vec::new()),
            other => other.clone(),
        });
    }
    match value {
        Value::Object(object) => {
            let mut part = Map::new();
            for (key, below) in fields {
                let Some(name) = key.strip_prefix("f:") else { continue };
                if let (Some(child), Value::Object(below)) = (object.get(name), below)
                    && let Some(child) = project(child, below)
                {
                    part.insert(name.to_owned(), child);
                }
            }
            Some(Value::Object(part))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(|item| project_item(item, fields)).collect())),
        other => Some(other.clone()),
    }
}

/// An item of an associative list (`k:{"name":"x"}`) or of a set (`v:"x"`).
fn project_item(item: &Value, fields: &Map<String, Value>) -> Option<Value> {
    fields.iter().find_map(|(key, below)| {
        if let Some(keys) = key.strip_prefix("k:") {
            let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
            let matches = keys.iter().all(|(name, wanted)| item.get(name) == Some(wanted));
            let mut part = if matches { project(item, below.as_object()?)? } else { return None };
            // The key fields identify the item, whoever owns them.
            if let Value::Object(part) = &mut part {
                for (name, value) in keys {
                    part.insert(name, value);
                }
            }
            return Some(part);
        }
        let wanted: Value = serde_json::from_str(key.strip_prefix("v:")?).ok()?;
        (item == &wanted).then(|| item.clone())
    })
}

/// Joins two projections of the same object.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn leaves(prefix: &str, fields: &Map<String, Value>, found: &mut impl FnMut(String)) {
    let mut any = false;
    for (key, below) in fields {
        if let (Some(name), Value::Object(below)) = (key.strip_prefix("f:"), below) {
            any = true;
            leaves(&format!("{prefix}.{name}"), below, found);
        }
    }
    // Items of lists are reported as the list: merge patches replace lists whole. A container that is only declared
    // (`.` beside nothing) is owned by whoever wrote an empty object; nothing is lost by sharing it.
    let declared_only = fields.len() == 1 && fields.contains_key(".");
    if !any && !declared_only {
        found(prefix.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.into()),
            operation: Some(operation.into()),
            fields_v1: Some(FieldsV1(json!({ "f:spec": fields }))),
            ..ManagedFieldsEntry::default()
        }
    }

    fn spec() -> Value {
        json!({
            "displayName": "Reception",
            "greeting": {"mode": "AgentFirst", "text": "Hello"},
            "knowledgeBases": [{"name": "faq"}, {"name": "prices"}],
            "goodbye": {"phrases": ["bye", "goodbye"], "message": "Bye."},
            "paused": false
        })
    }

    #[test]
    fn only_our_fields_are_taken() {
        let entries = [
            entry(
                "voxplane-api",
                "Apply",
                &json!({
                    "f:greeting": {"f:text": {}},
                    "f:knowledgeBases": {"k:{\"name\":\"faq\"}": {".": {}, "f:name": {}}},
                    "f:goodbye": {"f:phrases": {"v:\"bye\"": {}}}
                }),
            ),
            entry("kubectl-client-side-apply", "Update", &json!({"f:displayName": {}, "f:greeting": {"f:mode": {}}})),
        ];
        let owned = owned_spec(&spec(), &entries);
        assert_eq!(
            owned.spec,
            json!({
                "greeting": {"text": "Hello"},
                "knowledgeBases": [{"name": "faq"}],
                "goodbye": {"phrases": ["bye"]}
            })
        );
    }

    #[test]
    fn owning_nothing_is_null() {
        let entries = [entry("argocd", "Apply", &json!({"f:greeting": {"f:text": {}}}))];
        assert_eq!(owned_spec(&spec(), &entries).spec, Value::Null);
    }

    #[test]
    fn a_container_is_declared_without_its_content() {
        let entries =
            [entry("voxplane-api", "Apply", &json!({"f:greeting": {".": {}, "f:text": {}}, "f:goodbye": {".": {}}}))];
        assert_eq!(owned_spec(&spec(), &entries).spec, json!({"greeting": {"text": "Hello"}, "goodbye": {}}));
    }

    #[test]
    fn foreign_owners_are_named_with_their_fields() {
        let entries = [
            entry("voxplane-api", "Apply", &json!({"f:paused": {}})),
            entry(
                "argocd",
                "Apply",
                &json!({"f:greeting": {"f:text": {}, "f:mode": {}}, "f:knowledgeBases": {"k:{\"name\":\"faq\"}": {}}}),
            ),
        ];
        let all = foreign_owners(&[], &entries);
        let fields: Vec<_> = all.iter().map(|foreign| foreign.field.as_str()).collect();
        assert_eq!(fields, ["spec.greeting.mode", "spec.greeting.text", "spec.knowledgeBases"]);
        assert!(all.iter().all(|foreign| foreign.manager == "argocd"));
        assert_eq!(foreign_owners(&["greeting"], &entries).len(), 2);
        assert_eq!(foreign_owners(&["paused"], &entries), []);
    }

    #[test]
    fn scaling_owns_a_field_and_status_owns_none() {
        let mut scale = entry("kubectl", "Update", &json!({"f:runtime": {"f:replicas": {}}}));
        scale.subresource = Some("scale".into());
        let mut status = entry("voxplane-operator", "Apply", &json!({"f:paused": {}}));
        status.subresource = Some("status".into());
        let found = foreign_owners(&[], &[scale, status]);
        assert_eq!(found, [Foreign { field: "spec.runtime.replicas".into(), manager: "kubectl".into() }]);
    }
}
