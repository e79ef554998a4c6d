//! What is done next; what every test of purchases has in common.

mod answers;
mod areas;

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;
use voxplane_crds::agency::NumberGrant;
use voxplane_crds::conditions::reasons;
use voxplane_store::number_orders::{NewNumberOrder, NumberOrder, OrderState, Verdict};
use voxplane_telephony::E164;
use voxplane_telephony::market::{
    self, AvailableNumber, MarketError, NumberSearch, Ordered, OwnedNumber, Reference, Route,
};

use super::choose::{area, candidates};
use super::decide::{Request, Step, next};
use super::learn::{self, SETTLE, SETTLE_UNMARKED, Sight};
use super::{Goal, Wish, is_over};
use crate::status::Problem;
use crate::testing::now;

const NUMBER: &str = "+14045550100";

fn e164(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

fn wish() -> Wish {
    Wish {
        new: NewNumberOrder {
            agency: Uuid::from_u128(0xa).into(),
            tenant: Uuid::from_u128(0xb).into(),
            resource: Uuid::from_u128(0xd),
            carrier: "main".to_owned(),
            search: Some(json!({"country": "US", "areaCode": "404"})),
            number: None,
        },
        search: Some(NumberSearch::new("US", Some("404"), None, None).unwrap()),
        route: Route { connection: "TK1".to_owned() },
        tenant: "dental".to_owned(),
        grants: vec![NumberGrant { pattern: "+1404*".to_owned(), tenants: vec!["dental".to_owned()] }],
        claimed: BTreeSet::new(),
        limit: Ok(10),
    }
}

fn import() -> Wish {
    let mut wish = wish();
    (wish.search, wish.new.search, wish.new.number) = (None, None, Some(NUMBER.to_owned()));
    wish
}

/// An order in a state, with everything that goes with it.
fn order(state: OrderState) -> NumberOrder {
    let wish = wish();
    let chosen = !matches!(state, OrderState::Choosing | OrderState::Failed);
    let owned = matches!(state, OrderState::Ordered | OrderState::Routed | OrderState::Released);
    let sent = owned || state == OrderState::Ordering;
    NumberOrder {
        id: Uuid::from_u128(0xe),
        agency: wish.new.agency,
        tenant: wish.new.tenant,
        resource: wish.new.resource,
        carrier: wish.new.carrier,
        search: wish.new.search,
        number: chosen.then(|| NUMBER.to_owned()),
        tried: Vec::new(),
        state,
        attempts: i32::from(sent),
        attempted_at: sent.then(now),
        verdict: None,
        carrier_order_id: None,
        carrier_number_id: owned.then(|| "PN1".to_owned()),
        connection: (state == OrderState::Routed).then(|| "TK1".to_owned()),
        problem: None,
        failures: 0,
        retry_at: None,
        fence: 1,
        kept_at: None,
        baseline: None,
    }
}

/// As [`order`], at a carrier that picks the number.
fn order_in_area(state: OrderState) -> NumberOrder {
    NumberOrder { number: None, baseline: Some(vec!["o0".to_owned()]), ..order(state) }
}

fn ours() -> OwnedNumber {
    let reference = Some(Reference::new(Uuid::from_u128(0xe)).as_str().to_owned());
    OwnedNumber { number: e164(NUMBER), carrier_id: "PN1".to_owned(), reference, route: None }
}

fn later(wait: SignedDuration) -> Timestamp {
    now().checked_add(wait).unwrap()
}

fn seconds(order: &NumberOrder) -> i64 {
    order.retry_at.map_or(0, |at| at.duration_since(now()).as_secs())
}

fn lost() -> MarketError {
    MarketError::OutcomeUnknown { source: "connection reset".into() }
}

fn refused() -> MarketError {
    MarketError::Refused { status: 402, code: Some("20003".to_owned()), message: "insufficient funds".to_owned() }
}

fn taken() -> MarketError {
    MarketError::Taken { number: e164(NUMBER) }
}

#[test]
fn every_state_has_one_next_step_per_goal() {
    use OrderState::{Choosing, Failed, Intended, Ordered as InAccount, Ordering, Released, Routed};
    let wish = wish();
    let (have, keep, release) = (Goal::Have(&wish), Goal::Keep, Goal::Release);
    let ask = Step::Ask;
    let table = [
        (Choosing, ask(Request::Choose), Step::Close, Step::Close),
        (Intended, ask(Request::Order), Step::Close, Step::Close),
        // Whatever is wanted: first it must be known whether there is a number.
        (Ordering, ask(Request::Look), ask(Request::Look), ask(Request::Look)),
        (InAccount, ask(Request::Route), Step::Close, ask(Request::Release)),
        (Routed, Step::Rest, Step::Close, ask(Request::Release)),
        (Released, Step::Rest, Step::Rest, Step::Rest),
        (Failed, Step::Rest, Step::Rest, Step::Rest),
    ];
    for (state, to_have, to_keep, to_release) in table {
        let order = order(state);
        assert_eq!(next(&order, have, now()), to_have, "{state}");
        assert_eq!(next(&order, keep, now()), to_keep, "{state}");
        assert_eq!(next(&order, release, now()), to_release, "{state}");
        assert_eq!(is_over(&order), matches!(state, Released | Failed), "{state}");
    }
    let kept = NumberOrder { kept_at: Some(now()), ..order(Routed) };
    assert_eq!(next(&kept, release, now()), Step::Rest);
    let accepted = NumberOrder { carrier_order_id: Some("o1".to_owned()), ..order(Ordering) };
    assert_eq!(next(&accepted, have, now()), ask(Request::State { order_id: "o1".to_owned() }));
}

#[test]
fn nothing_is_done_before_its_time() {
    let (wish, at) = (wish(), later(SignedDuration::from_secs(5)));
    for state in [OrderState::Choosing, OrderState::Intended, OrderState::Ordering, OrderState::Ordered] {
        let order = NumberOrder { retry_at: Some(at), ..order(state) };
        assert_eq!(next(&order, Goal::Have(&wish), now()), Step::Wait(at), "{state}");
        assert!(matches!(next(&order, Goal::Have(&wish), at), Step::Ask(_)), "{state}");
    }
}

#[test]
fn what_is_not_allowed_is_not_begun_and_what_was_begun_is_finished() {
    let problem = Problem::new(reasons::PURCHASE_NOT_ALLOWED, "no");
    let wish = Wish { limit: Err(problem.clone()), ..wish() };
    for state in [OrderState::Choosing, OrderState::Intended] {
        assert_eq!(next(&order(state), Goal::Have(&wish), now()), Step::Stop(problem.clone()), "{state}");
    }
    for state in [OrderState::Ordering, OrderState::Ordered] {
        assert!(matches!(next(&order(state), Goal::Have(&wish), now()), Step::Ask(_)), "{state}");
    }
    assert_eq!(next(&order(OrderState::Routed), Goal::Have(&wish), now()), Step::Rest);
}

#[test]
fn a_number_in_the_account_is_found_and_routed_and_never_bought() {
    let wish = Wish { limit: Err(Problem::new(reasons::PURCHASE_NOT_ALLOWED, "no")), ..import() };
    let order = NumberOrder { search: None, number: Some(NUMBER.to_owned()), ..order(OrderState::Choosing) };
    assert_eq!(next(&order, Goal::Have(&wish), now()), Step::Ask(Request::Find));
    let found = learn::found(order.clone(), Ok(Some(OwnedNumber { reference: None, ..ours() })), now());
    assert_eq!((found.state, found.carrier_number_id.as_deref()), (OrderState::Ordered, Some("PN1")));
    assert_eq!(next(&found, Goal::Have(&wish), now()), Step::Ask(Request::Route));
    let missing = learn::found(order.clone(), Ok(None), now());
    assert_eq!(missing.state, OrderState::Choosing);
    assert_eq!(missing.problem.unwrap().reason, reasons::NUMBER_NOT_IN_ACCOUNT);
    // Another connection: the number stays where it is, and an order for the new one begins.
    let mut elsewhere = wish.clone();
    elsewhere.new.carrier = "backup".to_owned();
    assert_eq!(next(&found, Goal::Have(&elsewhere), now()), Step::Close);
    assert!(is_over(&learn::closed(found, now())));
}

#[test]
fn a_second_number_is_not_bought_because_the_wish_changed() {
    let mut other = wish();
    other.new.search = Some(json!({"country": "CH"}));
    for state in [OrderState::Choosing, OrderState::Ordered, OrderState::Routed] {
        let Step::Stop(problem) = next(&order(state), Goal::Have(&other), now()) else { panic!("{state}") };
        assert_eq!(problem.reason, reasons::INVALID);
    }
}

#[test]
fn another_trunk_of_the_agency_is_told_to_the_carrier() {
    let mut wish = wish();
    wish.route.connection = "TK2".to_owned();
    assert_eq!(next(&order(OrderState::Routed), Goal::Have(&wish), now()), Step::Ask(Request::Route));
}
