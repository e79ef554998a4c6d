//! The health checks for Argo CD, run as Argo CD runs them: Lua 5.1, the object in the global `obj`, a table comes back.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaSerdeExt as _};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use voxplane_crds::{
    conditions::registry::{ALL, Meaning},
    names,
};

const KINDS: [&str; 5] = ["agency", "tenant", "voiceagent", "phonenumber", "knowledgebase"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests/argocd")
}

/// Status and message that the health check of a kind finds.
fn health(kind: &str, object: &Value) -> (String, String) {
    let script = fs::read_to_string(folder().join("health").join(format!("{kind}.lua"))).unwrap();
    let lua = Lua::new();
    // A JSON null is an absent field, as in the tables that Argo CD makes.
    let options = SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, options).unwrap()).unwrap();
    let answer: mlua::Table = lua.load(&script).eval().unwrap_or_else(|error| panic!("{kind}: {error}"));
    (answer.get("status").unwrap(), answer.get::<Option<String>>("message").unwrap().unwrap_or_default())
}

fn object(status: &Value) -> Value {
    json!({"metadata": {"name": "x", "generation": 2}, "spec": {}, "status": status})
}

fn ready(status: &str, reason: &str, message: &str) -> Value {
    object(&json!({"conditions": [
        {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 2},
        {"type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 2},
    ]}))
}

#[test]
fn what_the_operator_has_not_looked_at_is_progressing() {
    let unseen = [
        json!({"metadata": {"name": "x", "generation": 1}, "spec": {}}),
        object(&json!({})),
        object(&json!({"conditions": []})),
        object(&json!({"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"}]})),
    ];
    for kind in KINDS {
        for object in &unseen {
            let (status, message) = health(kind, object);
            assert_eq!((status.as_str(), message.as_str()), ("Progressing", "the operator has not looked at it yet"));
        }
        let mut changed = ready("True", "Ready", "");
        changed["metadata"]["generation"] = json!(3);
        assert_eq!(health(kind, &changed).0, "Progressing", "{kind}: Ready is of an older generation");
    }
}

#[test]
fn ready_is_healthy_until_it_is_deleted() {
    for kind in KINDS {
        let mut object = ready("True", "Ready", "");
        assert_eq!(health(kind, &object).0, "Healthy", "{kind}");
        object["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
        assert_eq!(health(kind, &object).0, "Progressing", "{kind}");
    }
}

#[test]
fn unknown_is_progressing_whatever_the_reason() {
    for kind in KINDS {
        let (status, message) = health(kind, &ready("Unknown", "DatabaseUnavailable", "connection refused"));
        assert_eq!((status.as_str(), message.as_str()), ("Progressing", "DatabaseUnavailable: connection refused"));
    }
}

#[test]
fn suspended_and_paused_are_suspended() {
    for kind in KINDS {
        for reason in ["Suspended", "Paused"] {
            assert_eq!(health(kind, &ready("False", reason, "no call is taken")).0, "Suspended", "{kind} {reason}");
        }
    }
}

/// A reason that is added to the registry must be sorted here, too.
#[test]
fn every_reason_has_the_health_that_the_registry_says() {
    for entry in ALL {
        let wanted = match entry.meaning {
            Meaning::Good => continue,
            Meaning::Waiting => "Progressing",
            Meaning::Intended => "Suspended",
            Meaning::Broken => "Degraded",
        };
        for kind in KINDS {
            let found = health(kind, &ready("False", entry.reason, "why")).0;
            assert_eq!(found, wanted, "{kind} {}: change manifests/argocd/health/{kind}.lua", entry.reason);
        }
    }
    // A reason of a newer operator: somebody should look.
    assert_eq!(health("tenant", &ready("False", "FromTheFuture", "")).0, "Degraded");
}

#[test]
fn the_message_says_why() {
    let (_, message) = health("phonenumber", &ready("False", "NumberInUse", "another PhoneNumber claimed it"));
    assert_eq!(message, "NumberInUse: another PhoneNumber claimed it");
    assert_eq!(health("phonenumber", &ready("False", "NumberInUse", "")).1, "NumberInUse");
}

/// The message is the operator's, in operator/src/phone_number/status.rs.
#[test]
fn a_number_whose_agent_is_paused_does_not_hold_up_a_sync() {
    let waits = |message: &str| health("phonenumber", &ready("False", "WaitingForDependency", message)).0;
    assert_eq!(waits(r#"agent "a" is not ready (Paused): spec.paused is true"#), "Suspended");
    assert_eq!(waits(r#"agent "a" is not ready (WaitingForPods): 0 of 1 pods"#), "Progressing");
}

/// But for their texts and the number's own rule, the five files are one; whoever changes one changes all.
#[test]
fn the_five_checks_do_not_drift_apart() {
    let lines = |kind: &str| -> Vec<String> {
        let text = fs::read_to_string(folder().join("health").join(format!("{kind}.lua"))).unwrap();
        let own = |line: &&str| line.starts_with("-- Health of the kind") || line.contains(r#"return health(""#);
        text.lines().filter(|line| !own(line)).map(str::to_owned).collect()
    };
    let first = lines("agency");
    for kind in ["tenant", "voiceagent", "knowledgebase"] {
        assert_eq!(lines(kind), first, "{kind}.lua");
    }
    let number = lines("phonenumber");
    assert!(first.iter().all(|line| number.contains(line)), "phonenumber.lua lacks a line of the others");
}

#[test]
fn the_examples_are_yaml_and_name_kinds_that_exist() {
    let mut seen = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let document = <Value as serde::Deserialize>::deserialize(document)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for key in document["data"].as_object().into_iter().flat_map(|data| data.keys()) {
                let (_, kind) = key.rsplit_once('_').unwrap();
                let known = voxplane_crds::all_crds().into_iter().any(|crd| crd.spec.names.kind == kind);
                assert!(known && key.starts_with("resource.customizations."), "{key}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} documents were found");
}

/// A field that was renamed would silently be drift again.
#[test]
fn fields_that_are_ignored_exist() {
    let text = fs::read_to_string(folder().join("argocd-cm.yaml")).unwrap();
    let map: Value = serde_yaml_ng::from_str(&text).unwrap();
    let mut seen = 0;
    for (key, ignored) in map["data"].as_object().unwrap().iter().filter(|(key, _)| key.contains("ignoreDifferences")) {
        let (_, kind) = key.rsplit_once('_').unwrap();
        let crd = voxplane_crds::all_crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let crd = serde_json::to_value(crd).unwrap();
        let ignored: Value = serde_yaml_ng::from_str(ignored.as_str().unwrap()).unwrap();
        for pointer in ignored["jsonPointers"].as_array().unwrap() {
            let mut schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            for part in pointer.as_str().unwrap().trim_start_matches('/').split('/') {
                schema = &schema["properties"][part];
                assert!(schema.is_object(), "{kind} has no {pointer}: {part} is not there");
            }
            seen += 1;
        }
    }
    assert!(seen > 0, "nothing is ignored");
}

/// What the folders are called decides where their objects go; the operator makes the namespaces.
#[test]
fn folders_lead_to_the_namespaces_that_the_operator_makes() {
    let text = fs::read_to_string(folder().join("applicationset.yaml")).unwrap();
    let sets: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| <Value as serde::Deserialize>::deserialize(document).unwrap())
        .collect();
    let namespace = |set: &str, folder: &str| {
        let found = sets.iter().find(|found| found["metadata"]["name"] == set).unwrap();
        let template = found["spec"]["template"]["spec"]["destination"]["namespace"].as_str().unwrap();
        let agency = folder.split("--").next().unwrap();
        template
            .replace("{{ .path.basename }}", folder)
            .replace(r#"{{ index (splitList "--" .path.basename) 0 }}"#, agency)
    };
    assert_eq!(namespace("voxplane-agencies", "brightline"), names::agency_namespace("brightline"));
    let tenant = "brightline--dental-clinic";
    assert_eq!(namespace("voxplane-tenants", tenant), names::agency_namespace("brightline"));
    assert_eq!(namespace("voxplane-agents", tenant), names::tenant_namespace("brightline", "dental-clinic"));
    for set in &sets {
        // Argo CD must not make a namespace of the operator's.
        let options = set["spec"]["template"]["spec"]["syncPolicy"]["syncOptions"].as_array().unwrap();
        assert!(options.contains(&json!("ServerSideApply=true")), "{options:?}");
        assert!(!options.contains(&json!("CreateNamespace=true")), "{options:?}");
    }
}
