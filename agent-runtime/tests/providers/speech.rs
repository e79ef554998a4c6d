//! Test speech: flite's voices, as they are and as a telephone carries them.
#![allow(dead_code, reason = "shared by the tests and the example, which use different parts")]

use futures::TryStreamExt;
use voxplane_agent_runtime::providers::{
    INPUT_RATE,
    tts::{Flite, TtsProvider, TtsRequest},
};
use voxplane_media::resample::Resampler;

/// Voices of different people.
pub const VOICES: [&str; 4] = ["slt", "rms", "awb", "kal16"];

/// A sentence at 16 kHz with 300 ms of silence before and 400 ms after it.
pub async fn say(text: &str, voice: &str) -> Vec<i16> {
    let request = TtsRequest { text: text.into(), voice: voice.into(), speed: 1.0, language: "en-US".into() };
    let audio = Flite::load().unwrap().synthesize(request).await.unwrap();
    assert_eq!(audio.sample_rate, INPUT_RATE, "the voices used here speak at 16 kHz");
    let spoken = audio.chunks.try_concat().await.unwrap();
    [silence(300), spoken, silence(400)].concat()
}

/// Near-silence: a line is never perfectly quiet.
pub fn silence(ms: usize) -> Vec<i16> {
    (0..ms * 16).map(|n| if n % 3 == 0 { 2 } else { -1 }).collect()
}

/// What a G.711 µ-law telephone line leaves of 16 kHz audio, again at 16 kHz.
pub fn telephone(pcm: &[i16]) -> Vec<i16> {
    let mut narrow = convert(pcm, 16_000, 8_000);
    for sample in &mut narrow {
        *sample = mulaw_decode(mulaw_encode(*sample));
    }
    convert(&narrow, 8_000, 16_000)
}

fn convert(pcm: &[i16], from: u32, to: u32) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut converted = resampler.push(pcm);
    converted.extend(resampler.finish());
    converted
}

/// ITU-T G.711, µ-law.
fn mulaw_encode(sample: i16) -> u8 {
    const BIAS: i32 = 132;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + BIAS;
    let exponent = (magnitude.ilog2() as i32 - 7).max(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

fn mulaw_decode(code: u8) -> i16 {
    let code = !code;
    let (exponent, mantissa) = (i32::from(code >> 4 & 7), i32::from(code & 0x0f));
    let magnitude = (((mantissa << 3) + 132) << exponent) - 132;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

/// Word error rate: edit distance in words over the words of the reference.
pub fn word_errors(reference: &str, heard: &str) -> (usize, usize) {
    let reference: Vec<&str> = reference.split_whitespace().collect();
    let heard: Vec<&str> = heard.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in reference.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let substituted = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    (row[heard.len()], reference.len())
}

/// The phrases of the sample clinic's agent, from the file that users apply.
pub fn clinic_phrases() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/samples/dental-clinic/4-voice-agent.yaml");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let agent: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    let phrases = agent["spec"]["stt"]["options"]["phrases"].as_sequence().unwrap();
    phrases.iter().map(|phrase| phrase.as_str().unwrap().to_owned()).collect()
}

/// Sentences that are none of the clinic's phrases, nor near one.
pub const STRANGE: [&str; 12] = [
    "i would like to order a large pizza with mushrooms",
    "the train to boston leaves at seven thirty in the morning",
    "my dog ate the newspaper yesterday",
    "can you tell me about the weather in chicago",
    "please transfer me to your manager right now",
    "hello is anybody there",
    "what is the capital of france",
    "do you sell bicycles",
    "i am not sure what you mean",
    "where is the nearest gas station",
    "can i book a flight to paris",
    "my name is william johnson",
];

/// Words and short turns that are none of the clinic's phrases; some sound like one.
pub const STRANGE_WORDS: [&str; 12] = [
    "hello",
    "maybe tomorrow",
    "excuse me",
    "good morning",
    "pizza",
    "i do not understand",
    "speak louder",
    "never mind",
    "okay",
    "sorry",
    "what",
    "seven thirty",
];
