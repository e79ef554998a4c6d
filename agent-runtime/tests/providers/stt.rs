//! Pocketsphinx on flite's voices through a telephone line.

use std::time::{Duration, Instant};

use futures::StreamExt;
use voxplane_agent_runtime::providers::{
    ProviderError,
    stt::{Pocketsphinx, SttEvent, SttProvider},
};
use voxplane_control::v1::SttConfig;

use crate::{
    conformance::{PATIENCE, next_final, stt_conforms, utter},
    speech::{STRANGE, clinic_phrases, say, telephone},
};

fn config(phrases: &[String]) -> SttConfig {
    SttConfig { provider: "pocketsphinx".into(), phrases: phrases.to_vec(), ..Default::default() }
}

async fn recognise(provider: &Pocketsphinx, phrases: &[String], pcm: &[i16]) -> (String, f32) {
    let mut stream = provider.open(&config(phrases)).await.unwrap();
    utter(&mut stream, pcm, 0);
    let (transcript, confidence, _) = next_final(&mut stream).await;
    (transcript.text, confidence)
}

#[tokio::test]
async fn pocketsphinx_conforms() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let spoken = telephone(&say("what are your opening hours", "rms").await);
    stt_conforms(&provider, &config(&phrases), &spoken, "what are your opening hours").await;
}

/// Every utterance is the first of its call, which is the hardest.
///
/// What excites flite's voices is noise that goes on from text to text, so the same words never sound quite the same:
/// one "thank you goodbye" in sixteen is not understood. Callers say it again, and so does this; few may have to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_phrase_of_the_clinic_is_understood_on_a_telephone() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let (mut repeated, mut wrong) = (Vec::new(), Vec::new());
    for voice in ["slt", "rms"] {
        for phrase in &phrases {
            let mut heard = Vec::new();
            // The same words for the voice, and another text for its cache.
            for said in [phrase.clone(), format!("{phrase}."), format!("{phrase}!")] {
                let (text, confidence) = recognise(&provider, &phrases, &telephone(&say(&said, voice).await)).await;
                if text == *phrase {
                    break;
                }
                heard.push(format!("{voice}: {phrase:?} understood as {text:?} ({confidence})"));
            }
            match heard.len() {
                0 => {}
                3 => wrong.extend(heard),
                _ => repeated.extend(heard),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(repeated.len() <= phrases.len() / 4, "too many had to be said again: {repeated:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_speech_is_not_taken_for_a_phrase() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let mut taken = Vec::new();
    for voice in ["slt", "rms"] {
        for sentence in STRANGE {
            let (text, confidence) = recognise(&provider, &phrases, &telephone(&say(sentence, voice).await)).await;
            if !text.is_empty() {
                taken.push(format!("{voice}: {sentence:?} taken for {text:?} ({confidence})"));
            } else {
                assert_eq!(confidence, 0.0);
            }
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
}

#[tokio::test]
async fn a_hesitation_before_a_phrase_is_left_out() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let (text, _) = recognise(&provider, &phrases, &say("um, do you treat emergencies", "slt").await).await;
    assert_eq!(text, "do you treat emergencies");
}

/// In real time: partial results come while the caller speaks, and the final one soon after the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_results_come_while_the_caller_speaks() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let spoken = telephone(&say("what are your opening hours", "slt").await);
    let mut stream = provider.open(&config(&phrases)).await.unwrap();
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    let mut partials = Vec::new();
    for (n, block) in spoken.chunks(320).enumerate() {
        tokio::select! {
            _ = clock.tick() => {}
            Some(event) = stream.events.next() => match event {
                SttEvent::Partial(partial) => { partials.push(partial.text); clock.tick().await; }
                other => panic!("{other:?} before the end"),
            }
        }
        stream.input.push(block, n as i64 * 20_000).unwrap();
        if n == 25 {
            stream.input.speech_started(250_000);
        }
    }
    let words = partials.iter().map(|text| text.split_whitespace().count()).max();
    assert!(words >= Some(2), "two words are known before the end: {partials:?}");
    let ended = Instant::now();
    stream.input.speech_ended(spoken.len() as i64 * 1000 / 16 - 350_000);
    let (transcript, ..) = next_final(&mut stream).await;
    assert_eq!(transcript.text, "what are your opening hours");
    assert!(ended.elapsed() < Duration::from_secs(2), "{:?}", ended.elapsed());
}

/// The silence that ends an utterance is used: when it is over, the final result is at hand. A pause inside the
/// utterance changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_gets_ahead_of_the_final_result() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let spoken = telephone(&say("what are your opening hours", "slt").await);
    let end_us = spoken.len() as i64 * 1000 / 16 - 350_000;
    for (paused_us, is_ahead) in [(end_us, true), (700_000, false)] {
        let mut stream = provider.open(&config(&phrases)).await.unwrap();
        for (n, block) in spoken.chunks(320).enumerate() {
            stream.input.push(block, n as i64 * 20_000).unwrap();
            if n == 30 {
                stream.input.speech_started(250_000);
            }
        }
        stream.input.speech_paused(paused_us);
        tokio::time::sleep(Duration::from_secs(2)).await;
        stream.input.speech_ended(end_us);
        let (text, timing) = loop {
            match tokio::time::timeout(PATIENCE, stream.events.next()).await.unwrap().unwrap() {
                SttEvent::Final { transcript, timing, .. } => break (transcript.text, timing),
                SttEvent::Partial(_) => {}
                SttEvent::Failed(error) => panic!("{error}"),
            }
        };
        assert_eq!(text, "what are your opening hours");
        assert_eq!(timing.finalise < timing.decode, is_ahead, "paused at {paused_us}: {timing:?}");
    }
}

/// A caller whose packets stop is answered all the same.
#[tokio::test]
async fn an_utterance_ends_without_further_audio() {
    let provider = Pocketsphinx::load().unwrap();
    let phrases = clinic_phrases();
    let spoken = say("do you treat children", "slt").await;
    let spoken = &spoken[..spoken.len() - 6_000];
    let mut stream = provider.open(&config(&phrases)).await.unwrap();
    for (n, block) in spoken.chunks(320).enumerate() {
        stream.input.push(block, n as i64 * 20_000).unwrap();
    }
    stream.input.speech_started(250_000);
    stream.input.speech_ended(spoken.len() as i64 * 1000 / 16);
    assert_eq!(next_final(&mut stream).await.0.text, "do you treat children");
}

#[tokio::test]
async fn what_cannot_be_recognised_is_refused_at_the_start() {
    let provider = Pocketsphinx::load().unwrap();
    let refused = async |config: SttConfig| match provider.open(&config).await {
        Err(error @ ProviderError::Config { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    let message = refused(config(&["do you sell zyxwv".to_owned()])).await;
    assert!(message.starts_with("stt.options.phrases[0]: ") && message.contains("\"zyxwv\""), "{message}");
    let message = refused(SttConfig { model: "de-de".into(), ..config(&clinic_phrases()) }).await;
    assert!(message.starts_with("stt.model: "), "{message}");
}

#[tokio::test]
async fn without_phrases_the_language_model_takes_dictation() {
    let provider = Pocketsphinx::load().unwrap();
    let mut stream = provider.open(&config(&[])).await.unwrap();
    utter(&mut stream, &say("what time is it", "rms").await, 0);
    let (transcript, ..) = next_final(&mut stream).await;
    assert!(transcript.text.contains("time"), "{}", transcript.text);
}

#[test]
fn a_missing_model_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let Err(error) = Pocketsphinx::load_from(directory.path()) else { panic!("loaded") };
    assert!(error.to_string().contains("en-us/mdef"), "{error}");
}

#[tokio::test]
async fn calls_are_independent() {
    let provider = Pocketsphinx::load().unwrap();
    let clinic = clinic_phrases();
    let shop = vec!["do you sell bicycles".to_owned(), "goodbye".to_owned()];
    let spoken = say("do you sell bicycles", "slt").await;
    let both = async { tokio::join!(recognise(&provider, &clinic, &spoken), recognise(&provider, &shop, &spoken)) };
    let ((clinic, _), (shop, _)) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!((clinic.as_str(), shop.as_str()), ("", "do you sell bicycles"));
}
