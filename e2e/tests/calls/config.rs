//! The promise: `kubectl apply` changes what the next caller hears, and no pod restarts for it.

use std::time::Duration;

use anyhow::Result;
use voxplane_e2e::{
    cluster::changed,
    world::{CLINIC_NAMESPACE, CLINIC_NUMBER, World, of_kind},
};

const GREETINGS: [&str; 2] = [
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
    "this is an automated assistant good morning this is the new greeting",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_new_greeting_is_heard_without_a_restart() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let original = of_kind(&objects, "VoiceAgent");
    let pods_before = world.incarnations(CLINIC_NAMESPACE).await?;

    let text = "Good morning, this is the new greeting.";
    let edited = world.cluster.apply(&changed(original, |spec| spec["greeting"]["text"] = text.into())).await?;
    world.cluster.wait_condition(&edited, "Ready", "True", Duration::from_secs(30)).await?;

    let heard = world.first_words(CLINIC_NUMBER, &GREETINGS).await?;
    // Back to the sample before anything is asserted, so that other tests find it as they expect.
    world.sample("dental-clinic").await?;

    assert_eq!(heard.as_deref(), Some(GREETINGS[1]));
    assert_eq!(world.incarnations(CLINIC_NAMESPACE).await?, pods_before);
    Ok(())
}
