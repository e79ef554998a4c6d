//! What only GoTo Connect does: tokens that end, orders by area code, numbers that are given back by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use secrecy::ExposeSecret as _;
use voxplane_carriers::{Fault, Simulator};
use voxplane_telephony::goto_connect::{GotoConnectMarket, Kept, KeptToken, TokenKeeper};
use voxplane_telephony::market::{Http, OrderState, Ordered, Route};
use voxplane_telephony::{CarrierKind, Market, NumberMarket as _};

use super::{TIMEOUT, account, number, order_at, reference, search};

/// Keeps a token in memory, and fails as often as it is told to.
#[derive(Debug, Default)]
struct Memory {
    kept: Mutex<Option<KeptToken>>,
    failures: Mutex<u32>,
}

impl TokenKeeper for Memory {
    fn load(&self) -> Kept<'_, Option<KeptToken>> {
        Box::pin(async { Ok(self.kept.lock().unwrap().clone()) })
    }

    fn store(&self, token: KeptToken) -> Kept<'_, ()> {
        Box::pin(async {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err("the store is away".into());
            }
            *self.kept.lock().unwrap() = Some(token);
            Ok(())
        })
    }
}

/// A process that was just started.
fn started(sim: &Simulator, keeper: Option<&Arc<Memory>>, refresh_token: Option<&str>) -> GotoConnectMarket {
    let mut keys = sim.secret();
    keys.extend(refresh_token.map(|token| ("refresh-token".to_owned(), token.to_owned())));
    let market =
        Market::from_secret(CarrierKind::GotoConnect, &Http::new(TIMEOUT).unwrap(), |key| keys.get(key).cloned());
    let Market::GotoConnect(market) = market.unwrap() else { panic!("another carrier") };
    match keeper {
        Some(keeper) => market.kept_by(keeper.clone()),
        None => market,
    }
}

async fn works(market: &GotoConnectMarket) -> Result<(), &'static str> {
    market.find(&number("+14045550100")).await.map(drop).map_err(|error| error.reason())
}

fn token_requests(sim: &Simulator) -> usize {
    sim.requests().iter().filter(|seen| seen.path == "/oauth/token").count()
}

#[tokio::test]
async fn one_token_serves_many_requests_and_everybody_who_waits() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let market = started(&sim, None, None);
    let answers = join_all((0..8).map(|_| works(&market))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(sim.tokens_issued(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    let sim = Simulator::goto_connect().token_lifetime(1).start().await.unwrap();
    let market = started(&sim, None, None);
    works(&market).await.unwrap();
    tokio::time::sleep(Duration::from_millis(950)).await;
    works(&market).await.unwrap();
    assert_eq!((sim.tokens_issued(), sim.requests().len()), (2, 4), "nothing was refused in between");
}

#[tokio::test]
async fn a_token_that_ended_early_is_renewed_and_the_order_is_placed_once() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect()).await;
    account.look_around().await;
    account.sim.expire_access_tokens();
    account.buy("+14045550100", &reference(1)).await;
    assert_eq!((account.sim.tokens_issued(), account.sim.purchases().len()), (2, 1));
}

#[tokio::test]
async fn a_new_refresh_token_outlives_the_process() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let keeper = Arc::<Memory>::default();
    sim.end_refresh_token();
    works(&started(&sim, Some(&keeper), None)).await.unwrap();
    let kept = keeper.kept.lock().unwrap().clone().unwrap();
    assert_eq!(kept.refresh_token.expose_secret(), "simulated-refresh-token-1");
    assert!(!format!("{kept:?}").contains("simulated"));

    works(&started(&sim, Some(&keeper), None)).await.unwrap();
    assert_eq!(works(&started(&sim, None, None)).await, Err("CarrierReauthorization"), "the first one ended");
}

#[tokio::test]
async fn nothing_is_asked_while_the_new_refresh_token_is_not_stored() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let keeper = Arc::<Memory>::default();
    *keeper.failures.lock().unwrap() = 2;
    sim.end_refresh_token();
    let market = started(&sim, Some(&keeper), None);
    for _ in 0..2 {
        assert_eq!(works(&market).await, Err("CarrierUnavailable"));
    }
    works(&market).await.unwrap();
    assert_eq!(sim.tokens_issued(), 1);
    works(&started(&sim, Some(&keeper), None)).await.unwrap();
}

#[tokio::test]
async fn what_was_kept_is_forgotten_when_somebody_authorises_again() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let keeper = Arc::<Memory>::default();
    sim.end_refresh_token();
    works(&started(&sim, Some(&keeper), None)).await.unwrap();
    sim.revoke();
    assert_eq!(works(&started(&sim, Some(&keeper), None)).await, Err("CarrierReauthorization"));
    let new = sim.authorize_again();
    works(&started(&sim, Some(&keeper), Some(&new))).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_authorisation_is_told_and_not_tried_all_the_time() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let market = started(&sim, None, None);
    works(&market).await.unwrap();
    sim.revoke();
    for _ in 0..5 {
        let error = market.find(&number("+14045550100")).await.unwrap_err();
        assert_eq!(error.reason(), "CarrierReauthorization");
        assert!(error.to_string().contains("must be authorised again"), "{error}");
    }
    assert_eq!(token_requests(&sim), 2);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_asked_again() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let market = started(&sim, None, None);
    for fault in [Fault::cut as fn(Fault) -> Fault, |fault| fault.answer(503), Fault::truncate_after, Fault::hang] {
        sim.fail(fault(Fault::on("POST", "/oauth/token")));
        let error = market.order_in(&search("US", Some("404"), None, None)).await.unwrap_err();
        assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierUnavailable", false), "{error:?}");
    }
    sim.fail(Fault::on("POST", "/oauth/token").slow_down(3));
    assert_eq!(works(&market).await, Err("CarrierRateLimited"));
    works(&market).await.unwrap();
    assert!(sim.purchases().is_empty());
}

#[tokio::test]
async fn an_account_is_the_same_as_long_as_its_keys_are() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let keeper = Arc::<Memory>::default();
    let market = started(&sim, Some(&keeper), None);
    assert!(market.is_same(&started(&sim, None, None)));
    assert!(!market.is_same(&started(&sim, None, Some("another"))));
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    sim.drop_scope();
    let error = started(&sim, None, None).find(&number("+14045550100")).await.unwrap_err();
    assert_eq!(error.reason(), "CarrierReauthorization");
    assert!(error.to_string().contains("voice-admin.v1.write"), "{error}");
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_new_in_the_list() {
    let faults: [fn(Fault) -> Fault; 5] = [
        Fault::cut_after,
        Fault::hang_after,
        |fault| fault.answer_after(500),
        Fault::truncate_after,
        Fault::malformed_after,
    ];
    for fault in faults {
        let account = account(CarrierKind::GotoConnect, Simulator::goto_connect().pending_polls(2)).await;
        account.buy("+12125550100", &reference(7)).await;
        let before = account.market.orders().await.unwrap();
        account.sim.fail(fault(Fault::on("POST", "/phone-number-orders")));
        let error = order_at(&account.market, "+14045550100", &reference(1)).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error:?}");
        let mut new = account.market.orders().await.unwrap();
        new.retain(|order| !before.contains(order));
        let [order] = new.as_slice() else { panic!("{new:?}") };
        assert_eq!(order.area_code.as_deref(), Some("404"));
        let owned = account.wait(Ordered::Pending { order_id: order.id.clone() }).await;
        assert_eq!(owned.number, number("+14045550100"));
        assert_eq!(account.sim.purchases().len(), 2);
    }
}

#[tokio::test]
async fn long_lists_of_orders_are_read_to_the_end() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect().page_limit(2)).await;
    for line in 100..105 {
        account.buy(&format!("+14045550{line}"), &reference(1)).await;
    }
    assert_eq!(account.market.orders().await.unwrap().len(), 5);
}

#[tokio::test]
async fn an_order_that_fails_costs_nothing() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect()).await;
    account.sim.doom_next_order();
    let Ordered::Pending { order_id } = order_at(&account.market, "+14045550100", &reference(1)).await.unwrap() else {
        panic!("done at once");
    };
    let state = account.market.order_state(&order_id).await.unwrap();
    assert!(matches!(state, OrderState::Failed { .. }), "{state:?}");
    assert_eq!(account.sim.spent_cents(), 0);
    assert_eq!(account.market.order_state("no-such-order").await.unwrap_err().reason(), "CarrierRefused");
}

#[tokio::test]
async fn an_area_that_is_sold_out_is_told_apart_from_one_that_does_not_exist() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect()).await;
    for (area, reason, word) in
        [("907", "NoNumberForSale", "another area code"), ("111", "CarrierRefused", "spec.search.areaCode")]
    {
        let error = account.market.order_in(&search("US", Some(area), None, None)).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{area}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = account.market.order_in(&search("US", None, None, None)).await.unwrap_err();
    assert!(error.to_string().contains("spec.search.areaCode"), "{error}");
}

#[tokio::test]
async fn a_wrong_account_or_line_is_named() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect()).await;
    let market = super::market(CarrierKind::GotoConnect, &account.sim, &[("account-key", "1")]);
    let error = market.find(&number("+14045550100")).await.unwrap_err();
    assert!(error.reason() == "CarrierRefused" && error.to_string().contains("gotoConnect.accountKey"), "{error}");

    let owned = account.buy("+14045550100", &reference(1)).await;
    let error = account.market.route(&owned, &Route { connection: "no-line".to_owned() }).await.unwrap_err();
    assert!(error.to_string().contains("no line \"no-line\""), "{error}");
    account.sim.remove_by_hand("+14045550100");
    let error = account.market.route(&owned, &account.route()).await.unwrap_err();
    assert!(error.to_string().contains("not in the account any more"), "{error}");
}

#[tokio::test]
async fn the_account_and_its_lines_can_be_read() {
    let sim = Simulator::goto_connect().start().await.unwrap();
    let market = started(&sim, None, None);
    assert_eq!(market.account().await.unwrap().name.as_deref(), Some("Simulated Agency"));
    let lines = market.lines().await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(market.line(sim.connection()).await.unwrap().as_ref(), Some(&lines[0]));
    assert_eq!(market.line("no-line").await.unwrap(), None);
}

#[tokio::test]
async fn a_number_is_given_back_by_hand() {
    let account = account(CarrierKind::GotoConnect, Simulator::goto_connect()).await;
    let owned = account.buy("+14045550100", &reference(1)).await;
    let error = account.market.release(&owned).await.unwrap_err();
    assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierByHand", false));
    assert!(error.to_string().contains("admin portal"), "{error}");
    account.sim.remove_by_hand("+14045550100");
    account.market.release(&owned).await.unwrap();
}
