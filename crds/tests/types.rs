//! What the types compute.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::json;
use voxplane_crds::{
    AgencySpec, PhoneNumber, PhoneNumberSpec, TenantSpec, VoiceAgentSpec,
    agency::NumberGrant,
    effective,
    voice_agent::{VadCustom, VadPreset},
};

/// The end of a turn, the detection of speech and the keys of an agent whose owners set nothing.
fn on_its_own(spec: serde_json::Value) -> (i32, VadCustom, Vec<(String, &'static str)>) {
    let (agency, tenant) = (AgencySpec::default(), TenantSpec::default());
    let agent: VoiceAgentSpec = serde_json::from_value(spec).unwrap();
    let settings = effective(&agency, &tenant, &agent);
    let secrets = settings.secrets().iter().map(|secret| (secret.name.to_owned(), secret.provider)).collect();
    (settings.end_of_turn_silence_ms(), settings.vad.value.parameters(), secrets)
}

#[test]
fn defaults_are_those_of_the_schema() {
    let agency = AgencySpec::default();
    assert_eq!((agency.quotas.max_tenants, agency.quotas.concurrent_calls), (100, 100));
    let tenant = TenantSpec::default();
    assert_eq!((tenant.timezone.as_str(), tenant.quotas.concurrent_calls.max), ("UTC", 10));
    assert!(tenant.compliance.disclosure.is_some());
    let agent = VoiceAgentSpec::default();
    assert_eq!((agent.runtime.replicas, agent.runtime.calls_per_replica), (1, 4));
    assert_eq!(agent, serde_json::from_value(json!({})).unwrap());
}

#[test]
fn the_end_of_a_turn_is_the_turns_own_or_the_detections() {
    let silence = |spec| on_its_own(spec).0;
    assert_eq!(silence(json!({})), 350);
    assert_eq!(silence(json!({"vad": {"preset": "ElderlyCallers"}})), 500);
    assert_eq!(silence(json!({"vad": {"custom": {"minSilenceMs": 420}}})), 420);
    assert_eq!(silence(json!({"vad": {"preset": "Noisy"}, "turn": {"silenceMs": 700}})), 700);
}

#[test]
fn a_custom_detection_fills_in_what_it_leaves_out() {
    let parameters = |spec| on_its_own(spec).1;
    let expected = VadCustom { threshold_percent: 60, min_speech_ms: 250, min_silence_ms: 350 };
    assert_eq!(parameters(json!({"vad": {"custom": {"thresholdPercent": 60}}})), expected);
    assert_eq!(parameters(json!({})), VadPreset::CallCentre.parameters());
}

#[test]
fn secrets_are_listed_with_their_provider() {
    let spec = json!({"llm": {
        "provider": "openai-compatible", "model": "m", "baseUrl": "https://llm/v1", "secretRef": {"name": "key"},
    }});
    assert_eq!(on_its_own(spec).2, [("key".to_owned(), "openai-compatible")]);
    assert!(on_its_own(json!({})).2.is_empty());
}

#[test]
fn accelerators_are_granted_by_name() {
    let spec = json!({"quotas": {"gpus": [{"resourceName": "nvidia.com/gpu", "count": 2}]}});
    let tenant: TenantSpec = serde_json::from_value(spec).unwrap();
    assert_eq!((tenant.quotas.gpus_of("nvidia.com/gpu"), tenant.quotas.gpus_of("amd.com/gpu")), (2, 0));
    assert_eq!(TenantSpec::default().quotas.gpus_of("nvidia.com/gpu"), 0);
}

#[test]
fn a_number_is_the_one_of_the_spec_or_the_one_that_was_bought() {
    let number = |spec: serde_json::Value, status: serde_json::Value| -> PhoneNumber {
        let metadata = json!({"name": "main"});
        let (version, kind) = ("voxplane.dev/v1alpha1", "PhoneNumber");
        let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "status": status});
        serde_json::from_value(object).unwrap()
    };
    let named = json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}});
    let searched = json!({"search": {}, "carrier": "c", "agentRef": {"name": "a"}});
    let bought = json!({"number": "+15550199"});
    assert_eq!(number(named.clone(), json!(null)).number(), Some("+15550100"));
    assert_eq!(number(named, bought.clone()).number(), Some("+15550100"));
    assert_eq!(number(searched.clone(), json!(null)).number(), None);
    let bought = number(searched, bought);
    assert_eq!(bought.number(), Some("+15550199"));
    assert_eq!(bought.spec.search.unwrap().country, "US");
}

#[test]
fn grants_cover_a_number_or_a_prefix_for_named_tenants_or_all() {
    let grant = |pattern: &str, tenants: &[&str]| NumberGrant {
        pattern: pattern.to_owned(),
        tenants: tenants.iter().map(|&tenant| tenant.to_owned()).collect(),
    };
    assert!(grant("+15550100", &["a"]).grants("+15550100", "a"));
    assert!(!grant("+15550100", &["a"]).grants("+15550100", "b"));
    assert!(!grant("+15550100", &[]).grants("+155501001", "a"));
    assert!(grant("+1555*", &[]).grants("+15550199", "anyone"));
    assert!(!grant("+1555*", &[]).grants("+15560199", "anyone"));
}

#[test]
fn every_agent_that_a_number_names_is_known_with_its_field() {
    let spec: PhoneNumberSpec = serde_json::from_value(json!({
        "number": "+15550100", "carrier": "c", "squad": {"agents": [{"name": "anna"}, {"name": "ben"}]},
        "schedule": [{"name": "night", "dates": [{"date": "2026-12-25"}], "agentRef": {"name": "cara"}}],
    }))
    .unwrap();
    let named: Vec<_> = spec.agents().map(|(field, name)| format!("{field} {name}")).collect();
    let expected = ["spec.squad.agents[anna] anna", "spec.squad.agents[ben] ben", "spec.schedule[night].agentRef cara"];
    assert_eq!(named, expected);
    assert_eq!(spec.squad.unwrap().routing.as_str(), "RoundRobin");
}

#[test]
fn a_brand_hides_nothing_unless_somebody_says_so() {
    let branding = |branding: serde_json::Value| {
        let spec: AgencySpec = serde_json::from_value(json!({"branding": branding})).unwrap();
        spec.branding.unwrap()
    };
    assert!(!branding(json!({"productName": "Sona"})).hide_platform);
    assert!(branding(json!({"hidePlatform": true})).hide_platform);
    assert_eq!(AgencySpec::default().branding, None);
}
