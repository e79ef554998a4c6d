//! Every field of a spec with its value and its source.
//!
//! The API server fills in defaults, so that an object does not show what its author wrote. Its managed fields do: a
//! field that somebody applied has an owner, a default has none. After a plain create or update the writer owns the
//! filled-in defaults, too; a value that equals the default is then called a default, because nobody can tell.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::{Map, Value};
use voxplane_crds::Origin;

use super::inherited::Inherited;

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its path: `spec.greeting.text`.
    pub path: String,
    /// Its value.
    pub value: Value,
    /// Where the value comes from.
    #[serde(flatten)]
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum Source {
    /// Somebody wrote it.
    Spec {
        /// Who: a field manager such as `kubectl` or `voxplane-api`.
        #[serde(skip_serializing_if = "Option::is_none")]
        manager: Option<String>,
    },
    /// The tenant's `spec.defaults`.
    Tenant,
    /// The agency's `spec.defaults`.
    Agency,
    /// Nobody did.
    Default,
}

impl Source {
    /// For people.
    #[must_use]
    pub fn as_text(&self) -> String {
        match self {
            Self::Spec { manager: Some(manager) } => format!("spec, set by {manager}"),
            Self::Spec { manager: None } => "spec".to_owned(),
            Self::Tenant => "tenant default".to_owned(),
            Self::Agency => "agency default".to_owned(),
            Self::Default => "default".to_owned(),
        }
    }
}

/// Every field of an agent's spec, in the order of its defaults; what has no default comes after.
#[must_use]
pub fn of(object: &DynamicObject, inherited: &Inherited) -> Vec<Field> {
    let defaults = &inherited.defaults;
    let mut merged = defaults.clone();
    overlay(&mut merged, &object.data["spec"]);
    let mut leaves = vec![];
    flatten(&merged, &mut vec![], &mut leaves);
    let fields = object.metadata.managed_fields.as_deref().unwrap_or_default();
    leaves
        .into_iter()
        .map(|(path, value)| {
            let source = match path.first().and_then(|block| inherited.origin(block)) {
                Some(Origin::TenantDefault) => Source::Tenant,
                Some(Origin::AgencyDefault) => Source::Agency,
                Some(Origin::Agent | Origin::BuiltIn) | None => source(&path, &value, defaults, fields),
            };
            Field { path: format!("spec.{}", path.join(".")), value, source }
        })
        .collect()
}

/// Whether somebody wrote this field of an object's spec, or anything in it.
#[must_use]
pub fn is_owned(object: &DynamicObject, field: &str) -> bool {
    owner(&[field.to_owned()], object.metadata.managed_fields.as_deref().unwrap_or_default()).is_some()
}

/// Where the value of one field of an object's spec comes from.
#[must_use]
pub fn source_of(object: &DynamicObject, path: &[&str], defaults: &Value) -> Source {
    let path: Vec<String> = path.iter().map(|&step| step.to_owned()).collect();
    let own = object.data["spec"].pointer(&pointer(&path));
    let value = own.or_else(|| defaults.pointer(&pointer(&path))).cloned().unwrap_or_default();
    source(&path, &value, defaults, object.metadata.managed_fields.as_deref().unwrap_or_default())
}

fn source(path: &[String], value: &Value, defaults: &Value, fields: &[ManagedFieldsEntry]) -> Source {
    let differs = defaults.pointer(&pointer(path)).unwrap_or(&Value::Null) != value;
    match owner(path, fields) {
        Some((manager, applied)) if applied || differs => Source::Spec { manager: Some(manager) },
        None if differs => Source::Spec { manager: None },
        _ => Source::Default,
    }
}

/// The manager of a field and whether it applied it, server-side. Whoever applied comes first.
fn owner(path: &[String], fields: &[ManagedFieldsEntry]) -> Option<(String, bool)> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let mut at = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:spec"));
        for step in path {
            at = at.and_then(|fields| fields.get(format!("f:{step}")));
        }
        at.is_some()
    };
    let of = |operation: &str| {
        let mut entries = fields.iter().filter(|entry| entry.subresource.as_deref() != Some("status"));
        let found = entries.find(|entry| entry.operation.as_deref() == Some(operation) && owns(entry))?;
        found.manager.clone()
    };
    of("Apply").map(|manager| (manager, true)).or_else(|| of("Update").map(|manager| (manager, false)))
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                overlay(base.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())), value);
            }
        }
        (base, over) if !over.is_null() => *base = over.clone(),
        _ => {}
    }
}

/// Lists are values of their own: their order and their entries belong together.
fn flatten(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                flatten(value, path, leaves);
                path.pop();
            }
        }
        value => leaves.push((path.clone(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inherited() -> Inherited {
        let defaults = json!({"greeting": {"text": "Hello", "mode": "AgentFirst"}, "paused": false});
        Inherited { defaults, origins: vec![] }
    }

    fn object(spec: &Value, managed: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "a", "managedFields": managed}, "spec": spec})).unwrap()
    }

    fn sources(object: &DynamicObject) -> Vec<(String, String)> {
        of(object, &inherited()).into_iter().map(|field| (field.path, field.source.as_text())).collect()
    }

    fn managed(operation: &str, fields: &Value) -> Value {
        json!([
            {"manager": "kubectl", "operation": operation, "fieldsV1": {"f:spec": fields}},
            {"manager": "voxplane-operator", "operation": "Apply", "subresource": "status",
             "fieldsV1": {"f:spec": {"f:paused": {}}}},
        ])
    }

    #[test]
    fn what_was_applied_is_the_specs_even_if_it_equals_the_default() {
        let object = object(
            &json!({"greeting": {"text": "Hello", "mode": "AgentFirst"}, "paused": false}),
            &managed("Apply", &json!({"f:greeting": {"f:text": {}}})),
        );
        let expected = [
            ("spec.greeting.text", "spec, set by kubectl"),
            ("spec.greeting.mode", "default"),
            ("spec.paused", "default"),
        ];
        assert_eq!(sources(&object), expected.map(|(path, source)| (path.to_owned(), source.to_owned())));
    }

    #[test]
    fn after_a_plain_create_only_what_differs_from_the_default_is_the_specs() {
        let all = json!({"f:greeting": {"f:text": {}, "f:mode": {}}, "f:paused": {}, "f:llm": {"f:model": {}}});
        let object = object(
            &json!({"greeting": {"text": "Good day", "mode": "AgentFirst"}, "paused": false, "llm": {"model": "m"}}),
            &managed("Update", &all),
        );
        let expected = [
            ("spec.greeting.text", "spec, set by kubectl"),
            ("spec.greeting.mode", "default"),
            ("spec.paused", "default"),
            ("spec.llm.model", "spec, set by kubectl"),
        ];
        assert_eq!(sources(&object), expected.map(|(path, source)| (path.to_owned(), source.to_owned())));
    }

    #[test]
    fn without_managed_fields_what_differs_is_the_specs() {
        let object = object(&json!({"greeting": {"text": "Good day"}}), &Value::Null);
        let expected = [("spec.greeting.text", "spec"), ("spec.greeting.mode", "default"), ("spec.paused", "default")];
        assert_eq!(sources(&object), expected.map(|(path, source)| (path.to_owned(), source.to_owned())));
    }
}
