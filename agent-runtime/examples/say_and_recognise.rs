//! Measures speech recognition and synthesis on this machine: `cargo run -p voxplane-agent-runtime --example
//! say_and_recognise [phrases.txt]`. Every phrase is spoken by flite's voices and recognised as the first utterance
//! of a new call, at 16 kHz and through an 8 kHz µ-law line; sentences outside the phrases must be rejected.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a measuring tool for a terminal")]

#[path = "../tests/providers/speech.rs"]
mod speech;

use std::time::Duration;

use futures::StreamExt;
use voxplane_agent_runtime::providers::{
    stt::{Pocketsphinx, SttEvent, SttProvider},
    tts::{Flite, TtsProvider, TtsRequest},
};
use voxplane_control::v1::SttConfig;

/// Sums over many utterances.
#[derive(Default)]
struct Sum {
    utterances: u32,
    wrong: u32,
    words: usize,
    word_errors: usize,
    rejected: u32,
    confidence: f32,
    audio: Duration,
    finalise: Duration,
    longest: Duration,
    /// What the last utterance was understood as, when that was wrong.
    last_mistake: Option<String>,
}

#[tokio::main]
async fn main() {
    let phrases = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect(),
        None => speech::clinic_phrases(),
    };
    let provider = Pocketsphinx::load().unwrap();
    let config = SttConfig { provider: "pocketsphinx".into(), phrases: phrases.clone(), ..Default::default() };
    println!(
        "{} phrases; {} sentences and {} words outside\n",
        phrases.len(),
        speech::STRANGE.len(),
        speech::STRANGE_WORDS.len()
    );
    println!("voice line       said     wrong  WER %  rejected  mean conf.  final ms mean/max  RTF");
    let mut mistakes = Vec::new();
    for voice in speech::VOICES {
        for line in ["16 kHz", "8 kHz µ-law"] {
            let kinds = [
                ("phrases", phrases.clone()),
                ("outside", speech::STRANGE.map(String::from).to_vec()),
                ("words", speech::STRANGE_WORDS.map(String::from).to_vec()),
            ];
            for (kind, sentences) in kinds {
                let mut sum = Sum::default();
                for sentence in &sentences {
                    let spoken = speech::say(sentence, voice).await;
                    let spoken = if line == "16 kHz" { spoken } else { speech::telephone(&spoken) };
                    let expected = if kind == "phrases" { sentence } else { "" };
                    measure(&provider, &config, &spoken, expected, &mut sum).await;
                    if let Some(wrong) = sum.last_mistake.take() {
                        mistakes.push(format!("{voice} {line}: {sentence:?} understood as {wrong}"));
                    }
                }
                print(voice, line, kind, &sum);
            }
        }
    }
    println!();
    for mistake in mistakes {
        println!("{mistake}");
    }
    println!();
    memory(&provider, &config).await;
    synthesis().await;
}

/// Resident memory of one more call's recogniser.
async fn memory(provider: &Pocketsphinx, config: &SttConfig) {
    const CALLS: u64 = 8;
    let before = resident();
    let mut streams = Vec::new();
    for _ in 0..CALLS {
        streams.push(provider.open(config).await.unwrap());
    }
    println!("memory per call: {} kB\n", resident().saturating_sub(before) / CALLS);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

async fn measure(provider: &Pocketsphinx, config: &SttConfig, spoken: &[i16], expected: &str, sum: &mut Sum) {
    let mut stream = provider.open(config).await.unwrap();
    for (n, block) in spoken.chunks(320).enumerate() {
        while stream.input.push(block, n as i64 * 20_000).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if n == 30 {
            stream.input.speech_started(250_000);
        }
    }
    stream.input.speech_ended(spoken.len() as i64 * 1000 / 16 - 350_000);
    while let Some(event) = stream.events.next().await {
        if let SttEvent::Final { transcript, confidence, timing } = event {
            let (errors, words) = speech::word_errors(expected, &transcript.text);
            sum.utterances += 1;
            if transcript.text != expected {
                sum.wrong += 1;
                sum.last_mistake = Some(format!("{:?} ({confidence:.2})", transcript.text));
            }
            sum.word_errors += errors;
            sum.words += words;
            sum.rejected += u32::from(transcript.text.is_empty());
            sum.confidence += confidence;
            sum.audio += timing.audio;
            sum.finalise += timing.decode;
            sum.longest = sum.longest.max(timing.decode);
            return;
        }
    }
}

fn print(voice: &str, line: &str, kind: &str, sum: &Sum) {
    let rate = if sum.words == 0 { 0.0 } else { sum.word_errors as f64 * 100.0 / sum.words as f64 };
    println!(
        "{voice:<5} {line:<10} {kind:<8} {:>2}/{:<3} {rate:>5.1}  {:>8}  {:>10.2}  {:>8} / {:<6}  {:.3}",
        sum.wrong,
        sum.utterances,
        sum.rejected,
        sum.confidence / sum.utterances as f32,
        (sum.finalise / sum.utterances).as_millis(),
        sum.longest.as_millis(),
        sum.finalise.as_secs_f64() / sum.audio.as_secs_f64(),
    );
}

async fn synthesis() {
    println!("voice  first audio ms  all ms  audio ms");
    let flite = Flite::load().unwrap();
    for voice in speech::VOICES {
        let text = "Our opening hours are Monday to Friday from nine in the morning to five in the afternoon.";
        let request = TtsRequest { text: text.into(), voice: voice.into(), speed: 1.0, language: "en-US".into() };
        let began = std::time::Instant::now();
        let audio = flite.synthesize(request).await.unwrap();
        let first = audio.timing.first_audio;
        let samples: usize =
            audio.chunks.map(|chunk| chunk.unwrap().len()).fold(0, |sum, n| async move { sum + n }).await;
        let length = samples * 1000 / audio.sample_rate as usize;
        println!("{voice:<6} {:>14} {:>7} {length:>9}", first.as_millis(), began.elapsed().as_millis());
    }
}
