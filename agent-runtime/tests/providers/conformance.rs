//! What every provider of a stage promises, whoever made it. A new provider calls these from its own tests.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use voxplane_agent_runtime::providers::{
    ProviderError,
    llm::{LlmEvent, LlmProvider, LlmRequest},
    stt::{SttEvent, SttProvider, SttStream, Transcript},
    tts::{TtsProvider, TtsRequest},
};
use voxplane_control::v1::SttConfig;

/// Nothing in these tests takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// 20 ms at 16 kHz.
const BLOCK: usize = 320;

/// Pushes a recording that starts at `at_us` in blocks of 20 ms and marks all of it as one utterance, silence of 300
/// and 400 ms around it excepted.
pub fn utter(stream: &mut SttStream, pcm: &[i16], at_us: i64) {
    let length_us = pcm.len() as i64 * 1_000_000 / 16_000;
    let started_us = at_us + 250_000;
    for (n, block) in pcm.chunks(BLOCK).enumerate() {
        let now = at_us + n as i64 * 20_000;
        stream.input.push(block, now).unwrap();
        // As a voice detector would: late, dated back.
        if now == at_us + 600_000 {
            stream.input.speech_started(started_us);
        }
    }
    stream.input.speech_ended(at_us + length_us - 350_000);
}

/// The next final result, with the partial ones before it.
pub async fn next_final(stream: &mut SttStream) -> (Transcript, f32, Vec<String>) {
    let mut partials = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.events.next()).await.expect("a final result in time");
        match event.expect("a final result before the end") {
            SttEvent::Partial(partial) => {
                assert!(!partial.text.is_empty(), "a partial result has text");
                partials.push(partial.text);
            }
            SttEvent::Final { transcript, confidence, timing } => {
                assert!((0.0..=1.0).contains(&confidence));
                assert!(transcript.end_us > transcript.start_us);
                assert!(timing.finalise < PATIENCE && timing.audio > Duration::ZERO);
                return (transcript, confidence, partials);
            }
            SttEvent::Failed(error) => panic!("{error}"),
        }
    }
}

/// `spoken` must be understood as `text`.
pub async fn stt_conforms(provider: &dyn SttProvider, config: &SttConfig, spoken: &[i16], text: &str) {
    let mut stream = provider.open(config).await.unwrap();
    // Utterances are independent and lie on the call's clock.
    for (turn, start_us) in [(1, 40_000), (2, 30_000_000)] {
        utter(&mut stream, spoken, start_us);
        let (transcript, ..) = next_final(&mut stream).await;
        assert_eq!(transcript.text, text, "turn {turn}");
        assert_eq!(transcript.start_us, start_us + 250_000);
    }
    // An end without a start means nothing.
    stream.input.speech_ended(40_000_000);
    // Dropping the input ends the events.
    let SttStream { input, mut events } = stream;
    drop(input);
    let rest = tokio::time::timeout(PATIENCE, events.next()).await.expect("the events end");
    assert!(rest.is_none(), "{rest:?}");
    // Dropping the events ends the recogniser, which the input notices.
    let SttStream { mut input, events } = provider.open(config).await.unwrap();
    drop(events);
    let deadline = Instant::now() + PATIENCE;
    while input.push(&[0; BLOCK], 0).is_ok() {
        assert!(Instant::now() < deadline, "the input never noticed");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// `request` must be spoken; `bad` has an unknown voice.
pub async fn tts_conforms(provider: &dyn TtsProvider, request: &TtsRequest, bad: &TtsRequest) {
    let audio = provider.synthesize(request.clone()).await.unwrap();
    assert!(audio.sample_rate >= 8_000);
    assert!(audio.timing.first_audio >= audio.timing.queued);
    let (rate, duration, words) = (audio.sample_rate, audio.duration, audio.words);
    let pcm = audio.chunks.try_concat().await.unwrap();
    let length = Duration::from_secs_f64(pcm.len() as f64 / f64::from(rate));
    let loudest = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    assert!(loudest > 3_000, "speech is audible, {loudest}");
    if let Some(duration) = duration {
        let error = duration.abs_diff(length);
        assert!(error < length / 20, "{duration:?} was promised, {length:?} came");
    }
    if let Some(words) = words {
        let said: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(said.join(" "), request.text, "the marks cover the text");
        assert!(words.iter().all(|word| word.start_ms < word.end_ms));
        assert!(words.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
        assert!(u128::from(words.last().unwrap().end_ms) <= length.as_millis() * 21 / 20);
    }
    // Markup alone is nothing to say.
    let silent = provider.synthesize(TtsRequest { text: "** …".into(), ..request.clone() }).await.unwrap();
    assert!(silent.chunks.try_concat().await.unwrap().is_empty());
    // A cancelled request, before or after its first audio, leaves the provider usable at once.
    for n in 0..20 {
        let text = format!("{} Again, for the {n}th time, and at some length, so that it takes a while.", request.text);
        let cancelled = provider.synthesize(TtsRequest { text, ..request.clone() });
        if n % 2 == 0 {
            drop(cancelled);
        } else {
            drop(cancelled.await.unwrap());
        }
    }
    let again = tokio::time::timeout(PATIENCE, provider.synthesize(request.clone())).await.unwrap().unwrap();
    assert_eq!(again.chunks.try_concat().await.unwrap(), pcm, "the same text sounds the same");
    let Err(error) = provider.synthesize(bad.clone()).await else { panic!("an unknown voice is accepted") };
    assert!(error.is_fatal() && matches!(error, ProviderError::Config { .. }), "{error}");
}

/// Text first, then perhaps calls of tools and usage, then done, then nothing. Returns the text.
pub async fn llm_conforms(provider: &dyn LlmProvider, request: &LlmRequest) -> String {
    let mut stream = provider.stream(request.clone()).await.unwrap();
    let mut text = String::new();
    let mut done = None;
    while let Some(event) = tokio::time::timeout(PATIENCE, stream.next()).await.expect("the answer ends") {
        assert!(done.is_none(), "nothing comes after the end");
        match event.unwrap() {
            LlmEvent::Text(piece) => {
                assert!(!piece.is_empty());
                text.push_str(&piece);
            }
            LlmEvent::Writing => {}
            LlmEvent::ToolCalls(calls) => {
                assert!(request.may_call && !calls.is_empty(), "tools are called only by those who may");
                for call in calls {
                    assert!(!call.id.is_empty() && request.tools.iter().any(|tool| tool.name == call.name));
                }
            }
            LlmEvent::Usage(usage) => assert!(usage.output > 0),
            LlmEvent::Done(timing) => {
                assert!(timing.first_token.unwrap() <= timing.total);
                done = Some(timing);
            }
        }
    }
    assert!(done.is_some(), "an answer ends with Done");
    // Cancelling at any time is allowed.
    drop(provider.stream(request.clone()));
    drop(provider.stream(request.clone()).await.unwrap());
    text
}
