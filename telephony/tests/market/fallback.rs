//! Where a number's calls go while we do not answer.

use voxplane_carriers::{Fault, Forwarding, Simulator};
use voxplane_telephony::market::Fallback;
use voxplane_telephony::{CarrierKind, NumberMarket as _, OwnedNumber};

use super::{Account, account, accounts, number, reference, search};

const NUMBER: &str = "+14045550100";

async fn telnyx() -> (Account, OwnedNumber) {
    let account = account(CarrierKind::Telnyx, Simulator::telnyx()).await;
    account.look_around().await;
    let owned = account.buy(NUMBER, &reference(1)).await;
    (account, owned)
}

fn by_hand(to: &str, kind: &str, enabled: bool) -> Forwarding {
    Forwarding { enabled: Some(enabled), forwards_to: Some(to.to_owned()), forwarding_type: Some(kind.to_owned()) }
}

#[tokio::test]
async fn a_fallback_is_set_changed_and_taken_away() {
    let (Account { sim, market, .. }, owned) = telnyx().await;
    assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::None);
    for to in ["+14045550199", "+14045550199", "+442079460999"] {
        market.set_fallback(&owned, Some(&number(to))).await.unwrap();
        assert_eq!(sim.fallback_of(NUMBER).as_deref(), Some(to));
        assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::To(number(to)));
    }
    for _ in 0..2 {
        market.set_fallback(&owned, None).await.unwrap();
        assert_eq!(sim.fallback_of(NUMBER), None);
        assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::None);
    }
    let found = market.find(&owned.number).await.unwrap().unwrap();
    assert_eq!(found, owned, "mark and route are as they were");
}

#[tokio::test]
async fn what_somebody_set_by_hand_is_seen_and_replaced() {
    let (Account { sim, market, .. }, owned) = telnyx().await;
    sim.forward_by_hand(NUMBER, by_hand("+14045550198", "always", true));
    assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::Other);
    sim.forward_by_hand(NUMBER, by_hand("+14045550198", "on-failure", false));
    assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::None);
    let to = number("+14045550199");
    for before in [by_hand("+14045550198", "always", true), by_hand("+14045550198", "on-failure", false)] {
        sim.forward_by_hand(NUMBER, before);
        market.set_fallback(&owned, Some(&to)).await.unwrap();
        assert_eq!(market.fallback(&owned).await.unwrap(), Fallback::To(to.clone()));
    }
}

#[tokio::test]
async fn what_went_wrong_is_told_in_the_carriers_words_and_without_the_number() {
    let (Account { sim, market, .. }, owned) = telnyx().await;
    let to = number("+14045550199");
    sim.fail(Fault::on("PATCH", "/voice").answer(422));
    let error = market.set_fallback(&owned, Some(&to)).await.unwrap_err();
    assert_eq!((error.reason(), error.outcome_unknown()), ("CarrierRefused", false));
    assert!(error.to_string().contains("Simulated"), "{error}");
    assert_eq!(sim.fallback_of(NUMBER), None);
    sim.fail(Fault::on("PATCH", "/voice").cut_after());
    let error = market.set_fallback(&owned, Some(&to)).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(sim.fallback_of(NUMBER).as_deref(), Some(to.as_str()), "it was done all the same");
    sim.fail(Fault::on("GET", "/voice").malformed_after());
    assert_eq!(market.fallback(&owned).await.unwrap_err().reason(), "CarrierProtocol");
    market.release(&owned).await.unwrap();
    let error = market.set_fallback(&owned, Some(&to)).await.unwrap_err();
    assert_eq!(error.reason(), "CarrierRefused", "the number is gone");
    assert!(!error.to_string().contains("404555"), "{error}");
}

#[tokio::test]
async fn carriers_without_it_say_so_and_are_not_asked() {
    for account in accounts().await.into_iter().filter(|account| account.kind != CarrierKind::Telnyx) {
        let kind = account.kind;
        account.found(&search("US", Some("404"), None, None), 1).await;
        let owned = account.buy(NUMBER, &reference(1)).await;
        let before = account.sim.requests().len();
        assert_eq!(account.market.fallback(&owned).await.unwrap_err().reason(), "CarrierByHand", "{kind:?}");
        let set = account.market.set_fallback(&owned, Some(&number("+14045550199"))).await;
        assert_eq!(set.unwrap_err().reason(), "CarrierByHand", "{kind:?}");
        assert_eq!(account.sim.requests().len(), before, "{kind:?}");
    }
}
