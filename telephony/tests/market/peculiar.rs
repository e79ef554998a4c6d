//! What only one of the carriers does.

use voxplane_carriers::{Simulator, twilio};
use voxplane_telephony::market::{OrderState, Ordered};
use voxplane_telephony::{CarrierKind, NumberMarket as _};

use super::{account, market, number, reference};

#[tokio::test]
async fn twilio_takes_the_auth_token_as_well() {
    let account = account(CarrierKind::Twilio, Simulator::twilio()).await;
    let keys = [("api-key", ""), ("api-secret", ""), ("auth-token", twilio::AUTH_TOKEN)];
    let market = market(CarrierKind::Twilio, &account.sim, &keys);
    assert_eq!(market.find(&number("+14045550100")).await.unwrap(), None);
}

#[tokio::test]
async fn twilio_keeps_no_orders() {
    let account = account(CarrierKind::Twilio, Simulator::twilio()).await;
    let error = account.market.order_state("anything").await.unwrap_err();
    assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierRefused", false));
}

#[tokio::test]
async fn a_telnyx_order_is_pending_as_long_as_telnyx_says() {
    let account = account(CarrierKind::Telnyx, Simulator::telnyx().pending_polls(2)).await;
    account.look_around().await;
    let Ordered::Pending { order_id } = account.market.order(&number("+14045550100"), &reference(1)).await.unwrap()
    else {
        panic!("done at once");
    };
    for _ in 0..2 {
        assert_eq!(account.market.order_state(&order_id).await.unwrap(), OrderState::Pending);
        assert_eq!(account.market.find(&number("+14045550100")).await.unwrap(), None);
    }
    let OrderState::Done(owned) = account.market.order_state(&order_id).await.unwrap() else { panic!("not done") };
    assert!(owned.carries(&reference(1)));
    assert_eq!(account.market.order_state("no-such-order").await.unwrap_err().reason(), "CarrierRefused");
}

#[tokio::test]
async fn a_telnyx_order_that_fails_costs_nothing_and_is_passed_over() {
    let account = account(CarrierKind::Telnyx, Simulator::telnyx()).await;
    account.look_around().await;
    account.sim.doom_next_order();
    let Ordered::Pending { order_id } = account.market.order(&number("+14045550100"), &reference(1)).await.unwrap()
    else {
        panic!("done at once");
    };
    let state = account.market.order_state(&order_id).await.unwrap();
    assert!(matches!(state, OrderState::Failed { .. }), "{state:?}");
    assert_eq!(account.market.order_by_reference(&reference(1)).await.unwrap(), None);
    assert_eq!(account.sim.spent_cents(), 0);

    let owned = account.buy("+14045550100", &reference(1)).await;
    let found = account.market.order_by_reference(&reference(1)).await.unwrap();
    assert_eq!(found, Some(Ordered::Done(owned)));
    assert_eq!(account.sim.spent_cents(), 115);
}

#[tokio::test]
async fn a_reference_that_stays_on_the_telnyx_order_is_found_there() {
    let account = account(CarrierKind::Telnyx, Simulator::telnyx().references_stay_on_orders()).await;
    account.look_around().await;
    let owned = account.buy("+14045550100", &reference(1)).await;
    assert!(owned.carries(&reference(1)), "{owned:?}");
    assert_eq!(account.market.find(&owned.number).await.unwrap().unwrap().reference, None);
    assert_eq!(account.market.find_by_reference(&reference(1)).await.unwrap(), [owned]);
    assert!(account.market.find_by_reference(&reference(2)).await.unwrap().is_empty());
}

#[tokio::test]
async fn telnyx_sells_only_what_a_search_has_shown() {
    let account = account(CarrierKind::Telnyx, Simulator::telnyx()).await;
    let error = account.market.order(&number("+14045550100"), &reference(1)).await.unwrap_err();
    assert_eq!(error.reason(), "CarrierRefused", "{error:?}");
}
