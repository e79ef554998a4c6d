//! The samples that the documentation quotes are valid and mean what they say.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{fs, path::Path};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, names};

/// Every object under `manifests/samples`, with the file it stands in.
fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples");
    let mut samples = vec![];
    for scenario in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(scenario.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            samples.push((path.display().to_string(), serde_yaml_ng::from_str(&text).unwrap()));
        }
    }
    assert!(samples.len() >= 9, "found only {} samples", samples.len());
    samples
}

fn all<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    samples()
        .into_iter()
        .filter(|(_, sample)| sample["kind"] == kind)
        .map(|(file, sample)| serde_json::from_value(sample).unwrap_or_else(|error| panic!("{file}: {error}")))
        .collect()
}

/// Fields of `wanted` that `found` lacks or has otherwise: what a typing error in a sample would look like.
fn lost(path: &str, wanted: &Value, found: &Value) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .flat_map(|(name, value)| lost(&format!("{path}.{name}"), value, found.get(name).unwrap_or(&Value::Null)))
            .collect(),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let entries = wanted.iter().zip(found).enumerate();
            entries.flat_map(|(index, (wanted, found))| lost(&format!("{path}[{index}]"), wanted, found)).collect()
        }
        _ if wanted == found => vec![],
        _ => vec![format!("{path}: {wanted} became {found}")],
    }
}

/// Reads, checks by the definition's rules, and writes again.
macro_rules! round_trip {
    ($kind:ty, $file:expr, $sample:expr) => {{
        let object: $kind = serde_json::from_value($sample.clone()).unwrap();
        object.validate_cel().unwrap_or_else(|errors| panic!("{}: {errors}", $file));
        serde_json::to_value(object).unwrap()
    }};
}

#[test]
fn every_sample_is_accepted_and_loses_nothing() {
    for (file, sample) in samples() {
        let again = match sample["kind"].as_str() {
            Some("Agency") => round_trip!(Agency, file, sample),
            Some("Tenant") => round_trip!(Tenant, file, sample),
            Some("VoiceAgent") => round_trip!(VoiceAgent, file, sample),
            Some("PhoneNumber") => round_trip!(PhoneNumber, file, sample),
            Some("KnowledgeBase") => round_trip!(KnowledgeBase, file, sample),
            kind => panic!("{file}: unknown kind {kind:?}"),
        };
        assert_eq!(lost("", &sample, &again), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn what_the_samples_refer_to_exists() {
    let agencies = all::<Agency>("Agency");
    let agents = all::<VoiceAgent>("VoiceAgent");
    let knowledge = all::<KnowledgeBase>("KnowledgeBase");
    let owner = |namespace: &str| match names::owner_of_namespace(namespace) {
        Some(names::NamespaceOwner::Tenant { agency, tenant }) => (agency, tenant),
        other => panic!("{namespace} is {other:?}, not a tenant's"),
    };
    let tenants: Vec<_> = all::<Tenant>("Tenant")
        .into_iter()
        .map(|tenant| (tenant.metadata.namespace.unwrap(), tenant.metadata.name.unwrap()))
        .collect();

    for agent in &agents {
        for wanted in &agent.spec.knowledge_bases {
            let found = knowledge.iter().any(|base| {
                base.metadata.name.as_ref() == Some(&wanted.name) && base.metadata.namespace == agent.metadata.namespace
            });
            assert!(found, "there is no KnowledgeBase {}", wanted.name);
        }
    }
    for number in all::<PhoneNumber>("PhoneNumber") {
        let namespace = number.metadata.namespace.clone().unwrap();
        let (agency, tenant) = owner(&namespace);
        assert!(tenants.contains(&(names::agency_namespace(&agency), tenant.clone())), "no tenant for {namespace}");
        for (field, name) in number.spec.agents() {
            let found = agents.iter().any(|agent| {
                agent.metadata.name.as_deref() == Some(name) && agent.metadata.namespace == number.metadata.namespace
            });
            assert!(found, "{field}: there is no VoiceAgent {name} in {namespace}");
        }
        let agency = agencies.iter().find(|one| one.metadata.name.as_ref() == Some(&agency)).unwrap();
        let carrier = agency.spec.carriers.iter().find(|carrier| carrier.name == number.spec.carrier).unwrap();
        let Some(known) = number.spec.number.as_deref() else {
            assert!(carrier.purchases().is_some_and(|purchases| purchases.enabled), "{namespace} may buy no number");
            let anything = carrier.numbers.iter().any(|grant| grant.grants(&grant.pattern, &tenant));
            assert!(anything, "no number is granted to {tenant}");
            continue;
        };
        let granted = |tenant: &str| carrier.numbers.iter().any(|grant| grant.grants(known, tenant));
        assert!(granted(&tenant), "{known} is not granted to {tenant}");
        assert!(!granted("somebody-else"), "{known} is granted to everybody");
    }
}
