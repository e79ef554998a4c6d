//! The promise: an agency that says where its calls go has one outbound trunk in LiveKit, calls over it reach the carrier
//! with its login and the number that a PhoneNumber lets them show, and nothing of it is left when nobody asks for it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use livekit_api::services::SipCallError;
use livekit_protocol::SipOutboundTrunkInfo;
use serde_json::json;
use tokio::time::{Instant, sleep};
use voxplane_e2e::{
    caller::Exchange,
    cluster::{changed, condition_of, id_of},
    livekit::LiveKit,
    market::own_address,
    scratch::{agent, only_the_agency, with_own},
    world::{READY_LIMIT, of_kind},
};

const AGENCY: &str = "e2e-outbound";
const MAIN: &str = "+15559014001";
const DESK: &str = "+15559014002";
/// Nobody has it: no call leaves the machine.
const CALLED: &str = "+15559014900";
/// LiveKit is looked at three times a minute; a slow machine may miss one.
const REPAIR_LIMIT: Duration = Duration::from_secs(120);
/// What needs no pod is seen within a moment, on a busy machine too.
const SOON: Duration = Duration::from_secs(60);

fn manifest(exchange: &Exchange) -> String {
    format!(
        "
{{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {{name: {AGENCY}}}, spec: {{carriers: [
  {{name: main, type: sip, sip: {{allowedAddresses: [192.0.2.10]}}, numbers: [{{pattern: '+1555901400*'}}],
    outbound: {{address: '{address}', authSecretRef: {{name: login}}, headers: [{{name: X-Account, value: '7'}}]}},
    allowedDestinations: ['+1555*']}}]}}}}
---
apiVersion: v1
kind: Secret
type: voxplane.dev/credentials
metadata: {{name: login, namespace: vx-{AGENCY}, labels: {{voxplane.dev/provider: sip}}}}
stringData: {{username: office, password: correct-horse}}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: Tenant, metadata: {{name: shop, namespace: vx-{AGENCY}}}, spec: {{}}}}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: KnowledgeBase, metadata: {{name: faq, namespace: vx-{AGENCY}--shop}}, spec: {{
  sources: [{{name: hours, inline: {{text: We open at nine.}}}}]}}}}
---
{agent}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: PhoneNumber, metadata: {{name: main, namespace: vx-{AGENCY}--shop}},
  spec: {{number: '{MAIN}', carrier: main, agentRef: {{name: clerk}}, outbound: {{enabled: true}}}}}}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: PhoneNumber, metadata: {{name: desk, namespace: vx-{AGENCY}--shop}},
  spec: {{number: '{DESK}', carrier: main, agentRef: {{name: clerk}}}}}}
",
        address = exchange.address(),
        agent = agent(AGENCY),
    )
}

/// Waits until the agency has one outbound trunk that is as it should be.
async fn trunk(
    livekit: &LiveKit,
    agency_id: &str,
    what: &str,
    good: impl Fn(&SipOutboundTrunkInfo) -> bool,
) -> Result<SipOutboundTrunkInfo> {
    let deadline = Instant::now() + REPAIR_LIMIT;
    loop {
        let mut trunks = livekit.outbound_trunks(agency_id).await?;
        if let [one] = trunks.as_slice()
            && good(one)
        {
            return Ok(trunks.remove(0));
        }
        ensure!(Instant::now() < deadline, "{what} is not so after {REPAIR_LIMIT:?}: {trunks:#?}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_out_with_the_agencys_login_and_a_number_that_may_be_shown() -> Result<()> {
    with_own(&only_the_agency(AGENCY), |world| async move {
        let livekit = LiveKit::new(&world.env);
        let here = own_address(&world.env).await?;
        let mut exchange = Exchange::open(here, "office", "correct-horse").await?;
        let objects = world.cluster.apply_text(&manifest(&exchange), READY_LIMIT).await?;
        for object in objects.iter().filter(|object| object.types.as_ref().is_some_and(|types| types.kind != "Secret"))
        {
            world.cluster.wait_condition(object, "Ready", "True", READY_LIMIT).await?;
        }
        // As applied, and as it is now.
        let (agency, main) = (of_kind(&objects, "Agency"), of_kind(&objects, "PhoneNumber"));
        let now = world.cluster.get(agency).await?;
        let id = id_of(&now)?.to_owned();
        let made = trunk(&livekit, &id, "the trunk", |_| true).await?;
        assert_eq!(made.numbers, [MAIN], "the desk shows its number to nobody");
        assert_eq!((made.auth_username.as_str(), made.headers["X-Account"].as_str()), ("office", "7"));
        assert_eq!(now.data["status"]["carriers"][0]["outboundTrunkId"], made.sip_trunk_id, "{:#}", now.data["status"]);
        let told = world.cluster.get(main).await?;
        assert_eq!(told.data["status"]["outbound"], json!({"callerId": MAIN, "trunkId": made.sip_trunk_id}));

        livekit.call(&made.sip_trunk_id, CALLED, "e2e-outbound-1").await.context("the call was not answered")?;
        let arrival = exchange.next(SOON).await?;
        assert_eq!((arrival.from.as_str(), arrival.to.as_str(), arrival.answered), (MAIN, CALLED, true));

        // Somebody sends the calls elsewhere, under another number.
        livekit.divert(&made.sip_trunk_id, "192.0.2.66", DESK).await?;
        let address = exchange.address().to_string();
        trunk(&livekit, &id, "the repaired trunk", |trunk| trunk.address == address && trunk.numbers == [MAIN]).await?;

        // A number of nobody, or of somebody else, may not be shown: which of both is not told.
        let foreign = json!({"enabled": true, "callerId": "+15559014999"});
        world.cluster.apply(&changed(main, |spec| spec["outbound"] = foreign)).await?;
        let told = world.cluster.wait_condition(main, "ResolvedRefs", "False", SOON).await?;
        let refs = condition_of(&told, "ResolvedRefs").context("the condition")?;
        assert_eq!(refs["reason"], "RefNotFound", "{refs:#}");
        world
            .cluster
            .wait_until(agency, "no outbound trunk", SOON, |agency| {
                agency.data["status"]["carriers"][0]["outboundTrunkId"].is_null()
            })
            .await?;
        // One of the same tenant may be.
        let desks = json!({"enabled": true, "callerId": DESK});
        world.cluster.apply(&changed(main, |spec| spec["outbound"] = desks)).await?;
        world.cluster.wait_condition(main, "Ready", "True", SOON).await?;

        // The carrier has another password now: its no reaches whoever places the call.
        let mut strict = Exchange::open(here, "office", "battery-staple").await?;
        let address = strict.address().to_string();
        let moved = changed(agency, |spec| spec["carriers"][0]["outbound"]["address"] = json!(address));
        world.cluster.apply(&moved).await?;
        let made = trunk(&livekit, &id, "the new address", |trunk| trunk.address == address).await?;
        let refused = livekit.call(&made.sip_trunk_id, CALLED, "e2e-outbound-2").await;
        let refused = refused.err().context("a wrong password was accepted")?;
        let arrival = strict.next(SOON).await?;
        assert_eq!((arrival.from.as_str(), arrival.answered), (DESK, false));
        let status = SipCallError::from_error(&refused).and_then(|error| error.sip_status_code());
        assert_eq!(status, Some(403), "{refused:?}");

        world.cluster.apply(&changed(main, |spec| spec["outbound"] = json!({"enabled": false}))).await?;
        let deadline = Instant::now() + SOON;
        while !livekit.outbound_trunks(&id).await?.is_empty() {
            ensure!(Instant::now() < deadline, "nobody may be called any more, but the trunk is still there");
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    })
    .await
}
