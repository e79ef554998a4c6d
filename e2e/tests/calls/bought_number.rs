//! The promise: a PhoneNumber that says where it wants a number gets one, once, and callers reach the agent on it.

use anyhow::{Context, Result};
use voxplane_carriers::Simulator;
use voxplane_e2e::{
    market::{Shop, Wish},
    scratch::{REMOVAL_LIMIT, only_the_agency, with_own},
    world::{READY_LIMIT, of_kind},
};

const WISH: Wish = Wish { agency: "e2e-market", area: "404", deletion_policy: "Release" };
const GREETINGS: [&str; 2] = [
    "this is an automated assistant hello how can i help you",
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_bought_called_and_given_back() -> Result<()> {
    with_own(&only_the_agency(WISH.agency), |world| async move {
        // An order that takes its time, as Telnyx's do.
        let shop = Shop::open(&world.env, WISH, Simulator::telnyx().pending_polls(2)).await?;
        let objects = world.cluster.apply_text(&shop.manifest(), READY_LIMIT).await?;
        let number = of_kind(&objects, "PhoneNumber");
        let number = world.cluster.wait_condition(number, "Ready", "True", READY_LIMIT).await?;
        let bought = number.data["status"]["number"].as_str().context("status.number")?.to_owned();
        assert!(bought.starts_with("+1404"), "{bought}");
        assert_eq!(number.data["status"]["order"]["state"], "Routed", "{:#}", number.data["status"]);
        let numbers: Vec<_> = shop.carrier.owned().into_iter().map(|owned| owned.number).collect();
        assert_eq!((numbers, shop.carrier.purchases().len()), (vec![bought.clone()], 1));

        let heard = world.first_words(&bought, &GREETINGS).await?;
        assert_eq!(heard.as_deref(), Some(GREETINGS[0]));

        world.cluster.delete(&number).await?;
        world.cluster.wait_gone(&number, REMOVAL_LIMIT).await?;
        assert_eq!((shop.carrier.releases(), shop.carrier.owned().len()), (vec![bought], 0));
        Ok(())
    })
    .await
}
