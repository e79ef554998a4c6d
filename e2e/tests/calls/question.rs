//! The promise: dial the number, hear the greeting, ask, hear the answer, say goodbye, read the transcript.

use std::time::Duration;

use anyhow::Result;
use voxplane_e2e::{
    caller::EndCause,
    heard, voice,
    world::{CLINIC_NUMBER, World, of_kind},
};

const GREETINGS: [&str; 3] = [
    "this is an automated assistant welcome to the maple street dental clinic how can i help you",
    "this is an automated assistant stone and river law office how can i help you",
    "a check up costs fifty dollars",
];
const ANSWERS: [&str; 4] = [
    "our opening hours are monday to friday from nine in the morning to five in the afternoon",
    "a check up costs fifty dollars",
    "we are located at twelve maple street",
    "i am sorry i do not know that",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_asks_and_is_answered() -> Result<()> {
    let world = World::open().await?;
    let objects = world.sample("dental-clinic").await?;
    let before = world.rest.call_ids().await?;

    let mut call = world.dial(CLINIC_NUMBER).await?;
    let greeting = call.listen(Duration::from_secs(15)).await?;
    assert_eq!(voice::recognise(&greeting.samples, &GREETINGS)?.as_deref(), Some(GREETINGS[0]));

    call.say("what are your opening hours").await?;
    let answer = call.listen(Duration::from_secs(20)).await?;
    assert_eq!(voice::recognise(&answer.samples, &ANSWERS)?.as_deref(), Some(ANSWERS[0]));

    call.say("goodbye").await?;
    let farewell = call.listen(Duration::from_secs(20)).await?;
    assert!(farewell.segment.millis() > 300, "a farewell is spoken before the line drops");
    assert_eq!(call.ended(Duration::from_secs(30)).await?, EndCause::ByFarEnd);

    let recording = call.recording();
    println!(
        "as heard by the caller, last word to first word, ms: {:?}",
        heard::response_times(&recording.spoken, &recording.heard)
    );

    let id = world.rest.wait_new_call(&before, Duration::from_secs(15)).await?;
    let record = world.rest.wait_ended(&id, Duration::from_secs(30)).await?;
    assert_eq!(record["status"], "completed", "{record:#}");

    let transcript = world.transcript(&id).await?;
    let said: Vec<_> = transcript.iter().map(|(role, text)| (role.as_str(), voice::spoken_form(text))).collect();
    assert!(
        said.iter().any(|(role, text)| *role == "assistant" && text.contains("maple street dental clinic")),
        "{said:?}"
    );
    assert!(said.iter().any(|(role, text)| *role == "user" && text == "what are your opening hours"), "{said:?}");
    assert!(said.iter().any(|(role, text)| *role == "assistant" && text.contains("monday to friday")), "{said:?}");

    let events = world.rest.events(&id).await?;
    let turn = events.iter().find(|event| event["type"] == "turn.completed").expect("a completed turn in the ledger");
    let latency = &turn["payload"]["latency"];
    println!("stages measured by the runtime: {latency}");
    for stage in ["end_of_turn_ms", "stt_ms", "llm_first_token_ms", "tts_first_audio_ms", "total_ms"] {
        assert!(latency[stage].is_number(), "stage {stage} is missing in {latency}");
    }

    let agent = world.cluster.get(of_kind(&objects, "VoiceAgent")).await?;
    assert!(agent.data["status"]["id"].is_string(), "kubectl shows the agent's id: {:#}", agent.data["status"]);
    Ok(())
}
