//! Every way in which a request fails, and what is known afterwards.

use std::time::Duration;

use voxplane_carriers::Fault;
use voxplane_telephony::market::{MarketError, Ordered};
use voxplane_telephony::{CarrierKind, NumberMarket as _};

use super::{Account, accounts, market, marking, number, order_at, reference, search};

/// Makes a request fail in one way.
type Way = fn(Fault) -> Fault;

/// Where orders go.
const fn orders(kind: CarrierKind) -> &'static str {
    match kind {
        CarrierKind::Telnyx => "/number_orders",
        CarrierKind::GotoConnect => "/phone-number-orders",
        _ => "/IncomingPhoneNumbers",
    }
}

/// Where numbers are changed, and how.
const fn changes(kind: CarrierKind) -> (&'static str, &'static str) {
    match kind {
        CarrierKind::Telnyx => ("PATCH", "/phone_numbers/"),
        CarrierKind::GotoConnect => ("PATCH", "/phone-numbers/"),
        _ => ("POST", "/IncomingPhoneNumbers/"),
    }
}

async fn order(account: &Account) -> Result<Ordered, MarketError> {
    order_at(&account.market, "+14045550100", &reference(1)).await
}

/// What is wrong if the carrier says that we are not authorised: with a key, the key; else the authorisation.
const fn unauthorized(kind: CarrierKind) -> &'static str {
    match kind {
        CarrierKind::GotoConnect => "CarrierReauthorization",
        _ => "CarrierCredentials",
    }
}

#[tokio::test]
async fn an_order_that_was_not_carried_out_bought_nothing_and_is_not_repeated() {
    let faults: [(Way, &str, bool); 7] = [
        (|fault| fault.slow_down(7), "CarrierRateLimited", false),
        (|fault| fault.answer(401), "CarrierCredentials", false),
        (|fault| fault.answer(402), "CarrierRefused", false),
        (|fault| fault.answer(500), "CarrierOutcomeUnknown", true),
        (|fault| fault.answer(503), "CarrierOutcomeUnknown", true),
        (Fault::cut, "CarrierOutcomeUnknown", true),
        (Fault::hang, "CarrierOutcomeUnknown", true),
    ];
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        for (index, (fault, reason, unknown)) in faults.into_iter().enumerate() {
            account.sim.fail(fault(Fault::on("POST", orders(kind))));
            let error = order(&account).await.unwrap_err();
            let reason = if reason == "CarrierCredentials" { unauthorized(kind) } else { reason };
            assert_eq!((error.reason(), error.outcome_unknown()), (reason, unknown), "{kind:?}: {error:?}");
            assert_eq!(account.requests("POST"), index + 1, "{kind:?} {reason}: sent once");
            if reason == "CarrierRateLimited" {
                assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{kind:?}");
            }
        }
        assert!(account.sim.purchases().is_empty(), "{kind:?}");
        assert_eq!(account.market.order_by_reference(&reference(1)).await.unwrap(), None, "{kind:?}");
        let ordered = order(&account).await.unwrap();
        account.wait(ordered).await;
        assert_eq!(account.sim.purchases().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_found_and_not_bought_twice() {
    let faults: [Way; 5] = [
        Fault::cut_after,
        Fault::hang_after,
        |fault| fault.answer_after(500),
        Fault::truncate_after,
        Fault::malformed_after,
    ];
    for fault in faults {
        for account in marking().await {
            let kind = account.kind;
            account.look_around().await;
            let fault = fault(Fault::on("POST", orders(kind)));
            account.sim.fail(fault.clone());
            let error = order(&account).await.unwrap_err();
            assert!(error.outcome_unknown(), "{kind:?} {fault:?}: {error:?}");
            assert_eq!(account.sim.purchases_of("+14045550100"), 1, "{kind:?} {fault:?}");

            let found = account.market.order_by_reference(&reference(1)).await.unwrap();
            let owned = account.wait(found.unwrap()).await;
            assert_eq!(account.market.find(&number("+14045550100")).await.unwrap().as_ref(), Some(&owned), "{kind:?}");
            assert_eq!(account.market.find_by_reference(&reference(1)).await.unwrap(), [owned], "{kind:?}");
            assert_eq!(order(&account).await.unwrap_err().reason(), "NumberTaken", "{kind:?} {fault:?}");
            assert_eq!(account.sim.purchases().len(), 1, "{kind:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_lookup_that_fails_says_that_nothing_was_done() {
    let faults: [(Way, &str); 6] = [
        (|fault| fault.slow_down(1), "CarrierRateLimited"),
        (|fault| fault.answer(401), "CarrierCredentials"),
        (|fault| fault.answer(503), "CarrierUnavailable"),
        (Fault::cut, "CarrierUnavailable"),
        (Fault::hang, "CarrierUnavailable"),
        (Fault::malformed_after, "CarrierProtocol"),
    ];
    for account in accounts().await {
        let kind = account.kind;
        for (fault, reason) in faults {
            let reason = if reason == "CarrierCredentials" { unauthorized(kind) } else { reason };
            account.sim.fail(fault(Fault::on("GET", "/")));
            let error = account.market.search(&search("US", None, None, None), 1).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{kind:?}: {error:?}");
            account.sim.fail(fault(Fault::on("GET", "/")));
            let error = account.market.find(&number("+14045550100")).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{kind:?}: {error:?}");
        }
        assert_eq!(account.requests("GET"), 2 * faults.len(), "{kind:?}: each was sent once");
    }
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_can_be_made_again() {
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        let owned = account.buy("+14045550100", &reference(1)).await;
        let (method, path) = changes(kind);
        account.sim.fail(Fault::on(method, path).cut_after());
        let error = account.market.route(&owned, &account.route()).await.unwrap_err();
        assert_eq!(error.reason(), "CarrierOutcomeUnknown", "{kind:?}");
        account.market.route(&owned, &account.route()).await.unwrap();
        assert!(account.market.find(&owned.number).await.unwrap().unwrap().is_routed(&account.route()), "{kind:?}");

        if account.marks() {
            account.sim.fail(Fault::on("DELETE", "/").cut_after());
            let error = account.market.release(&owned).await.unwrap_err();
            assert_eq!(error.reason(), "CarrierOutcomeUnknown", "{kind:?}");
        } else {
            account.sim.remove_by_hand("+14045550100");
        }
        account.market.release(&owned).await.unwrap();
        assert_eq!(account.sim.releases(), ["+14045550100"], "{kind:?}");
        let error = account.market.route(&owned, &account.route()).await.unwrap_err();
        assert_eq!(error.reason(), "CarrierRefused", "{kind:?}: what is gone cannot be routed");
    }
}

#[tokio::test]
async fn a_carrier_that_is_not_there_did_nothing() {
    for account in accounts().await {
        let kind = account.kind;
        let gone = [("endpoint", "http://127.0.0.1:1")];
        let market = market(kind, &account.sim, &gone);
        let error = order_at(&market, "+14045550100", &reference(1)).await.unwrap_err();
        assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierUnavailable", false), "{kind:?}: {error:?}");
    }
}

#[tokio::test]
async fn wrong_keys_are_told_apart_from_refusals() {
    for account in accounts().await {
        let kind = account.kind;
        let key = if account.marks() { "api-key" } else { "client-secret" };
        let market = market(kind, &account.sim, &[(key, "wrong")]);
        let error = order_at(&market, "+14045550100", &reference(1)).await.unwrap_err();
        assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierCredentials", false), "{kind:?}: {error:?}");
    }
}

#[tokio::test]
async fn no_error_tells_a_number() {
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        account.sim.fail(Fault::on("GET", "/").malformed_after());
        account.sim.fail(Fault::on("GET", "/").nth(2).hang());
        for _ in 0..2 {
            let error = account.market.find(&number("+14045550100")).await.unwrap_err();
            let told = format!("{error} {error:?} {}", voxplane_platform::error_chain::describe(&error));
            assert!(!told.contains("5550100"), "{kind:?}: {told}");
        }
        for line in 100..110 {
            account.sim.sell_to_stranger(&format!("+14045550{line}"));
        }
        let told = format!("{:?}", order(&account).await.unwrap_err());
        assert!(!told.contains("5550100"), "{kind:?}: {told}");
    }
}
