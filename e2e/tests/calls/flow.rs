//! The promise: a flow leads the caller by key and by voice, decides on what they say, and the ledger has every step.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use voxplane_e2e::{
    caller::EndCause,
    cluster::changed,
    voice,
    world::{CLINIC_NUMBER, World, of_kind},
};

const ASKED: [&str; 3] = [
    "how many patients are coming please press a key",
    "we are open from monday to friday",
    "please ask me a question",
];
const CONFIRM: [&str; 3] = [
    "a visit for three is that right",
    "for more than four patients please write to us",
    "how many patients are coming please press a key",
];
const BOOKED: [&str; 3] = [
    "thank you we will send you a message thank you for calling goodbye",
    "for more than four patients please write to us thank you for calling goodbye",
    "i did not understand that",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_leads_the_caller_and_is_remembered() -> Result<()> {
    let world = World::open().await?;
    let clinic = world.sample("dental-clinic").await?;
    let hotline = world.sample("clinic-hotline").await?;
    let number = of_kind(&clinic, "PhoneNumber");
    world.cluster.apply(&changed(number, |spec| spec["agentRef"]["name"] = "hotline".into())).await?;
    // The API follows its own watch.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let call = hold(&world).await;

    // A mistake that no schema can see is told with the node, and takes nothing from the other agents.
    let agent = of_kind(&hotline, "VoiceAgent");
    let broken = changed(agent, |spec| spec["flow"]["nodes"][0]["greet"]["next"] = "mian".into());
    let broken = world.cluster.apply(&broken).await?;
    let told = world.cluster.wait_condition(&broken, "Accepted", "False", Duration::from_secs(10)).await;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("dental-clinic").await?;
    world.cluster.delete(agent).await?;
    world.cluster.wait_gone(agent, Duration::from_secs(60)).await?;

    let events = call?;
    let payloads = |type_: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["type"] == type_).map(|event| &event["payload"]).collect()
    };
    let way: Vec<_> = payloads("flow.node_entered").iter().map(|payload| payload["node"].clone()).collect();
    let expected = ["hello", "main", "patients", "size", "confirm", "decide", "booked", "end"];
    assert_eq!(json!(way), json!(expected), "{events:#?}");
    let chosen = payloads("flow.node_left").into_iter().find(|left| left["node"] == "main").expect("left the menu");
    assert_eq!((&chosen["outcome"], &chosen["by"], &chosen["choice"]), (&json!("chosen"), &json!("keys"), &json!(1)));
    let values: Vec<_> = payloads("flow.variable_set").iter().map(|set| json!([set["name"], set["value"]])).collect();
    assert_eq!(json!(values), json!([["patients", "3"], ["confirmed", "yes"]]), "{events:#?}");
    let told = told?;
    assert!(
        format!("{:#}", told.data["status"]).contains("there is no node \\\"mian\\\""),
        "{:#}",
        told.data["status"]
    );
    Ok(())
}

/// Holds one call and returns its ledger.
async fn hold(world: &World) -> Result<Vec<Value>> {
    let before = world.rest.call_ids().await?;
    let mut call = world.dial(CLINIC_NUMBER).await?;
    let menu = call.listen(Duration::from_secs(30)).await?;
    assert!(menu.segment.millis() > 4_000, "greeting and menu are spoken");
    call.press('2')?;
    let asked = call.listen(Duration::from_secs(20)).await?;
    assert_eq!(voice::recognise(&asked.samples, &ASKED)?.as_deref(), Some(ASKED[0]));

    call.press('3')?;
    let confirm = call.listen(Duration::from_secs(20)).await?;
    assert_eq!(voice::recognise(&confirm.samples, &CONFIRM)?.as_deref(), Some(CONFIRM[0]));

    call.say("yes please").await?;
    let booked = call.listen(Duration::from_secs(20)).await?;
    assert_eq!(voice::recognise(&booked.samples, &BOOKED)?.as_deref(), Some(BOOKED[0]));
    assert_eq!(call.ended(Duration::from_secs(30)).await?, EndCause::ByFarEnd);

    let id = world.rest.wait_new_call(&before, Duration::from_secs(15)).await?;
    let record = world.rest.wait_ended(&id, Duration::from_secs(30)).await?;
    assert_eq!(record["status"], "completed", "{record:#}");
    world.rest.events(&id).await
}
