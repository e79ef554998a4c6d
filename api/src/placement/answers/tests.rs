use std::collections::BTreeMap;

use super::*;
use crate::fixture::{DENTAL, Fixture, NUMBER, RECEPTION};
use crate::placement::resolve::{RefusalReason, Resolution, Route, Verdict, resolve};

const HOME: &str = "vx-acme--dental";
const ANNA: Uuid = Uuid::from_u128(0xca);
const BEN: Uuid = Uuid::from_u128(0xcb);
const CARA: Uuid = Uuid::from_u128(0xcc);

/// A Monday, half past twelve in Berlin.
fn now() -> Timestamp {
    "2026-11-23T11:30:00Z".parse().unwrap()
}

/// The fixture's number with a squad of three, or whatever `routing` adds.
fn fixture(routing: &Value) -> Fixture {
    let mut fixture = Fixture::new();
    for (name, id) in [("anna", ANNA), ("ben", BEN), ("cara", CARA)] {
        fixture.agent(HOME, name, id, json!({}));
    }
    let mut spec = json!({"number": "+15550100", "carrier": "sip"});
    spec.as_object_mut().unwrap().extend(routing.as_object().unwrap().clone());
    fixture.number(HOME, "main", NUMBER, spec, Some("ST_acme"));
    fixture
}

fn squad(routing: &str, weights: [Option<i32>; 3]) -> Value {
    let agents: Vec<_> = ["anna", "ben", "cara"]
        .iter()
        .zip(weights)
        .map(|(name, weight)| json!({"name": name, "weight": weight}))
        .collect();
    json!({"squad": {"routing": routing, "agents": agents}})
}

fn arrival(room: &str) -> Arrival<'_> {
    Arrival { room, ..now().into() }
}

fn route(fixture: &Fixture, arrival: Arrival<'_>) -> Route {
    match resolve(&fixture.directory, "+15550100", Some("ST_acme"), arrival) {
        Resolution::Routed(route) => *route,
        other => panic!("expected a route, got {other:?}"),
    }
}

fn answers(fixture: &Fixture) -> Uuid {
    route(fixture, arrival("vx-1_a")).agent
}

/// How many of 3,000 calls each agent gets.
fn shares(fixture: &Fixture) -> BTreeMap<Uuid, u32> {
    let mut shares = BTreeMap::new();
    for call in 0..3_000 {
        *shares.entry(route(fixture, arrival(&format!("vx-000000a0_{call}"))).agent).or_default() += 1;
    }
    shares
}

#[test]
fn a_squad_shares_its_calls_and_every_replica_draws_the_same_lot() {
    let fixture = fixture(&squad("RoundRobin", [None; 3]));
    let shares = shares(&fixture);
    for agent in [ANNA, BEN, CARA] {
        assert!((900..1_100).contains(&shares[&agent]), "{shares:?}");
    }
    let again = |call: u32| route(&fixture, arrival(&format!("vx-1_{call}"))).agent;
    assert!((0..20).all(|call| again(call) == again(call)));
    let entry = route(&fixture, arrival("vx-1_a")).routing.unwrap();
    assert_eq!(
        (&entry["by"], &entry["routing"], &entry["available"]),
        (&json!("squad"), &json!("RoundRobin"), &json!(3))
    );
}

#[test]
fn weights_are_shares() {
    let shares = shares(&fixture(&squad("Weighted", [Some(3), None, Some(2)])));
    for (agent, of_six) in [(ANNA, 3), (BEN, 1), (CARA, 2)] {
        assert!((of_six * 500 - 100..of_six * 500 + 100).contains(&shares[&agent]), "{shares:?}");
    }
}

#[test]
fn the_first_that_is_available_has_priority() {
    let mut fixture = fixture(&squad("Priority", [None; 3]));
    assert_eq!(answers(&fixture), ANNA);
    fixture.agent(HOME, "anna", ANNA, json!({"paused": true}));
    assert_eq!(answers(&fixture), BEN);
    fixture.agent_unready(HOME, "ben", BEN);
    assert_eq!(answers(&fixture), CARA);
    fixture.agent(HOME, "cara", CARA, json!({"paused": true}));
    assert_eq!(answers(&fixture), BEN, "what its status says may be old; the others refuse for certain");
    fixture.agent(HOME, "ben", BEN, json!({"paused": true}));
    let route = route(&fixture, arrival("vx-1_a"));
    assert!(matches!(route.verdict, Verdict::Refuse { reason: RefusalReason::AgentPaused, .. }), "{route:?}");
    assert_eq!((route.agent, &route.routing.unwrap()["available"]), (ANNA, &json!(0)));
}

#[test]
fn paused_agents_of_a_squad_get_no_call() {
    let mut fixture = fixture(&squad("RoundRobin", [None; 3]));
    fixture.agent(HOME, "ben", BEN, json!({"paused": true}));
    let shares = shares(&fixture);
    assert_eq!((shares.len(), shares.get(&BEN)), (2, None), "{shares:?}");
}

#[test]
fn a_full_pool_is_passed_over() {
    let mut fixture = fixture(&squad("Priority", [None; 3]));
    let claim = |fixture: &Fixture| fixture.directory.claims("+15550100").remove(0);
    assert!(pools(&fixture.directory, &claim(&fixture)).is_empty(), "in one pool it makes no difference");
    let own = PoolId::dedicated_in(HOME, "anna");
    fixture.agent_on(&own.to_string(), HOME, "anna", ANNA, json!({"runtime": {"placement": "Dedicated"}}));
    let shared = PoolId::pooled_in(HOME);
    assert_eq!(pools(&fixture.directory, &claim(&fixture)), HashSet::from([own.clone(), shared.clone()]));
    let at = |full: HashSet<PoolId>| route(&fixture, Arrival { full, ..arrival("vx-1_a") }).agent;
    assert_eq!(at(HashSet::new()), ANNA);
    assert_eq!(at(HashSet::from([own.clone()])), BEN);
    assert_eq!(at(HashSet::from([own, shared])), ANNA, "all are full: the first says that it is busy");
}

#[test]
fn a_call_that_is_placed_again_stays_with_its_agent() {
    let mut fixture = fixture(&squad("Priority", [None; 3]));
    fixture.agent_unready(HOME, "cara", CARA);
    let again = |agent| route(&fixture, Arrival { agent: Some(agent), ..arrival("vx-1_a") }).agent;
    assert_eq!(again(CARA), CARA);
    assert_eq!(again(RECEPTION), ANNA, "it is not of the squad any more");
}

#[test]
fn a_squad_of_agents_that_do_not_exist_cannot_be_reached() {
    let missing = json!({"squad": {"agents": [{"name": "nobody"}]}});
    let resolution = resolve(&fixture(&missing).directory, "+15550100", Some("ST_acme"), now());
    assert!(matches!(resolution, Resolution::Unroutable { .. }), "{resolution:?}");
    let one = json!({"squad": {"agents": [{"name": "nobody"}, {"name": "ben"}]}});
    assert_eq!(answers(&fixture(&one)), BEN);
}

/// Anna alone, and Ben on Mondays until one o'clock.
fn mornings() -> Value {
    let monday = json!({"day": "Monday", "ranges": [{"from": "08:00", "to": "13:00"}]});
    json!({
        "agentRef": {"name": "anna"},
        "schedule": [{"name": "mornings", "weekly": [monday], "agentRef": {"name": "ben"}}],
    })
}

#[test]
fn at_given_times_another_agent_answers_and_the_ledger_tells_why() {
    let fixture = fixture(&mornings());
    let at = |when: &str| route(&fixture, when.parse::<Timestamp>().unwrap().into());
    let (before, after) = (at("2026-11-23T11:59:59Z"), at("2026-11-23T12:00:00Z"));
    assert_eq!((before.agent, after.agent), (BEN, ANNA));
    let entry = json!({"by": "schedule", "agent": "ben", "entry": "mornings", "rule": "weekly Monday 08:00-13:00",
                       "local_time": "2026-11-23 12:59", "timezone": "Europe/Berlin"});
    assert_eq!(before.routing, Some(entry));
    assert_eq!(after.routing, Some(json!({"by": "agentRef", "agent": "anna"})));
    let plain = Fixture::new();
    assert_eq!(route(&plain, now().into()).routing, None, "a number with one agent has nothing to tell");
}

#[test]
fn the_first_entry_that_counts_decides_and_comes_before_the_squad() {
    let mut spec = squad("Priority", [None; 3]);
    let day = json!([{"date": "2026-11-23", "ranges": [{"from": "00:00", "to": "24:00"}]}]);
    let entry = |name: &str, agent: &str| json!({"name": name, "dates": day, "agentRef": {"name": agent}});
    spec["schedule"] = json!([entry("gone", "nobody"), entry("holiday", "cara"), entry("late", "ben")]);
    let fixture = fixture(&spec);
    assert_eq!(answers(&fixture), CARA, "an entry without its agent is as if it were not there");
    let tomorrow = "2026-11-24T11:30:00Z".parse::<Timestamp>().unwrap();
    assert_eq!(route(&fixture, tomorrow.into()).agent, ANNA);
}

#[test]
fn the_schedule_is_asked_before_the_business_hours() {
    let mut fixture = fixture(&mornings());
    let closed = json!({"timezone": "Europe/Berlin", "businessHours": {},
                        "defaults": {"closed": {"message": "We are closed."}}});
    fixture.tenant("acme", "dental", DENTAL, closed);
    let scheduled = route(&fixture, now().into());
    assert_eq!((scheduled.agent, &scheduled.verdict), (BEN, &Verdict::Serve));
    assert_eq!(scheduled.hours.unwrap()["action"], "answer");
    let later = route(&fixture, "2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap().into());
    assert!(matches!(later.verdict, Verdict::Refuse { reason: RefusalReason::Closed, .. }), "{later:?}");
    fixture.agent(HOME, "ben", BEN, json!({"paused": true}));
    let paused = route(&fixture, now().into());
    assert!(matches!(paused.verdict, Verdict::Refuse { reason: RefusalReason::AgentPaused, .. }), "{paused:?}");
}
