//! Which number is chosen, and carriers that choose it themselves.

use super::*;

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
