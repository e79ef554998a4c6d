//! Flite.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use voxplane_agent_runtime::providers::tts::{Flite, TtsProvider, TtsRequest};

use crate::{conformance::tts_conforms, speech::VOICES};

fn request(text: &str, voice: &str) -> TtsRequest {
    TtsRequest { text: text.into(), voice: voice.into(), speed: 1.0, language: "en-US".into() }
}

#[tokio::test]
async fn flite_conforms_with_every_voice() {
    let flite = Flite::load().unwrap();
    for voice in VOICES {
        let good = request("Hello, a check-up costs $50 (fifty). We open at 9:30 today!", voice);
        tts_conforms(&flite, &good, &request("Hello.", "nobody")).await;
    }
}

#[tokio::test]
async fn speech_begins_at_once_and_soon() {
    let flite = Flite::load().unwrap();
    let audio = flite.synthesize(request("Our opening hours are from nine to five.", "slt")).await.unwrap();
    assert!(audio.words.unwrap()[0].start_ms <= 30, "leading silence is cut");
    // Measured 20 ms; other tests may be speaking on the same thread.
    assert!(audio.timing.first_audio < Duration::from_secs(2), "{:?}", audio.timing);
    let first = audio.chunks.take(2).try_concat().await.unwrap();
    assert!(first.iter().any(|sample| sample.unsigned_abs() > 1_000), "the first 200 ms are audible");
}

#[tokio::test]
async fn speed_changes_the_length_and_the_marks() {
    let flite = Flite::load().unwrap();
    let text = "We are located at twelve Maple Street.";
    let mut lengths = Vec::new();
    for speed in [0.8, 1.0, 1.25] {
        let audio = flite.synthesize(TtsRequest { speed, ..request(text, "rms") }).await.unwrap();
        let end = audio.words.unwrap().last().unwrap().end_ms;
        let samples = audio.chunks.try_concat().await.unwrap().len();
        assert!(end as usize <= samples / 16 + 20);
        lengths.push(samples);
    }
    assert!(lengths[0] > lengths[1] * 11 / 10 && lengths[1] > lengths[2] * 11 / 10, "{lengths:?}");
    // The speed of one request does not stick to the voice.
    let audio = flite.synthesize(request("We are located at twelve Maple Street", "rms")).await.unwrap();
    let samples = audio.chunks.try_concat().await.unwrap().len();
    assert!(samples.abs_diff(lengths[1]) < 3_200, "{samples} {lengths:?}");
}

#[tokio::test]
async fn a_repeated_text_comes_from_the_cache() {
    let flite = Flite::load().unwrap();
    let text = "This greeting is said to every caller.";
    let first = flite.synthesize(request(text, "awb")).await.unwrap();
    let (words, pcm) = (first.words, first.chunks.try_concat().await.unwrap());
    let second = loop {
        let audio = flite.synthesize(request(text, "awb")).await.unwrap();
        if audio.timing.cached {
            break audio;
        }
        // The phrase is stored right after its last block is sent.
        drop(audio);
        tokio::task::yield_now().await;
    };
    assert_eq!(second.words, words);
    assert_eq!(second.chunks.try_concat().await.unwrap(), pcm);
}

#[tokio::test]
async fn many_calls_speak_at_once() {
    let flite = Flite::load().unwrap();
    let texts: Vec<String> = (0..12).map(|n| format!("This is the sentence of call number {n}.")).collect();
    let lengths = futures::future::join_all(texts.iter().map(|text| async {
        let audio = flite.synthesize(request(text, "slt")).await.unwrap();
        audio.chunks.try_concat().await.unwrap().len()
    }))
    .await;
    assert!(lengths.iter().all(|&length| length > 16_000), "{lengths:?}");
}

#[tokio::test]
async fn bad_requests_name_the_field() {
    let flite = Flite::load().unwrap();
    let table = [
        (request("Hello.", "emma"), "tts.voice: flite has no voice \"emma\"; choose one of slt, rms, awb, kal16"),
        (TtsRequest { speed: 9.0, ..request("Hello.", "slt") }, "tts.speedPercent: 900 is out of range"),
        (TtsRequest { language: "de-DE".into(), ..request("Hello.", "slt") }, "language: flite speaks English only"),
        (request(&"word ".repeat(1000), "slt"), "text: 4999 bytes in one text"),
    ];
    for (request, message) in table {
        let Err(error) = flite.synthesize(request).await else { panic!("accepted; expected {message}") };
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
