//! The rules of the definitions, each with an object it accepts and objects it refuses. The same rules run in the API
//! server; what it alone checks (bounds, patterns) is tested against a real one.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What the rules say, joined; empty: accepted.
macro_rules! verdict {
    ($kind:ty, $name:expr, $spec:expr) => {{
        let kind = stringify!($kind);
        let object: $kind = serde_json::from_value(object(kind, $name, &$spec)).unwrap();
        match object.validate_cel() {
            Ok(()) => String::new(),
            Err(errors) => errors.to_string(),
        }
    }};
}

mod agents;
mod carriers;
mod knowledge;
mod numbers;
mod tenants;

#[track_caller]
fn refused(verdict: &str, words: &str) {
    assert!(verdict.contains(words), "expected a refusal with `{words}`, got `{verdict}`");
}

#[test]
fn names_fit_into_namespaces() {
    let none = json!({});
    for good in ["a", "brightline", "a-1", &"a".repeat(20)] {
        assert_eq!(verdict!(Agency, good, none), "", "{good}");
        assert_eq!(verdict!(Tenant, good, none), "", "{good}");
    }
    refused(&verdict!(Agency, &"a".repeat(21), none), "at most 20 characters");
    refused(&verdict!(Tenant, &"a".repeat(31), none), "at most 30 characters");
    for bad in ["a--b", "a.b", "A"] {
        refused(&verdict!(Agency, bad, none), "lower-case letters, digits and single dashes");
        refused(&verdict!(Tenant, bad, none), "lower-case letters, digits and single dashes");
    }
    let long = "a".repeat(41);
    refused(&verdict!(VoiceAgent, &long, none), "at most 40 characters");
    refused(&verdict!(KnowledgeBase, &long, none), "at most 40 characters");
    let number = json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}});
    assert_eq!(verdict!(PhoneNumber, "main", number), "");
    refused(&verdict!(PhoneNumber, &long, number), "at most 40 characters");
}
