//! Search, order, find, route, release.

use voxplane_telephony::NumberMarket as _;
use voxplane_telephony::market::Route;

use super::{accounts, marking, marking_with, number, reference, search};

#[tokio::test]
async fn a_search_finds_what_its_filters_say() {
    for account in accounts().await {
        let kind = account.kind;
        let atlanta = account.found(&search("US", Some("404"), None, None), 50).await;
        assert_eq!(atlanta.len(), 10, "{kind:?}");
        assert!(atlanta.iter().all(|number| number.starts_with("+1404")), "{kind:?}: {atlanta:?}");
        assert_eq!(account.found(&search("US", None, None, Some("NY")), 50).await.len(), 5, "{kind:?}");
        assert_eq!(account.found(&search("US", None, Some("0107"), None), 50).await, ["+14045550107"], "{kind:?}");
        let london = account.found(&search("GB", Some("20"), None, None), 50).await;
        let exact = account.found(&search("GB", Some("20"), Some("0903"), None), 50).await;
        // GoTo Connect sells numbers of North America.
        let expected = if account.marks() { (5, vec!["+442079460903".to_owned()]) } else { (0, Vec::new()) };
        assert_eq!((london.len(), exact), expected, "{kind:?}");
        assert_eq!(account.found(&search("US", Some("404"), None, None), 3).await.len(), 3, "{kind:?}");
        assert_eq!(account.found(&search("US", Some("907"), None, None), 50).await.len(), 0, "{kind:?}");

        let one = account.market.search(&search("US", Some("404"), None, None), 1).await.unwrap().remove(0);
        assert_eq!((one.locality.as_deref(), one.region.as_deref()), (Some("Atlanta"), Some("GA")), "{kind:?}");
    }
}

#[tokio::test]
async fn an_order_buys_one_number_and_marks_it() {
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        assert_eq!(account.market.find(&number("+14045550100")).await.unwrap(), None, "{kind:?}");
        let owned = account.buy("+14045550100", &reference(1)).await;
        assert_eq!(owned.number, number("+14045550100"), "{kind:?}");
        assert!(owned.carries(&reference(1)) == account.marks() && owned.route.is_none(), "{kind:?}: {owned:?}");
        assert_eq!(account.sim.purchases_of("+14045550100"), 1, "{kind:?}");
        assert_eq!((account.sim.purchases().len(), account.requests("POST")), (1, 1), "{kind:?}");

        assert_eq!(account.market.find(&number("+14045550100")).await.unwrap(), Some(owned.clone()), "{kind:?}");
        let marked = account.market.find_by_reference(&reference(1)).await.unwrap();
        assert_eq!(marked, if account.marks() { vec![owned] } else { Vec::new() }, "{kind:?}");
        assert!(account.market.find_by_reference(&reference(2)).await.unwrap().is_empty(), "{kind:?}");
        assert_eq!(account.found(&search("US", Some("404"), None, None), 50).await.len(), 9, "{kind:?}");
    }
}

#[tokio::test]
async fn an_order_is_found_by_its_reference() {
    for account in marking().await {
        let kind = account.kind;
        account.look_around().await;
        assert_eq!(account.market.order_by_reference(&reference(1)).await.unwrap(), None, "{kind:?}");
        account.market.order(&number("+14045550100"), &reference(1)).await.unwrap();
        let found = account.market.order_by_reference(&reference(1)).await.unwrap().unwrap();
        assert_eq!(account.wait(found).await.number, number("+14045550100"), "{kind:?}");
        assert_eq!(account.market.order_by_reference(&reference(2)).await.unwrap(), None, "{kind:?}");
    }
}

#[tokio::test]
async fn a_number_that_somebody_has_is_taken() {
    for account in marking().await {
        let kind = account.kind;
        account.look_around().await;
        account.sim.sell_to_stranger("+14045550101");
        let error = account.market.order(&number("+14045550101"), &reference(1)).await.unwrap_err();
        assert_eq!((error.reason(), error.outcome_unknown()), ("NumberTaken", false), "{kind:?}");
        assert_eq!(account.market.find(&number("+14045550101")).await.unwrap(), None, "{kind:?}");

        account.buy("+14045550100", &reference(1)).await;
        let error = account.market.order(&number("+14045550100"), &reference(1)).await.unwrap_err();
        assert_eq!(error.reason(), "NumberTaken", "{kind:?}: our own is taken as well");
        assert!(account.market.find(&number("+14045550100")).await.unwrap().is_some(), "{kind:?}: but it is ours");
        assert_eq!(account.sim.purchases().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn similar_numbers_are_told_apart() {
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        account.buy("+14045550100", &reference(1)).await;
        assert_eq!(account.market.find(&number("+1404555010")).await.unwrap(), None, "{kind:?}");
        assert_eq!(account.market.find(&number("+4045550100")).await.unwrap(), None, "{kind:?}");
    }
}

#[tokio::test]
async fn long_lists_are_read_to_the_end() {
    for account in marking_with(|setup| setup.page_limit(2)).await {
        let kind = account.kind;
        for line in 100..105 {
            let text = format!("+14045550{line}");
            account.found(&search("US", None, Some(&text[5..]), None), 1).await;
            account.buy(&text, &reference(1)).await;
        }
        assert_eq!(account.market.find_by_reference(&reference(1)).await.unwrap().len(), 5, "{kind:?}");
    }
}

#[tokio::test]
async fn routing_again_changes_nothing() {
    for account in accounts().await {
        let kind = account.kind;
        account.look_around().await;
        let owned = account.buy("+14045550100", &reference(1)).await;
        for _ in 0..2 {
            account.market.route(&owned, &account.route()).await.unwrap();
            let found = account.market.find(&owned.number).await.unwrap().unwrap();
            assert!(
                found.is_routed(&account.route()) && found.carries(&reference(1)) == account.marks(),
                "{kind:?}: {found:?}"
            );
        }
        let elsewhere = Route { connection: "9999".to_owned() };
        let error = account.market.route(&owned, &elsewhere).await.unwrap_err();
        assert_eq!(error.reason(), "CarrierRefused", "{kind:?}");
        let found = account.market.find(&owned.number).await.unwrap().unwrap();
        assert!(found.is_routed(&account.route()), "{kind:?}: what is refused changes nothing");
    }
}

#[tokio::test]
async fn releasing_again_is_fine() {
    for account in marking().await {
        let kind = account.kind;
        account.look_around().await;
        let owned = account.buy("+14045550100", &reference(1)).await;
        account.buy("+14045550101", &reference(2)).await;
        for _ in 0..2 {
            account.market.release(&owned).await.unwrap();
            assert_eq!(account.market.find(&owned.number).await.unwrap(), None, "{kind:?}");
            assert!(account.market.find_by_reference(&reference(1)).await.unwrap().is_empty(), "{kind:?}");
        }
        assert_eq!(account.sim.releases(), ["+14045550100"], "{kind:?}");
        assert_eq!(account.sim.owned().len(), 1, "{kind:?}: no other number is given back");
    }
}
