use serde_json::json;

use super::*;
use crate::fixture::{ACME, DENTAL, Fixture, NUMBER, RECEPTION};

fn routed(resolution: Resolution) -> Route {
    match resolution {
        Resolution::Routed(route) => *route,
        other => panic!("expected a route, got {other:?}"),
    }
}

fn verdict_of(fixture: &Fixture) -> Verdict {
    routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"))).verdict
}

#[test]
fn a_known_number_leads_to_its_agent() {
    let fixture = Fixture::new();
    let route = routed(resolve(&fixture.directory, "15550100", Some("ST_acme")));
    assert_eq!((route.agency, route.tenant, route.agent), (ACME, DENTAL, RECEPTION));
    assert_eq!(route.pool.to_string(), "vx-acme--dental/voxplane-runtime");
    let limits = Limits { agency_max: 50, tenant_max: 5, tenant_guaranteed: 2, other_guarantees: vec![] };
    assert_eq!(route.limits, limits, "another agency's tenants do not count");
    assert_eq!(route.capabilities, ["stt/pocketsphinx", "llm/extractive", "tts/flite"]);
    assert_eq!(route.credentials_hash, None);
    assert_eq!(route.verdict, Verdict::Serve);
    assert!(!format!("{route:?}").contains("5550100"), "numbers stay out of logs");
}

#[test]
fn calls_go_to_the_pool_that_the_operator_names() {
    let mut fixture = Fixture::new();
    let dedicated = json!({"runtime": {"placement": "Dedicated"}});
    let mut pool = |said: Option<&str>, spec: &serde_json::Value| {
        let (namespace, name) = ("vx-acme--dental", "reception");
        match said {
            Some(pool) => fixture.agent_on(pool, namespace, name, RECEPTION, spec.clone()),
            None => fixture.agent(namespace, name, RECEPTION, spec.clone()),
        }
        routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"))).pool.to_string()
    };
    let (shared, own) = ("vx-acme--dental/voxplane-runtime", "vx-acme--dental/voxplane-runtime-reception");
    assert_eq!(pool(Some(own), &dedicated), own);
    assert_eq!(pool(Some(shared), &dedicated), shared, "until its own pool is ready");
    assert_eq!(pool(Some(own), &json!({})), own, "and back again");
    assert_eq!(pool(None, &dedicated), own, "nothing is said yet");
    for foreign in ["vx-other--law/voxplane-runtime", "vx-acme--dental/voxplane-runtime-else", "nonsense"] {
        assert_eq!(pool(Some(foreign), &json!({})), shared, "{foreign}");
    }
}

#[test]
fn what_is_guaranteed_to_siblings_is_known() {
    let mut fixture = Fixture::new();
    let sibling = Uuid::from_u128(0xb9);
    fixture.tenant("acme", "bakery", sibling, json!({"quotas": {"concurrentCalls": {"guaranteed": 3, "max": 5}}}));
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme")));
    assert_eq!(route.limits.other_guarantees, [(TenantId(sibling), 3)]);
}

#[test]
fn strangers_are_strangers() {
    let fixture = Fixture::new();
    for (dialled, trunk) in [
        ("+15550999", Some("ST_acme")),
        ("anonymous", Some("ST_acme")),
        ("+15550100", Some("ST_somebody_elses")),
        ("+15550100", None),
    ] {
        let resolution = resolve(&fixture.directory, dialled, trunk);
        assert!(matches!(resolution, Resolution::Stranger), "{dialled} over {trunk:?}");
    }
}

#[test]
fn a_claim_that_was_not_accepted_does_not_count() {
    let mut fixture = Fixture::new();
    fixture.number_unaccepted(
        "vx-other--law",
        "stolen",
        json!({"number": "+15550777", "carrier": "sip", "agentRef": {"name": "clerk"}}),
    );
    assert!(matches!(resolve(&fixture.directory, "+15550777", Some("ST_acme")), Resolution::Stranger));
}

#[test]
fn suspension_and_pause_refuse_with_the_right_words() {
    let refused = |reason, message: Option<&str>| Verdict::Refuse { reason, message: message.map(str::to_owned) };
    let mut fixture = Fixture::new();
    fixture.tenant("acme", "dental", DENTAL, json!({"suspended": true, "suspendedMessage": "We are closed."}));
    assert_eq!(verdict_of(&fixture), refused(RefusalReason::TenantSuspended, Some("We are closed.")));
    fixture.tenant("acme", "dental", DENTAL, json!({"suspended": true}));
    assert_eq!(verdict_of(&fixture), refused(RefusalReason::TenantSuspended, None));

    fixture.agency("acme", ACME, json!({"suspended": true}));
    assert_eq!(verdict_of(&fixture), refused(RefusalReason::AgencySuspended, None));

    let mut fixture = Fixture::new();
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"paused": true, "messages": {"busy": "Busy."}}));
    assert_eq!(verdict_of(&fixture), refused(RefusalReason::AgentPaused, Some("Busy.")));
}

#[test]
fn the_number_may_have_its_own_words_for_busy() {
    let mut fixture = Fixture::new();
    let spec = json!({"number": "+15550100", "carrier": "sip", "agentRef": {"name": "reception"},
                      "overflow": {"message": "Call 555 0199."}});
    fixture.number("vx-acme--dental", "main", NUMBER, spec, Some("ST_acme"));
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme")));
    assert_eq!(route.busy_message.as_deref(), Some("Call 555 0199."));
}

#[test]
fn an_agent_that_is_missing_or_unregistered_cannot_be_reached() {
    let mut fixture = Fixture::new();
    let spec = json!({"number": "+15550100", "carrier": "sip", "agentRef": {"name": "nobody"}});
    fixture.number("vx-acme--dental", "main", NUMBER, spec, Some("ST_acme"));
    let resolution = resolve(&fixture.directory, "+15550100", Some("ST_acme"));
    let Resolution::Unroutable { phone_number, reason, .. } = resolution else { panic!("{resolution:?}") };
    assert_eq!((phone_number.as_str(), reason), ("main", "its agent does not exist"));
}

#[test]
fn an_agent_with_keys_needs_a_pod_that_has_read_them() {
    let mut fixture = Fixture::new();
    let spec = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                              "secretRef": {"name": "llm"}}});
    fixture.agent("vx-acme--dental", "reception", RECEPTION, spec);
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme")));
    assert_eq!(route.credentials_hash.as_deref(), Some(""), "the operator has not published a hash yet");
    assert!(route.capabilities.contains(&"llm/openai-compatible".to_owned()));
}

#[test]
fn an_agent_that_inherits_keys_needs_a_pod_that_has_read_them_too() {
    let mut fixture = Fixture::new();
    let defaults = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                                  "secretRef": {"name": "llm"}}, "messages": {"busy": "Try again."},
                          "limits": {"maxDurationSeconds": 60}});
    fixture.agency("acme", ACME, json!({"defaults": defaults}));
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme")));
    assert_eq!(route.credentials_hash.as_deref(), Some(""));
    assert!(route.capabilities.contains(&"llm/openai-compatible".to_owned()));
    assert_eq!((route.busy_message.as_deref(), route.max_duration.as_secs()), (Some("Try again."), 60));
}
