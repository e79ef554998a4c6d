//! What is said about a phone number.

use std::collections::BTreeSet;

use uuid::Uuid;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::{PhoneNumber, PhoneNumberStatus};
use voxplane_telephony::E164;

use super::observe::Observed;
use super::{status, validate};
use crate::identity::Identity;
use crate::livekit::Connection;
use crate::testing::{accepted, agent, condition, home, now, number};

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
        agent: Some(receptionist),
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

#[test]
fn what_is_missing_is_named() {
    let nobody = said(&Observed { agent: None, ..seen() });
    assert_eq!(condition(&nobody, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    let mut failing = seen();
    let connection = failing.connection.as_mut().unwrap();
    connection.numbers.clear();
    connection.problem = Some("refused".to_owned());
    assert_eq!(condition(&said(&failing), types::PROGRAMMED), ("False".into(), reasons::LIVEKIT_ERROR.into()));
    let mut waiting = seen();
    waiting.agent.as_mut().unwrap().status =
        Some(accepted(0xc, vec![Desired::no(types::READY, reasons::WAITING_FOR_PODS, "0 of 1")]));
    let status = said(&waiting);
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::WAITING_FOR_DEPENDENCY.into()));
}

#[test]
fn just_after_a_start_the_last_ids_stay() {
    let mut number = subject();
    number.status = Some(said(&seen()));
    let seen = Observed { connection: None, ..seen() };
    let status = status::compute(&number, &seen, &validate::check(&number, &seen), now());
    assert_eq!(status.trunk_id.as_deref(), Some("ST_1"));
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
