//! What was stored under a released schema stays readable for ever: `v1alpha1` may grow, and nothing that was accepted
//! is refused, forgotten or read otherwise later.
//!
//! `released/<version>/` has the definitions of that release and objects as the API server stored them, defaults
//! filled in. A release adds a folder: `VOXPLANE_RECORD_RELEASE=1.2.3 cargo test --test released`. Folders are never
//! edited.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs)]

mod narrowed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use serde_json::Value;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, all_crds};

use narrowed::{fill_in, narrowed};

/// Narrowings that were decided on, with the reason: beginnings of complaints.
const DECIDED: [(&str, &str); 2] = [
    (
        "PhoneNumber.spec: new rule: has(self.agentRef) != has(self.squad)",
        "`agentRef` was required and `squad` did not exist, so nothing that was stored has neither or both",
    ),
    (
        "KnowledgeBase.spec.sources[]: new rule: self.type == 'Url'",
        "about a type and a block that no stored object can have",
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn releases() -> Vec<PathBuf> {
    files(&folder()).into_iter().filter(|path| path.is_dir()).collect()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The definitions of today as JSON, by kind.
fn present() -> BTreeMap<String, Value> {
    all_crds().into_iter().map(|crd| (crd.spec.names.kind.clone(), serde_json::to_value(crd).unwrap())).collect()
}

fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

#[test]
fn nothing_that_was_accepted_is_refused_now() {
    record();
    let now = present();
    assert!(!releases().is_empty(), "no release is recorded in {}", folder().display());
    for release in releases() {
        for file in files(&release.join("crds")) {
            let then = read(&file);
            let kind = then["spec"]["names"]["kind"].as_str().unwrap();
            let crd = now.get(kind).unwrap_or_else(|| panic!("{kind} is gone"));
            assert_eq!(crd["spec"]["versions"][0]["name"], then["spec"]["versions"][0]["name"]);
            for key in ["group", "scope"] {
                assert_eq!(crd["spec"][key], then["spec"][key], "{kind}");
            }
            let mut found = narrowed(kind, schema(&then), schema(crd));
            found.retain(|complaint| !DECIDED.iter().any(|(decided, _)| complaint.starts_with(decided)));
            assert!(found.is_empty(), "objects stored by {} may be refused: {found:#?}", release.display());
        }
    }
}

/// Reads with the types of today, checks with the rules of today, and writes again.
macro_rules! round_trip {
    ($kind:ty, $file:expr, $stored:expr) => {{
        let object: $kind =
            serde_json::from_value($stored.clone()).unwrap_or_else(|error| panic!("{}: {error}", $file));
        object.validate_cel().unwrap_or_else(|errors| panic!("{}: {errors}", $file));
        serde_json::to_value(object).unwrap()
    }};
}

#[test]
fn what_was_stored_is_read_and_loses_nothing() {
    record();
    let mut kinds = BTreeMap::new();
    for release in releases() {
        for path in files(&release.join("objects")) {
            let (stored, file) = (read(&path), path.display().to_string());
            let kind = stored["kind"].as_str().unwrap().to_owned();
            let again = match kind.as_str() {
                "Agency" => round_trip!(Agency, file, stored),
                "Tenant" => round_trip!(Tenant, file, stored),
                "VoiceAgent" => round_trip!(VoiceAgent, file, stored),
                "PhoneNumber" => round_trip!(PhoneNumber, file, stored),
                "KnowledgeBase" => round_trip!(KnowledgeBase, file, stored),
                kind => panic!("{file}: {kind} is gone"),
            };
            let mut lost = Vec::new();
            compare("", &stored["spec"], &again["spec"], &mut lost);
            assert!(lost.is_empty(), "{file}: {lost:#?}");
            *kinds.entry(kind).or_insert(0) += 1;
        }
    }
    assert_eq!(kinds.len(), present().len(), "objects of every kind are recorded: {kinds:?}");
}

/// What `then` has and `now` lacks. Empty objects and lists may be left out: they say nothing.
fn compare(path: &str, then: &Value, now: &Value, lost: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(before), _) => {
            for (name, value) in before {
                compare(&format!("{path}.{name}"), value, now.get(name).unwrap_or(&Value::Null), lost);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}[{index}]"), before, after, lost);
            }
        }
        (Value::Array(before), Value::Null) if before.is_empty() => {}
        _ if then == now => {}
        _ => lost.push(format!("{path}: {then} became {now}")),
    }
}

/// Adds the release that `VOXPLANE_RECORD_RELEASE` names. An existing folder stays as it is.
fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(version) = std::env::var("VOXPLANE_RECORD_RELEASE") else { return };
        let release = folder().join(version);
        assert!(!release.exists(), "{} is recorded and never edited", release.display());
        let now = present();
        for part in ["crds", "objects"] {
            fs::create_dir_all(release.join(part)).unwrap();
        }
        let write = |name: String, content: &Value| {
            fs::write(release.join(name), serde_yaml_ng::to_string(content).unwrap()).unwrap();
        };
        for crd in now.values() {
            write(format!("crds/{}.yaml", crd["spec"]["names"]["plural"].as_str().unwrap()), crd);
        }
        let of = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        for scenario in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples")) {
            for file in files(&scenario) {
                let mut object = read(&file);
                let kind = object["kind"].as_str().unwrap().to_owned();
                fill_in(schema(&now[&kind]), &mut object);
                write(format!("objects/{}-{}", of(&scenario), of(&file)), &object);
            }
        }
    });
}
