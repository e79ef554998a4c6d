//! What is said about a phone number.

use std::collections::BTreeSet;

use uuid::Uuid;
use voxplane_crds::agency::Outbound;
use voxplane_crds::conditions::{self, Desired, reasons, types};
use voxplane_crds::phone_number::{FallbackState, FallbackStatus, NumberSearch};
use voxplane_crds::{PhoneNumber, PhoneNumberStatus};
use voxplane_store::number_orders::{NumberOrder, OrderProblem, OrderState};
use voxplane_telephony::E164;

use super::answers::Named;
use super::fallback::FallbackPart;
use super::observe::Observed;
use super::order::{CarrierPart, by_area};
use super::{status, validate};
use crate::identity::Identity;
use crate::livekit::{CallingTrunk, Connection};
use crate::status::Problem;
use crate::testing::{accepted, agent, condition, home, now, number, object};

const NAMESPACE: &str = "vx-brightline--dental-clinic";

fn subject() -> PhoneNumber {
    number(NAMESPACE, "main-line", "+15550100")
}

fn seen() -> Observed {
    let mut receptionist = agent(NAMESPACE, "receptionist", "{}");
    receptionist.status = Some(accepted(0xc, vec![Desired::yes(types::READY, reasons::READY)]));
    Observed {
        home: Ok(home("brightline", "dental-clinic")),
        identity: Some(Identity::Registered(Uuid::from_u128(0xd))),
        holds: true,
        claimed: BTreeSet::new(),
        carrier: CarrierPart::default(),
        fallback: FallbackPart::default(),
        fallback_is_own: false,
        caller_id: None,
        agents: [("receptionist".to_owned(), receptionist)].into(),
        connection: Some(Connection {
            carrier: "main".to_owned(),
            trunk_id: Some("ST_1".to_owned()),
            rule_id: Some("SDR_1".to_owned()),
            numbers: BTreeSet::from([E164::parse("+15550100").unwrap()]),
            ..Connection::default()
        }),
        livekit: true,
        database_problem: None,
    }
}

fn said(seen: &Observed) -> PhoneNumberStatus {
    let number = subject();
    status::compute(&number, seen, &validate::check(&number, seen), now())
}

#[test]
fn a_number_on_its_trunk_with_a_ready_agent_is_ready() {
    let status = said(&seen());
    for type_ in [types::ACCEPTED, types::RESOLVED_REFS, types::PROGRAMMED, types::BOUND, types::READY] {
        assert_eq!(condition(&status, type_).0, "True", "{type_}");
    }
    assert_eq!((status.trunk_id.as_deref(), status.dispatch_rule_id.as_deref()), (Some("ST_1"), Some("SDR_1")));
    assert_eq!(status.agency.as_deref(), Some("brightline"));
    assert_eq!(status.agent_id, Some(Uuid::from_u128(0xc).to_string()));
    let order: Vec<_> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(order.last(), Some(&types::READY));
}

#[test]
fn a_second_claim_is_refused_without_a_word_about_the_first() {
    let status = said(&Observed { holds: false, ..seen() });
    assert_eq!(condition(&status, types::ACCEPTED), ("False".into(), reasons::NUMBER_IN_USE.into()));
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::NUMBER_IN_USE.into()));
    assert_eq!(condition(&status, types::BOUND).0, "False");
    assert_eq!(status.trunk_id, None);
    for condition in &status.conditions {
        for word in ["vx-", "brightline", "dental", "5550100"] {
            assert!(!condition.message.contains(word), "{}", condition.message);
        }
    }
}

/// What is seen of a number with which calls may be placed.
fn calling() -> Observed {
    let caller_id = E164::parse("+15550100").unwrap();
    let mut seen = Observed { caller_id: Some(Ok(caller_id.clone())), ..seen() };
    let connection = &mut seen.home.as_mut().unwrap().agency.spec.carriers[0];
    connection.outbound = Some(Outbound { address: Some("sip.example.com".to_owned()), ..Outbound::default() });
    let trunk = CallingTrunk { trunk_id: "ST_out".to_owned(), caller_ids: BTreeSet::from([caller_id]) };
    seen.connection.as_mut().unwrap().outbound = Some(trunk);
    seen
}

#[test]
fn a_number_says_over_which_trunk_and_as_whom_calls_are_placed() {
    let status = said(&calling());
    assert_eq!(condition(&status, types::READY).0, "True");
    let outbound = status.outbound.clone().unwrap();
    assert_eq!((outbound.caller_id.as_str(), outbound.trunk_id.as_str()), ("+15550100", "ST_out"));
    assert_eq!(said(&seen()).outbound, None, "no calls are placed with it");
    assert_eq!(said(&Observed { holds: false, ..calling() }).outbound, None, "another has the number");
    // Just after a start what was said stays.
    let mut number = subject();
    number.status = Some(status);
    let young = Observed { connection: None, ..calling() };
    let status = told(&number, &young);
    assert_eq!(status.outbound, Some(outbound));
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
}

#[test]
fn what_keeps_calls_from_being_placed_is_named_and_calls_are_taken_all_the_same() {
    let mut closed = calling();
    closed.home.as_mut().unwrap().agency.spec.carriers[0].outbound = None;
    let mut failing = calling();
    let connection = failing.connection.as_mut().unwrap();
    (connection.outbound, connection.outbound_problem) = (None, Some("refused".to_owned()));
    let mut young = calling();
    young.connection.as_mut().unwrap().outbound.as_mut().unwrap().caller_ids.clear();
    for (seen, reason) in
        [(closed, reasons::OUTBOUND_NOT_ALLOWED), (failing, reasons::LIVEKIT_ERROR), (young, reasons::PENDING)]
    {
        let status = said(&seen);
        assert_eq!(condition(&status, types::PROGRAMMED), ("False".into(), reason.into()));
        assert_eq!(condition(&status, types::ACCEPTED).0, "True", "the API lets callers in by this");
        assert_eq!(status.trunk_id.as_deref(), Some("ST_1"));
    }
    let foreign = Problem::new(reasons::REF_NOT_FOUND, "spec.outbound.callerId: no");
    let status = said(&Observed { caller_id: Some(Err(foreign)), ..calling() });
    assert_eq!(condition(&status, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    assert_eq!((status.outbound, status.trunk_id.as_deref()), (None, Some("ST_1")));
}

#[test]
fn what_the_carrier_was_told_about_the_fallback_is_shown_and_what_it_was_not_is_told() {
    let fallback =
        FallbackStatus { number: "+15550199".to_owned(), carrier: "main".to_owned(), state: FallbackState::Set };
    let part = FallbackPart { told: Some(fallback.clone()), ..FallbackPart::default() };
    let status = said(&Observed { fallback: part.clone(), ..seen() });
    assert_eq!((condition(&status, types::READY).0.as_str(), status.fallback), ("True", Some(fallback)));
    let problem = Some(Problem::new(reasons::FALLBACK_NOT_POSSIBLE, "no"));
    let status = said(&Observed { fallback: FallbackPart { problem, ..FallbackPart::default() }, ..seen() });
    assert_eq!(condition(&status, types::PROGRAMMED), ("False".into(), reasons::FALLBACK_NOT_POSSIBLE.into()));
    assert_eq!(condition(&status, types::ACCEPTED).0, "True");
    let account = Some(Problem::new(reasons::REF_NOT_FOUND, "no Secret"));
    let status = said(&Observed { fallback: FallbackPart { account, ..part }, ..seen() });
    assert_eq!(condition(&status, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
}

#[test]
fn what_is_missing_is_named() {
    let nobody = said(&Observed { agents: Named::new(), ..seen() });
    assert_eq!(condition(&nobody, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    let mut failing = seen();
    let connection = failing.connection.as_mut().unwrap();
    connection.numbers.clear();
    connection.problem = Some("refused".to_owned());
    assert_eq!(condition(&said(&failing), types::PROGRAMMED), ("False".into(), reasons::LIVEKIT_ERROR.into()));
    let mut waiting = seen();
    waiting.agents.get_mut("receptionist").unwrap().status =
        Some(accepted(0xc, vec![Desired::no(types::READY, reasons::WAITING_FOR_PODS, "0 of 1")]));
    let status = said(&waiting);
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::WAITING_FOR_DEPENDENCY.into()));
}

/// A number with this in its spec, and the agents that exist: name and reason of `Ready`.
fn routed(routing: &str, agents: &[(&str, &'static str)]) -> PhoneNumberStatus {
    let number: PhoneNumber = object(&format!(
        "{{metadata: {{ name: main-line, namespace: {NAMESPACE} }}, \
         spec: {{ number: '+15550100', carrier: main, {routing} }}}}"
    ));
    let known = agents.iter().zip(0xc0..).map(|((name, reason), id)| {
        let mut one = agent(NAMESPACE, name, "{}");
        let ready = if *reason == reasons::READY {
            Desired::yes(types::READY, reasons::READY)
        } else {
            Desired::no(types::READY, reason, "no")
        };
        one.status = Some(accepted(id, vec![ready]));
        ((*name).to_owned(), one)
    });
    told(&number, &Observed { agents: known.collect(), ..seen() })
}

#[test]
fn a_squad_is_bound_as_long_as_one_of_it_is_ready() {
    const SQUAD: &str = "squad: { routing: Priority, agents: [{ name: anna }, { name: ben }] }";
    let both = routed(SQUAD, &[("anna", reasons::PAUSED), ("ben", reasons::READY)]);
    assert_eq!(condition(&both, types::READY), ("True".into(), reasons::READY.into()));
    assert_eq!((both.answers.as_deref(), both.agent_id), (Some("Priority, 1 of 2 ready"), None));
    let squad: Vec<_> = both.squad.iter().map(|one| (one.name.as_str(), one.ready, one.agent_id.is_some())).collect();
    assert_eq!(squad, [("anna", false, true), ("ben", true, true)]);
    let neither = routed(SQUAD, &[("anna", reasons::PAUSED), ("ben", reasons::WAITING_FOR_PODS)]);
    assert_eq!(condition(&neither, types::BOUND), ("False".into(), reasons::WAITING_FOR_DEPENDENCY.into()));
    assert!(message(&neither, types::READY).contains("agent \"anna\" is not ready (Paused)"));
    let one = routed(SQUAD, &[("ben", reasons::READY)]);
    assert_eq!(condition(&one, types::BOUND).0, "True", "calls reach an agent");
    assert_eq!(condition(&one, types::READY), ("False".into(), reasons::REF_NOT_FOUND.into()));
    let words = "spec.squad.agents[anna]: there is no VoiceAgent \"anna\" in this namespace";
    assert_eq!(message(&one, types::RESOLVED_REFS), words);
}

#[test]
fn agents_of_the_schedule_must_exist_and_be_ready_too() {
    let entry = |ranges: &str| {
        let monday = format!("{{ day: Monday, ranges: [{ranges}] }}");
        format!(
            "agentRef: {{ name: day }}, schedule: [{{ name: late, weekly: [{monday}], agentRef: {{ name: night }} }}]"
        )
    };
    let good = entry("{ from: '18:00', to: '24:00' }");
    let ready = routed(&good, &[("day", reasons::READY), ("night", reasons::READY)]);
    assert_eq!(condition(&ready, types::READY).0, "True");
    assert_eq!(ready.answers.as_deref(), Some("day"));
    let gone = routed(&good, &[("day", reasons::READY)]);
    let words = "spec.schedule[late].agentRef: there is no VoiceAgent \"night\" in this namespace";
    assert_eq!(message(&gone, types::RESOLVED_REFS), words);
    let paused = routed(&good, &[("day", reasons::READY), ("night", reasons::PAUSED)]);
    assert_eq!(condition(&paused, types::READY), ("False".into(), reasons::WAITING_FOR_DEPENDENCY.into()));
    assert!(message(&paused, types::BOUND).starts_with("spec.schedule[late]: agent \"night\" is not ready"));
    let bad = entry("{ from: '18:00', to: '20:00' }, { from: '19:00', to: '21:00' }");
    let told = routed(&bad, &[("day", reasons::READY), ("night", reasons::READY)]);
    assert_eq!(condition(&told, types::READY), ("False".into(), reasons::INVALID.into()));
    assert!(message(&told, types::READY).starts_with("spec.schedule[late].weekly[Monday].ranges: 18:00-20:00 and"));
    assert_eq!(condition(&told, types::ACCEPTED).0, "True", "calls are taken all the same");
}

#[test]
fn a_clock_that_is_not_known_is_the_tenants_mistake() {
    let entry = "{ name: late, dates: [{ date: '2026-12-25' }], agentRef: { name: receptionist } }";
    let number: PhoneNumber = object(&format!(
        "{{metadata: {{ name: main-line, namespace: {NAMESPACE} }}, spec: {{ number: '+15550100', carrier: main, \
         agentRef: {{ name: receptionist }}, schedule: [{entry}] }}}}"
    ));
    let mut seen = seen();
    seen.home.as_mut().unwrap().tenant.spec.timezone = "Europe/Berln".to_owned();
    let status = told(&number, &seen);
    assert!(message(&status, types::READY).starts_with("the tenant's spec.timezone: there is no time zone"));
}

#[test]
fn just_after_a_start_what_was_said_of_the_trunk_stays_unless_the_number_is_another() {
    let mut number = subject();
    number.status = Some(said(&seen()));
    let seen = Observed { connection: None, ..seen() };
    let status = status::compute(&number, &seen, &validate::check(&number, &seen), now());
    assert_eq!(status.trunk_id.as_deref(), Some("ST_1"));
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
    number.metadata.generation = Some(2);
    let status = status::compute(&number, &seen, &validate::check(&number, &seen), now());
    assert_eq!(condition(&status, types::PROGRAMMED).0, "Unknown");
}

#[test]
fn suspension_and_an_absent_database_are_visible() {
    let mut suspended = seen();
    suspended.home.as_mut().unwrap().agency.spec.suspended = true;
    assert_eq!(condition(&said(&suspended), types::READY), ("False".into(), reasons::SUSPENDED.into()));
    let blind = Observed { database_problem: Some("refused".to_owned()), ..seen() };
    let status = said(&blind);
    assert_eq!(condition(&status, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    assert_eq!(status.trunk_id.as_deref(), Some("ST_1"), "the route is kept");
}

/// A PhoneNumber that looks for a number, and what is seen of it while the order is in a state.
fn bought(state: OrderState, problem: Option<(&str, &str)>) -> (PhoneNumber, Observed) {
    let number = object(&format!(
        "{{metadata: {{ name: main-line, namespace: {NAMESPACE} }}, \
         spec: {{ search: {{ areaCode: '404' }}, carrier: main, agentRef: {{ name: receptionist }} }}}}"
    ));
    let owned = matches!(state, OrderState::Ordered | OrderState::Routed);
    let order = NumberOrder {
        id: Uuid::from_u128(0xe),
        agency: Uuid::from_u128(0xa).into(),
        tenant: Uuid::from_u128(0xb).into(),
        resource: Uuid::from_u128(0xd),
        carrier: "main".to_owned(),
        search: Some(serde_json::json!({"country": "US", "areaCode": "404"})),
        number: (state != OrderState::Choosing).then(|| "+15550100".to_owned()),
        tried: Vec::new(),
        state,
        attempts: 1,
        attempted_at: None,
        verdict: None,
        carrier_order_id: None,
        carrier_number_id: owned.then(|| "PN1".to_owned()),
        connection: None,
        problem: problem
            .map(|(reason, message)| OrderProblem { reason: reason.to_owned(), message: message.to_owned() }),
        failures: 0,
        retry_at: None,
        fence: 1,
        kept_at: None,
        baseline: None,
    };
    let part = CarrierPart { order: Some(order), ..CarrierPart::default() };
    (number, Observed { holds: false, carrier: part, ..seen() })
}

fn told(number: &PhoneNumber, seen: &Observed) -> PhoneNumberStatus {
    status::compute(number, seen, &validate::check(number, seen), now())
}

fn message(status: &PhoneNumberStatus, type_: &str) -> String {
    conditions::find(&status.conditions, type_).unwrap().message.clone()
}

#[test]
fn a_purchase_is_told_step_by_step() {
    let table = [
        (OrderState::Choosing, reasons::PENDING, "looking for a number"),
        (OrderState::Intended, reasons::ORDERING, "+15550100 was chosen and is going to be ordered"),
        (OrderState::Ordering, reasons::ORDERING, "ordering +15550100, waiting for the carrier"),
        (OrderState::Ordered, reasons::PENDING, "the calls of +15550100 are being sent here"),
        (OrderState::Routed, reasons::PENDING, "the number is being put on the trunk of its carrier connection"),
    ];
    for (state, reason, text) in table {
        let (number, seen) = bought(state, None);
        let status = told(&number, &seen);
        assert_eq!(condition(&status, types::ACCEPTED).0, "True", "{state}");
        assert_eq!(condition(&status, types::PROGRAMMED), ("False".into(), reason.into()), "{state}");
        assert_eq!(condition(&status, types::READY), ("False".into(), reason.into()), "{state}");
        assert_eq!(message(&status, types::READY), text);
        let owned = matches!(state, OrderState::Ordered | OrderState::Routed);
        assert_eq!(status.number.is_some(), owned, "{state}");
        assert_eq!(format!("{:?}", status.order.unwrap().state), format!("{state:?}"));
    }
}

#[test]
fn a_bought_number_is_like_any_other_once_it_is_known() {
    let (mut number, seen) = bought(OrderState::Routed, None);
    number.status = Some(told(&number, &seen));
    assert_eq!(number.number(), Some("+15550100"));
    let status = told(&number, &Observed { holds: true, ..seen });
    assert_eq!(condition(&status, types::READY), ("True".into(), reasons::READY.into()));
    assert_eq!(status.order.unwrap().reference.as_deref(), Some("voxplane:00000000-0000-0000-0000-00000000000e"));
}

#[test]
fn the_carriers_no_is_a_condition_in_its_own_words() {
    let words = "the carrier refused (status 402): insufficient funds";
    let (number, seen) = bought(OrderState::Intended, Some((reasons::CARRIER_REFUSED, words)));
    let status = told(&number, &seen);
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::CARRIER_REFUSED.into()));
    assert!(message(&status, types::READY).ends_with(words));
    assert_eq!(status.order.unwrap().message.as_deref(), Some(words));
}

#[test]
fn what_the_agency_does_not_allow_or_lacks_is_told_on_the_number() {
    let (number, mut seen) = bought(OrderState::Choosing, None);
    seen.carrier.refused = Some(Problem::new(reasons::PURCHASE_NOT_ALLOWED, "no"));
    assert_eq!(
        condition(&told(&number, &seen), types::ACCEPTED),
        ("False".into(), reasons::PURCHASE_NOT_ALLOWED.into())
    );
    seen.carrier.refused = None;
    seen.carrier.account = Some(Problem::new(reasons::REF_NOT_FOUND, "no Secret"));
    assert_eq!(condition(&told(&number, &seen), types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    seen.carrier = CarrierPart::default();
    seen.database_problem = Some("refused".to_owned());
    let status = told(&number, &seen);
    assert_eq!(condition(&status, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    seen.home.as_mut().unwrap().agency.spec.carriers.clear();
    assert_eq!(condition(&told(&number, &seen), types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
}

#[test]
fn without_the_database_a_bought_number_stays_what_it_was() {
    let (mut number, seen) = bought(OrderState::Routed, None);
    number.status = Some(told(&number, &seen));
    let identity = Some(Identity::DatabaseAway { last: Some(Uuid::from_u128(0xd)), message: "refused".to_owned() });
    let blind = Observed {
        holds: true,
        identity,
        carrier: CarrierPart::default(),
        database_problem: Some("refused".to_owned()),
        ..seen
    };
    let status = told(&number, &blind);
    assert_eq!(status.number.as_deref(), Some("+15550100"));
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
    assert_eq!(condition(&status, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    assert!(status.order.is_some());
}

#[test]
fn goto_sells_by_area_code_and_says_so() {
    let search = |area_code: Option<&str>, contains: Option<&str>, country: &str| NumberSearch {
        country: country.to_owned(),
        area_code: area_code.map(str::to_owned),
        contains: contains.map(str::to_owned),
        region: None,
    };
    assert_eq!(by_area(&search(Some("404"), None, "US")), Ok(()));
    for (wrong, word) in [
        (search(None, None, "US"), "areaCode is needed"),
        (search(Some("404"), Some("77"), "CA"), "contains cannot"),
        (search(Some("20"), None, "GB"), "country must be US or CA"),
    ] {
        let problem = by_area(&wrong).unwrap_err();
        assert_eq!(problem.reason, reasons::INVALID);
        assert!(problem.message.contains(word), "{}", problem.message);
    }
}
