//! The promises of tenancy on the telephone: tenants never mix, strangers and suspended tenants get a final answer.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use voxplane_e2e::{
    caller::{Call, DialOptions, EndCause},
    voice,
    world::{CLINIC_NUMBER, LAW_NUMBER, World, of_kind},
};

const GREETINGS: [&str; 2] = [
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
    "this is an automated assistant stone and river law office how can i help you",
];

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_in_parallel_never_mix() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    world.sample("law-office").await?;
    let before = world.rest.call_ids().await?;

    let (clinic, law) =
        tokio::join!(world.first_words(CLINIC_NUMBER, &GREETINGS), world.first_words(LAW_NUMBER, &GREETINGS));
    assert_eq!(clinic?.as_deref(), Some(GREETINGS[0]));
    assert_eq!(law?.as_deref(), Some(GREETINGS[1]));

    let mut tenants = Vec::new();
    for id in world.rest.call_ids().await?.into_iter().filter(|id| !before.contains(id)) {
        let record = world.rest.wait_ended(&id, Duration::from_secs(30)).await?;
        let lines = world.transcript(&id).await?;
        let words = lines.iter().map(|(_, text)| voice::spoken_form(text)).collect::<Vec<_>>().join(" ");
        tenants.push((record["tenantId"].clone(), words.contains("dental clinic"), words.contains("law office")));
    }
    let of_clinic = |record: &(serde_json::Value, bool, bool)| record.1;
    let (clinic, law): (Vec<_>, Vec<_>) = tenants.iter().partition(|record| of_clinic(record));
    assert!(!clinic.is_empty() && !law.is_empty(), "{tenants:?}");
    assert!(clinic.iter().all(|call| law.iter().all(|other| call.0 != other.0)), "{tenants:?}");
    assert!(
        tenants.iter().all(|(_, clinic, law)| clinic != law),
        "each transcript has one tenant's words: {tenants:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_nobody_declared_gets_a_final_response() -> Result<()> {
    let world = World::open().await?;
    world.sample("dental-clinic").await?;
    let started = Instant::now();
    let mut call = Call::dial(DialOptions::to(world.env.sip_uri("+15550199"))).await?;
    let cause = call.ended(Duration::from_secs(30)).await?;
    println!("a stranger was refused after {:?}: {cause:?}", started.elapsed());
    assert!(matches!(cause, EndCause::Refused(400..)), "{cause:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_never_dead_air() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("law-office").await?;
    let tenant = of_kind(&objects, "Tenant");
    let mut suspended = tenant.clone();
    suspended.metadata.managed_fields = None;
    suspended.metadata.resource_version = None;
    suspended.data["spec"]["suspended"] = true.into();
    world.cluster.apply(&suspended).await?;
    // The promise is one second; the caller may dial then.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let started = Instant::now();
    let mut call = Call::dial(DialOptions::to(world.env.sip_uri(LAW_NUMBER))).await?;
    let outcome = match call.answered(Duration::from_secs(10)).await {
        Ok(()) => {
            // Spoken: something must be heard at once, and then the line drops.
            let mut heard = None;
            while heard.is_none() && started.elapsed() < Duration::from_secs(10) {
                tokio::time::sleep(Duration::from_millis(50)).await;
                heard = voxplane_e2e::heard::segments(&call.recording().heard).first().copied();
            }
            let first = heard.map(|segment| segment.start * 1000 / voxplane_e2e::heard::RATE);
            let cause = call.ended(Duration::from_secs(20)).await?;
            println!("refused in words {first:?} ms after the answer, then {cause:?}");
            first.is_some_and(|ms| ms < 2_000)
        }
        Err(refusal) => {
            println!("refused by SIP after {:?}: {refusal:#}", started.elapsed());
            started.elapsed() < Duration::from_secs(2)
        }
    };
    // Resume before asserting: other tests dial the law office.
    world.sample("law-office").await?;
    assert!(outcome, "neither words nor a final response within two seconds");
    Ok(())
}
