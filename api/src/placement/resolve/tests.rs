use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::fixture::{ACME, DENTAL, Fixture, NUMBER, RECEPTION};

/// A Monday, half past twelve in Berlin.
fn now() -> Timestamp {
    "2026-11-23T11:30:00Z".parse().unwrap()
}

fn routed(resolution: Resolution) -> Route {
    match resolution {
        Resolution::Routed(route) => *route,
        other => panic!("expected a route, got {other:?}"),
    }
}

fn verdict_of(fixture: &Fixture) -> Verdict {
    routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now())).verdict
}

#[test]
fn a_known_number_leads_to_its_agent() {
    let fixture = Fixture::new();
    let route = routed(resolve(&fixture.directory, "15550100", Some("ST_acme"), now()));
    assert_eq!((route.agency, route.tenant, route.agent), (ACME, DENTAL, RECEPTION));
    assert_eq!(route.pool.to_string(), "vx-acme--dental/voxplane-runtime");
    let limits = Limits { agency_max: 50, tenant_max: 5, tenant_guaranteed: 2, ..Limits::default() };
    assert_eq!(route.limits, limits, "another agency's tenants do not count");
    assert_eq!(route.capabilities, ["stt/pocketsphinx", "llm/extractive", "tts/flite"]);
    assert_eq!(route.credentials_hash, None);
    assert_eq!(route.verdict, Verdict::Serve);
    assert!(!format!("{route:?}").contains("5550100"), "numbers stay out of logs");
}

#[test]
fn limits_over_time_are_stated_by_agency_tenant_and_agent() {
    let mut fixture = Fixture::new();
    fixture.agency(
        "acme",
        ACME,
        json!({"quotas": {"monthlyMinutes": 9_000}, "defaults": {"limits": {"callsPerHour": 7}}}),
    );
    fixture.tenant("acme", "dental", DENTAL, json!({"quotas": {"monthlyMinutes": 600}}));
    let of = |fixture: &Fixture| {
        let limits = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now())).limits;
        (limits.agency_minutes, limits.tenant_minutes, limits.agent_hourly)
    };
    assert_eq!(of(&fixture), (Some(9_000), Some(600), Some(7)));
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"limits": {"callsPerHour": 3}}));
    assert_eq!(of(&fixture), (Some(9_000), Some(600), Some(3)));
}

#[test]
fn calls_go_to_the_pool_that_the_operator_names() {
    let mut fixture = Fixture::new();
    let dedicated = json!({"runtime": {"placement": "Dedicated"}});
    let mut pool = |said: Option<&str>, spec: &Value| {
        let (namespace, name) = ("vx-acme--dental", "reception");
        match said {
            Some(pool) => fixture.agent_on(pool, namespace, name, RECEPTION, spec.clone()),
            None => fixture.agent(namespace, name, RECEPTION, spec.clone()),
        }
        routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now())).pool.to_string()
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
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
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
        let resolution = resolve(&fixture.directory, dialled, trunk, now());
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
    assert!(matches!(resolve(&fixture.directory, "+15550777", Some("ST_acme"), now()), Resolution::Stranger));
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
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
    assert_eq!(route.busy_message.as_deref(), Some("Call 555 0199."));
}

#[test]
fn an_agent_that_is_missing_or_unregistered_cannot_be_reached() {
    let mut fixture = Fixture::new();
    let spec = json!({"number": "+15550100", "carrier": "sip", "agentRef": {"name": "nobody"}});
    fixture.number("vx-acme--dental", "main", NUMBER, spec, Some("ST_acme"));
    let resolution = resolve(&fixture.directory, "+15550100", Some("ST_acme"), now());
    let Resolution::Unroutable { phone_number, reason, .. } = resolution else { panic!("{resolution:?}") };
    assert_eq!((phone_number.as_str(), reason), ("main", "its agent does not exist"));
}

#[test]
fn an_agent_with_keys_needs_a_pod_that_has_read_them() {
    let mut fixture = Fixture::new();
    let spec = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "https://llm.example.com/v1",
                              "secretRef": {"name": "llm"}}});
    fixture.agent("vx-acme--dental", "reception", RECEPTION, spec);
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
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
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
    assert_eq!(route.credentials_hash.as_deref(), Some(""));
    assert!(route.capabilities.contains(&"llm/openai-compatible".to_owned()));
    assert_eq!((route.busy_message.as_deref(), route.max_duration.as_secs()), (Some("Try again."), 60));
}

/// The fixture's tenant, open on Mondays until noon, and its agent with what it does when closed.
fn closed(action: &Value) -> Fixture {
    let mut fixture = Fixture::new();
    let monday = json!({"day": "Monday", "ranges": [{"from": "08:00", "to": "12:00"}]});
    let spec = json!({"timezone": "Europe/Berlin", "businessHours": {"weekly": [monday]}});
    fixture.tenant("acme", "dental", DENTAL, spec);
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"greeting": {"text": "Hello"}, "closed": action}));
    fixture
}

fn route_at(fixture: &Fixture, when: &str) -> Route {
    routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), when.parse::<Timestamp>().unwrap()))
}

#[test]
fn a_closed_tenant_says_so_and_the_ledger_by_which_rule() {
    let fixture = closed(&json!({"message": "We open at eight."}));
    let open = route_at(&fixture, "2026-11-23T10:59:59Z");
    let entry = json!({"state": "open", "rule": "weekly Monday 08:00-12:00", "local_time": "2026-11-23 11:59",
                       "timezone": "Europe/Berlin", "action": "answer"});
    assert_eq!((open.verdict, open.hours), (Verdict::Serve, Some(entry)));
    let closed = route_at(&fixture, "2026-11-23T11:00:00Z");
    let said = Verdict::Refuse { reason: RefusalReason::Closed, message: Some("We open at eight.".to_owned()) };
    let entry = json!({"state": "closed", "rule": "weekly Monday", "local_time": "2026-11-23 12:00",
                       "timezone": "Europe/Berlin", "action": "message"});
    assert_eq!((closed.verdict, closed.hours), (said, Some(entry)));
}

#[test]
fn a_closed_agent_may_go_on_with_other_words() {
    let fixture = closed(&json!({"greeting": "We are closed, but I can help."}));
    let (open, closed) = (route_at(&fixture, "2026-11-23T10:00:00Z"), route_at(&fixture, "2026-11-23T12:00:00Z"));
    assert_eq!((&open.verdict, &closed.verdict), (&Verdict::Serve, &Verdict::Serve));
    let text = |route: &Route| route.config.greeting.as_ref().unwrap().text.clone();
    assert_eq!((text(&open), text(&closed)), ("Hello".to_owned(), "We are closed, but I can help.".to_owned()));
    assert_ne!(open.config_hash, closed.config_hash, "the ledger can tell which one was used");
}

#[test]
fn another_agent_may_answer_for_a_closed_one() {
    let night = Uuid::from_u128(0xc9);
    let mut fixture = closed(&json!({"agentRef": {"name": "night-desk"}}));
    let refused = Verdict::Refuse { reason: RefusalReason::Closed, message: None };
    assert_eq!(route_at(&fixture, "2026-11-23T12:00:00Z").verdict, refused, "there is no such agent");
    let spec = json!({"greeting": {"text": "Night desk."}, "closed": {"message": "Not looked at."}});
    fixture.agent("vx-acme--dental", "night-desk", night, spec);
    let route = route_at(&fixture, "2026-11-23T12:00:00Z");
    assert_eq!((route.agent, &route.verdict), (night, &Verdict::Serve));
    assert_eq!(route.config.greeting.unwrap().text, "Night desk.");
    assert_eq!(route_at(&fixture, "2026-11-23T10:00:00Z").agent, RECEPTION);
    fixture.agent("vx-acme--dental", "night-desk", night, json!({"paused": true}));
    let paused = route_at(&fixture, "2026-11-23T12:00:00Z").verdict;
    assert!(matches!(paused, Verdict::Refuse { reason: RefusalReason::AgentPaused, .. }), "{paused:?}");
}

#[test]
fn hours_close_only_agents_that_say_what_happens_then() {
    let fixture = closed(&json!(null));
    let route = route_at(&fixture, "2026-11-23T12:00:00Z");
    let (hours, entry) = (route.hours.unwrap(), ("closed", "answer"));
    assert_eq!(
        (route.verdict, (hours["state"].as_str().unwrap(), hours["action"].as_str().unwrap())),
        (Verdict::Serve, entry)
    );
    assert_eq!(routed(resolve(&Fixture::new().directory, "+15550100", Some("ST_acme"), now())).hours, None);
}

#[test]
fn suspension_comes_before_hours_and_a_slip_of_the_pen_closes_nothing() {
    let mut fixture = closed(&json!({"message": "We open at eight."}));
    fixture.agency("acme", ACME, json!({"suspended": true}));
    let verdict = route_at(&fixture, "2026-11-23T12:00:00Z").verdict;
    assert!(matches!(verdict, Verdict::Refuse { reason: RefusalReason::AgencySuspended, .. }), "{verdict:?}");
    let mut fixture = closed(&json!({"message": "We open at eight."}));
    fixture.tenant("acme", "dental", DENTAL, json!({"timezone": "Europe/Berln", "businessHours": {}}));
    let route = route_at(&fixture, "2026-11-23T12:00:00Z");
    assert_eq!(
        (route.verdict, route.hours),
        (Verdict::Serve, Some(json!({"state": "unknown", "rule": "spec.timezone"})))
    );
}

#[test]
fn tools_need_a_pod_that_knows_them_and_has_their_keys() {
    let mut fixture = Fixture::new();
    let mut route = |tools: Value| {
        fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"tools": tools}));
        routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()))
    };
    let plain = route(json!([]));
    assert!(!plain.capabilities.contains(&"feature/tools".to_owned()));
    assert_eq!(plain.credentials_hash, None);
    let mut tool = json!({"name": "book", "description": "Books.", "http": {"url": "https://api.example.com"}});
    let with_tool = route(json!([tool]));
    assert!(with_tool.capabilities.contains(&"feature/tools".to_owned()));
    assert_eq!(with_tool.credentials_hash, None);
    tool["http"]["secretRef"] = json!({"name": "crm"});
    assert!(route(json!([tool])).credentials_hash.is_some(), "a pod without the key is not asked");
    tool["enabled"] = json!(false);
    assert!(!route(json!([tool])).capabilities.contains(&"feature/tools".to_owned()));
}

#[test]
fn an_agent_with_a_flow_needs_a_pod_that_follows_it() {
    let mut fixture = Fixture::new();
    let flow = json!({"start": "a", "nodes": [{"id": "a", "say": {"text": "{{ tenant.name }}", "next": "b"}},
                                              {"id": "b", "hangup": {}}]});
    fixture.agent("vx-acme--dental", "reception", RECEPTION, json!({"flow": flow}));
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
    assert_eq!(route.capabilities.last().map(String::as_str), Some("feature/flow"));
    assert_eq!(route.verdict, Verdict::Serve);
    assert_eq!(route.config.flow.as_ref().map(|flow| flow.nodes.len()), Some(2));
    assert_eq!(route.config_hash, hash(&route.config));
}

#[test]
fn texts_are_filled_in_and_what_makes_no_sense_is_not_said() {
    let mut fixture = Fixture::new();
    fixture.agent(
        "vx-acme--dental",
        "reception",
        RECEPTION,
        json!({"greeting": {"text": "{{ call.weekday }} at {{ tenant.name }}"}}),
    );
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
    assert_eq!(route.config.greeting.unwrap().text, "Monday at dental");
    for broken in [
        json!({"greeting": {"text": "Hello {{ nobody }}"}}),
        json!({"flow": {"start": "a", "nodes": [{"id": "a", "say": {"text": "Hi", "next": "a"}}]}}),
    ] {
        fixture.agent("vx-acme--dental", "reception", RECEPTION, broken);
        let message = Some("All our lines are busy. Please call again in a few minutes.".to_owned());
        assert_eq!(verdict_of(&fixture), Verdict::Refuse { reason: RefusalReason::AgentInvalid, message });
    }
    let broken = json!({"messages": {"busy": "Busy, {{ x }}", "error": "e"}, "paused": true});
    fixture.agent("vx-acme--dental", "reception", RECEPTION, broken);
    let Verdict::Refuse { message: Some(message), .. } = verdict_of(&fixture) else { panic!("not refused") };
    assert!(!message.contains("{{"), "{message}");
}

#[test]
fn the_words_for_closed_hours_are_filled_in_and_begin_the_flow() {
    let mut fixture = Fixture::new();
    let closed = json!({"timezone": "Europe/Berlin", "businessHours": {}, "displayName": "Dental"});
    fixture.tenant("acme", "dental", DENTAL, closed);
    let flow =
        json!({"start": "a", "nodes": [{"id": "a", "greet": {"text": "Hi", "next": "b"}}, {"id": "b", "hangup": {}}]});
    fixture.agent(
        "vx-acme--dental",
        "reception",
        RECEPTION,
        json!({"flow": flow, "closed": {"greeting": "{{ tenant.name }} is closed."}}),
    );
    let route = routed(resolve(&fixture.directory, "+15550100", Some("ST_acme"), now()));
    assert!(format!("{:?}", route.config.flow).contains("Dental is closed."));
    assert_eq!(route.config_hash, hash(&route.config));
}
