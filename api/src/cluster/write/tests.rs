use serde_json::json;

use super::*;

fn live(fields: &Value, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "voxplane.dev/v1alpha1",
        "kind": "VoiceAgent",
        "metadata": {"name": "reception", "namespace": "vx-a--b", "resourceVersion": "7", "managedFields": fields},
        "spec": spec,
    }))
    .unwrap()
}

fn entry(manager: &str, fields: &Value) -> Value {
    json!({"manager": manager, "operation": "Apply", "apiVersion": "voxplane.dev/v1alpha1", "fieldsType": "FieldsV1",
           "fieldsV1": {"f:spec": fields}})
}

fn spec() -> Value {
    json!({"displayName": "Reception", "greeting": {"mode": "AgentFirst", "text": "Hello"}, "paused": false})
}

#[test]
fn a_patch_keeps_what_we_own_and_takes_nothing_else() {
    let ours = entry("voxplane-api", &json!({"f:greeting": {"f:text": {}}}));
    let git = entry("argocd", &json!({"f:displayName": {}}));
    let object = live(&json!([ours, git]), &spec());
    let plan = plan(&object, &Change::Merge(json!({"paused": true}))).unwrap();
    assert_eq!(plan.desired, json!({"greeting": {"text": "Hello"}, "paused": true}));
    assert_eq!(plan.outcome["paused"], true);
    assert_eq!(plan.outcome["displayName"], "Reception", "the outcome is the whole object");
}

#[test]
fn removing_a_field_of_somebody_else_is_a_conflict_that_names_them() {
    let object = live(&json!([entry("argocd", &json!({"f:greeting": {"f:text": {}}}))]), &spec());
    let refused = plan(&object, &Change::Merge(json!({"greeting": {"text": null}})));
    let Err(WriteError::Owned(foreign)) = refused else { panic!("{refused:?}") };
    assert_eq!(foreign, [Foreign { field: "spec.greeting.text".into(), manager: "argocd".into() }]);
}

#[test]
fn replacing_may_repeat_foreign_fields_but_not_drop_them() {
    let object = live(&json!([entry("argocd", &json!({"f:displayName": {}}))]), &spec());
    assert!(matches!(plan(&object, &Change::Replace(json!({"paused": true}))), Err(WriteError::Owned(_))));
    let repeated = json!({"displayName": "Reception", "paused": true});
    assert_eq!(plan(&object, &Change::Replace(repeated.clone())).unwrap().desired, repeated);
}

#[test]
fn versions_must_match_when_the_caller_says_so() {
    assert!(require(None, "7").is_ok());
    assert!(require(Some("7"), "7").is_ok());
    assert!(matches!(require(Some("6"), "7"), Err(WriteError::Precondition)));
}

#[test]
fn gitops_marks_are_found() {
    let mut object = live(&json!([]), &spec());
    assert_eq!(gitops_mark(&object), None);
    object.annotations_mut().insert("argocd.argoproj.io/tracking-id".into(), "x".into());
    assert_eq!(gitops_mark(&object), Some("argocd.argoproj.io/tracking-id"));
}
