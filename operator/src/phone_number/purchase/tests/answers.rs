//! What is made of what came of a request.

use super::*;

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
