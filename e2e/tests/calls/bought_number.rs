//! The promise: a PhoneNumber that says where it wants a number gets one, once, and callers reach the agent on it. Pointed
//! to another agent, it has the next caller reach that one, and neither carrier nor LiveKit hears of it.

use std::time::Duration;

use anyhow::{Context, Result};
use voxplane_carriers::Simulator;
use voxplane_e2e::{
    cluster::{changed, id_of},
    livekit::LiveKit,
    market::{Shop, Wish},
    scratch::{REMOVAL_LIMIT, only_the_agency, with_own},
    world::{READY_LIMIT, of_kind},
};

const WISH: Wish = Wish { agency: "e2e-market", area: "404", deletion_policy: "Release" };
/// Who takes the number over.
const OTHER: &str = "
apiVersion: voxplane.dev/v1alpha1
kind: VoiceAgent
metadata: {name: host, namespace: vx-e2e-market--shop}
spec:
  greeting: {text: Welcome to the Maple Street dental clinic. How can I help you?}
  knowledgeBases: [{name: faq}]
";
/// What needs no pod is seen within a moment, on a busy machine too.
const SOON: Duration = Duration::from_secs(60);
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

        // Another agent takes over, and nothing is in between: nobody but us knows.
        let livekit = LiveKit::new(&world.env);
        let agency = id_of(&world.cluster.get(of_kind(&objects, "Agency")).await?)?.to_owned();
        let (asked, programmed) = (shop.carrier.requests().len(), livekit.connection(&agency).await?);
        let other = world.cluster.apply_ready(OTHER, READY_LIMIT).await?.remove(0);
        let pointed = changed(of_kind(&objects, "PhoneNumber"), |spec| spec["agentRef"]["name"] = "host".into());
        world.cluster.apply(&pointed).await?;
        let id = id_of(&world.cluster.get(&other).await?)?.to_owned();
        world.cluster.wait_until(&number, "the other agent", SOON, |now| now.data["status"]["agentId"] == id).await?;
        let heard = world.first_words(&bought, &GREETINGS).await?;
        assert_eq!(heard.as_deref(), Some(GREETINGS[1]));
        assert_eq!(shop.carrier.requests().len(), asked, "the carrier was asked something");
        assert_eq!(livekit.connection(&agency).await?, programmed, "something was written to LiveKit");

        world.cluster.delete(&number).await?;
        world.cluster.wait_gone(&number, REMOVAL_LIMIT).await?;
        assert_eq!((shop.carrier.releases(), shop.carrier.owned().len()), (vec![bought], 0));
        Ok(())
    })
    .await
}
