//! What is done next, and what is made of what came of it.

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

#[test]
fn an_answer_to_the_first_order_says_what_is_certain() {
    let answered = |answer| learn::ordered(order(OrderState::Ordering), answer, now());
    let done = answered(Ok(Ordered::Done(ours())));
    assert_eq!((done.state, done.carrier_number_id.as_deref()), (OrderState::Ordered, Some("PN1")));
    let pending = answered(Ok(Ordered::Pending { order_id: "o1".to_owned() }));
    assert_eq!((pending.state, pending.carrier_order_id.as_deref()), (OrderState::Ordering, Some("o1")));
    assert_eq!(seconds(&pending), 2);

    // Certainly not bought.
    let gone = answered(Err(taken()));
    assert_eq!((gone.state, gone.number.as_deref(), gone.tried), (OrderState::Choosing, None, vec![NUMBER.to_owned()]));
    let no = answered(Err(refused()));
    assert_eq!((no.state, no.attempts, no.number.as_deref()), (OrderState::Intended, 0, Some(NUMBER)));
    let problem = no.problem.unwrap();
    assert_eq!(problem.reason, reasons::CARRIER_REFUSED);
    assert!(problem.message.contains("insufficient funds"), "{}", problem.message);
    let away = answered(Err(MarketError::Unavailable { source: "refused".into() }));
    assert_eq!((away.state, away.attempts), (OrderState::Intended, 0));

    // Perhaps bought: it stays so until it is known.
    for error in [lost(), MarketError::Protocol { message: "not JSON".to_owned() }] {
        let unknown = answered(Err(error));
        assert_eq!((unknown.state, unknown.attempts), (OrderState::Ordering, 1));
        assert_eq!(unknown.number.as_deref(), Some(NUMBER));
    }
}

#[test]
fn a_no_to_a_repeated_order_counts_only_when_the_number_does_not_appear() {
    let again = NumberOrder { attempts: 2, ..order(OrderState::Ordering) };
    for (error, verdict) in [(taken(), Verdict::Taken), (refused(), Verdict::Refused)] {
        let doubted = learn::ordered(again.clone(), Err(error), now());
        assert_eq!((doubted.state, doubted.verdict), (OrderState::Ordering, Some(verdict)));
        let found = learn::looked(doubted.clone(), Ok(Sight::Owned(ours())), now());
        assert_eq!((found.state, found.verdict), (OrderState::Ordered, None));
        let early = learn::looked(doubted.clone(), Ok(Sight::Nothing), now());
        assert_eq!(early.state, OrderState::Ordering);
        let settled = learn::looked(doubted, Ok(Sight::Nothing), later(SETTLE));
        match verdict {
            Verdict::Taken => assert_eq!((settled.state, settled.number), (OrderState::Choosing, None)),
            Verdict::Refused => assert_eq!((settled.state, settled.attempts), (OrderState::Intended, 0)),
        }
    }
    // A repeated order that was not carried out leaves the first one as uncertain as it was.
    let away = learn::ordered(again, Err(MarketError::Unavailable { source: "refused".into() }), now());
    assert_eq!((away.state, away.attempts), (OrderState::Intended, 1));
}

#[test]
fn a_number_that_does_not_appear_is_ordered_again_when_it_must_have_appeared() {
    let unknown = order(OrderState::Ordering);
    let early = later(SETTLE.checked_sub(SignedDuration::from_secs(1)).unwrap());
    let looked = learn::looked(unknown.clone(), Ok(Sight::Nothing), early);
    assert_eq!(looked.state, OrderState::Ordering);
    assert!(looked.retry_at.unwrap() > early);
    let blind =
        learn::looked(unknown.clone(), Err(MarketError::Unavailable { source: "refused".into() }), later(SETTLE));
    assert_eq!(blind.state, OrderState::Ordering, "not to see is not to know");
    let settled = learn::looked(unknown.clone(), Ok(Sight::Nothing), later(SETTLE));
    assert_eq!((settled.state, settled.number.as_deref(), settled.attempts), (OrderState::Intended, Some(NUMBER), 1));
    assert_eq!(learn::ordering(settled, now()).attempts, 2);
    let pending = learn::looked(unknown, Ok(Sight::Pending { order_id: "o1".to_owned() }), now());
    assert_eq!(pending.carrier_order_id.as_deref(), Some("o1"));
    // Longer than a pass lasts: no request can still be under way.
    assert!(SETTLE > SignedDuration::try_from(crate::kind::LONGEST_PASS).unwrap());
}

#[test]
fn an_accepted_order_is_asked_about_until_it_is_over() {
    let accepted = NumberOrder { carrier_order_id: Some("o1".to_owned()), ..order(OrderState::Ordering) };
    let asked = |answer| learn::asked(accepted.clone(), answer, now());
    assert_eq!(asked(Ok(market::OrderState::Pending)).state, OrderState::Ordering);
    assert_eq!(asked(Ok(market::OrderState::Done(ours()))).state, OrderState::Ordered);
    let failed = asked(Ok(market::OrderState::Failed { message: "no address".to_owned() }));
    assert_eq!((failed.state, failed.tried), (OrderState::Choosing, vec![NUMBER.to_owned()]));
    assert!(failed.problem.unwrap().message.contains("no address"));
    let forgotten = asked(Err(refused()));
    assert_eq!((forgotten.state, forgotten.carrier_order_id), (OrderState::Ordering, None));
}

#[test]
fn waits_grow_are_bounded_and_at_least_what_the_carrier_asks_for() {
    let slow = |retry_after| MarketError::RateLimited { retry_after };
    let failed = |failures, error: &MarketError| {
        seconds(&learn::failed(NumberOrder { failures, ..order(OrderState::Choosing) }, error, now()))
    };
    let waits: Vec<_> = (0..4).map(|failures| failed(failures, &lost())).collect();
    assert_eq!(waits, [5, 10, 20, 40]);
    assert_eq!(failed(i32::MAX, &lost()), 600);
    assert_eq!(failed(0, &slow(Some(Duration::from_secs(90)))), 90);
    assert_eq!(failed(0, &slow(Some(Duration::from_secs(1)))), 5);
    // A few numbers may be sold in front of our eyes; then we wait as well.
    let mut order = order(OrderState::Ordering);
    let mut waits = Vec::new();
    for _ in 0..4 {
        order = learn::ordered(NumberOrder { state: OrderState::Ordering, attempts: 1, ..order }, Err(taken()), now());
        waits.push(seconds(&order));
        order.number = Some(NUMBER.to_owned());
    }
    assert_eq!(waits, [0, 0, 20, 40]);
    assert_eq!(learn::owned(order, &ours()).failures, 0);
}

#[test]
fn the_carriers_words_are_kept_within_bounds() {
    let long = MarketError::Refused { status: 400, code: None, message: "x".repeat(10_000) };
    let failed = learn::failed(order(OrderState::Choosing), &long, now());
    assert_eq!(failed.problem.unwrap().message.chars().count(), 500);
}

#[test]
fn what_surfaces_before_another_number_is_chosen_is_taken() {
    let choosing = NumberOrder { tried: vec![NUMBER.to_owned()], ..order(OrderState::Choosing) };
    let found = learn::surfaced(choosing.clone(), Ok(Sight::Owned(ours())), now());
    assert_eq!((found.state, found.number.as_deref()), (OrderState::Ordered, Some(NUMBER)));
    let pending = learn::surfaced(choosing, Ok(Sight::Pending { order_id: "o1".to_owned() }), now());
    assert_eq!((pending.state, pending.number.as_deref()), (OrderState::Ordering, Some(NUMBER)));
}

#[test]
fn where_the_carrier_picks_a_no_begins_the_choice_again_and_frees_the_connection() {
    let reserved = learn::reserved(order(OrderState::Choosing));
    assert_eq!(
        (reserved.state, reserved.number.as_ref(), reserved.baseline.as_ref()),
        (OrderState::Intended, None, Some(&Vec::new()))
    );
    assert_eq!(next(&reserved, Goal::Have(&wish()), now()), Step::Ask(Request::Order));
    assert_eq!(next(&reserved, Goal::Release, now()), Step::Close);
    let suspended = Problem::new(reasons::SUSPENDED, "the tenant is suspended");
    let stopped = Wish { limit: Err(suspended), ..wish() };
    assert_eq!(next(&reserved, Goal::Have(&stopped), now()), Step::Close, "others may order meanwhile");
    let uncertain = NumberOrder { attempts: 1, ..reserved };
    assert!(matches!(next(&uncertain, Goal::Have(&stopped), now()), Step::Stop(_)));
    for (error, reason) in [(refused(), reasons::CARRIER_REFUSED), (MarketError::NoneForSale, reasons::NO_NUMBER_FOUND)]
    {
        let after = learn::ordered(order_in_area(OrderState::Ordering), Err(error), now());
        assert_eq!((after.state, after.baseline.as_ref(), after.attempts), (OrderState::Choosing, None, 0));
        assert_eq!(after.problem.map(|problem| problem.reason).as_deref(), Some(reason));
    }
    // Whoever has to authorise us again is waited for, with nothing ordered.
    let error = MarketError::Reauthorize { message: "it ended".to_owned() };
    let after = learn::ordered(order_in_area(OrderState::Ordering), Err(error), now());
    assert_eq!((after.state, after.attempts), (OrderState::Intended, 0));
    assert_eq!(after.problem.map(|problem| problem.reason).as_deref(), Some(reasons::CARRIER_REAUTHORIZATION));
}

#[test]
fn where_the_carrier_picks_what_was_there_before_stays_known_until_the_order_is_certain() {
    let unknown = order_in_area(OrderState::Ordering);
    let early = learn::looked(unknown.clone(), Ok(Sight::Nothing), later(SETTLE));
    assert_eq!(early.state, OrderState::Ordering, "two orders buy two numbers, so it is waited for longer");
    let settled = learn::looked(unknown.clone(), Ok(Sight::Nothing), later(SETTLE_UNMARKED));
    assert_eq!((settled.state, settled.attempts), (OrderState::Intended, 1));
    assert_eq!(settled.baseline, unknown.baseline, "or the first one would pass for somebody else's");
    let again = learn::ordering(settled, later(SETTLE_UNMARKED));
    assert_eq!((again.attempts, again.baseline.as_ref()), (2, unknown.baseline.as_ref()));
    let doubted = learn::ordered(again, Err(MarketError::NoneForSale), later(SETTLE_UNMARKED));
    assert_eq!((doubted.state, doubted.verdict), (OrderState::Ordering, Some(Verdict::Refused)));
    let failed = learn::asked(
        NumberOrder { carrier_order_id: Some("o1".to_owned()), ..unknown },
        Ok(market::OrderState::Failed { message: "no".to_owned() }),
        now(),
    );
    assert_eq!((failed.state, failed.baseline), (OrderState::Choosing, None));
}

#[test]
fn where_the_carrier_picks_the_whole_area_must_be_granted() {
    let granted = |pattern: &str, tenants: &[&str]| {
        let tenants = tenants.iter().map(ToString::to_string).collect();
        let grants = vec![NumberGrant { pattern: pattern.to_owned(), tenants }];
        area("+1404", &Wish { grants, ..wish() })
    };
    for (pattern, tenants) in [("+1404*", &["dental"][..]), ("+1*", &[]), ("+140*", &[])] {
        assert_eq!(granted(pattern, tenants), Ok(()), "{pattern}");
    }
    for (pattern, tenants) in [("+1404555*", &[][..]), ("+1404*", &["other"]), ("+14045550100", &[])] {
        let problem = granted(pattern, tenants).unwrap_err();
        assert_eq!(problem.reason, reasons::NUMBER_NOT_GRANTED);
        assert!(problem.message.contains("\"+1404*\""), "{}", problem.message);
    }
}

fn offers(numbers: &[&str]) -> Vec<AvailableNumber> {
    numbers.iter().map(|number| AvailableNumber { number: e164(number), locality: None, region: None }).collect()
}

#[test]
fn only_numbers_that_are_granted_and_free_are_chosen() {
    let mut wish = wish();
    wish.claimed.insert(e164("+14045550102"));
    let offered = offers(&["+14045550101", "+12125550100", "+14045550102", "+14045550103"]);
    let tried = ["+14045550101".to_owned()];
    assert_eq!(candidates(&offered, &wish, &tried).unwrap(), [e164("+14045550103")]);
}

#[test]
fn a_grant_that_is_missing_is_named() {
    let mut wish = wish();
    wish.grants[0].tenants = vec!["somebody-else".to_owned()];
    for (offered, pattern) in [
        (&["+14045550101", "+14045550199"][..], "\"+140455501*\""),
        (&["+14045550101"], "\"+1404*\""),
        (&["+14045550101", "+12125550100"], "\"+1*\""),
    ] {
        let problem = candidates(&offers(offered), &wish, &[]).unwrap_err();
        assert_eq!(problem.reason, reasons::NUMBER_NOT_GRANTED);
        assert!(problem.message.contains(pattern), "{}", problem.message);
        assert!(problem.message.contains("\"dental\"") && !problem.message.contains("somebody"), "{}", problem.message);
    }
    assert_eq!(candidates(&[], &wish, &[]).unwrap_err().reason, reasons::NO_NUMBER_FOUND);
}
