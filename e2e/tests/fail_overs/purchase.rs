//! The promise: killing the operator while it orders a number buys neither none nor two.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::DeleteParams};
use tokio::time::{Instant, sleep};
use voxplane_carriers::{
    Simulator,
    fault::{Act, Fault},
};
use voxplane_e2e::{
    market::{Shop, Wish},
    scratch::{only_the_agency, with_own},
    world::{READY_LIMIT, SYSTEM_NAMESPACE, World, of_kind},
};

const WISH: Wish = Wish { agency: "e2e-killed", area: "212", deletion_policy: "Retain" };
const ORDERS: &str = "/IncomingPhoneNumbers";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_while_it_orders_buys_one_number() -> Result<()> {
    with_own(&only_the_agency(WISH.agency), |world| async move {
        let shop = Shop::open(&world.env, WISH, Simulator::twilio()).await?;
        // The order is carried out, and nobody is told.
        shop.carrier.fail(Fault::on("POST", ORDERS).act(Act::HangAfter));
        let objects = world.cluster.apply_text(&shop.manifest(), READY_LIMIT).await?;

        let begun = Instant::now();
        while shop.carrier.purchases().is_empty() {
            ensure!(begun.elapsed() < READY_LIMIT, "nothing was ordered within {READY_LIMIT:?}");
            sleep(Duration::from_millis(20)).await;
        }
        let killed = kill_operator(&world).await?;
        println!("killed {killed} while it waits for the carrier's answer");

        let number = of_kind(&objects, "PhoneNumber");
        world.cluster.wait_condition(number, "Ready", "True", READY_LIMIT).await?;
        let number = world.cluster.get(number).await?;
        println!("Ready {:.1} s after the order", begun.elapsed().as_secs_f64());
        let owned: Vec<_> = shop.carrier.owned().into_iter().map(|owned| owned.number).collect();
        assert_eq!(owned, [number.data["status"]["number"].as_str().unwrap_or_default()]);
        assert_eq!(shop.carrier.purchases().len(), 1, "bought more than once: {:#?}", shop.carrier.purchases());
        Ok(())
    })
    .await
}

/// Kills every operator pod at once, without a chance to finish anything.
async fn kill_operator(world: &World) -> Result<String> {
    let pods = world.pods(SYSTEM_NAMESPACE, "app.kubernetes.io/component=operator").await?;
    ensure!(!pods.is_empty(), "no operator pod");
    let api = Api::<Pod>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    for pod in &pods {
        api.delete(&pod.name_any(), &at_once).await?;
    }
    Ok(pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>().join(", "))
}
