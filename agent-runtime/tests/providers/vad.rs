//! Silero on speech, noise, tones and silence.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Instant,
};

use voxplane_agent_runtime::providers::{
    Registry,
    vad::{SileroModel, SpeechDetector, SpeechEvent, WINDOW},
};
use voxplane_control::v1::VadConfig;

use crate::speech::{VOICES, say, silence, telephone};

fn model() -> Arc<SileroModel> {
    static MODEL: OnceLock<Arc<SileroModel>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let directory = std::env::var_os("VOXPLANE_MODELS_DIR")
                .expect("set VOXPLANE_MODELS_DIR to a directory with libonnxruntime.so and silero_vad.onnx");
            SileroModel::load(&PathBuf::from(directory)).unwrap()
        })
        .clone()
}

fn config() -> VadConfig {
    VadConfig { threshold: 0.5, min_speech_ms: 250, min_silence_ms: 350, prefix_padding_ms: 100 }
}

/// Speech events of a recording, positions in milliseconds.
fn events(pcm: &[i16]) -> Vec<(bool, u64, u64)> {
    let mut vad = model().open();
    let mut detector = SpeechDetector::new(&config());
    let mut found = Vec::new();
    for block in pcm.chunks(320) {
        for frame in vad.push(block).unwrap() {
            found.extend(detector.push(frame).map(|event| match event {
                SpeechEvent::Started { at, decided } => (true, at / 16, decided / 16),
                SpeechEvent::Ended { at, decided } => (false, at / 16, decided / 16),
            }));
        }
    }
    found
}

/// Seeded white noise of an amplitude.
fn noise(ms: usize, amplitude: i32) -> Vec<i16> {
    let mut state = 0x2545_f491_u32;
    (0..ms * 16)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            ((state >> 16) as i32 % (2 * amplitude + 1) - amplitude) as i16
        })
        .collect()
}

fn tone(ms: usize, hertz: f32) -> Vec<i16> {
    (0..ms * 16).map(|n| ((n as f32 * hertz * std::f32::consts::TAU / 16_000.0).sin() * 8_000.0) as i16).collect()
}

#[tokio::test]
async fn one_sentence_is_one_stretch_of_speech() {
    for voice in VOICES {
        let spoken = say("what are your opening hours", voice).await;
        for (line, pcm) in [("wide", spoken.clone()), ("telephone", telephone(&spoken))] {
            let pcm = [silence(1000), pcm, silence(1000)].concat();
            let found = events(&pcm);
            assert_eq!(found.len(), 2, "{voice} {line}: {found:?}");
            let ((_, start, decided), (_, end, _)) = (found[0], found[1]);
            // Speech begins at about 1330 ms; the detector dates it back by its padding.
            assert!((1_100..1_500).contains(&start), "{voice} {line}: {found:?}");
            assert!(decided - start <= 500, "{voice} {line}: {found:?}");
            let last = pcm.len() as u64 / 16 - 1_400;
            assert!(end.abs_diff(last) < 350, "{voice} {line}: ends at {last}: {found:?}");
        }
    }
}

#[tokio::test]
async fn two_sentences_with_a_pause_are_two() {
    let one = say("thank you goodbye", "rms").await;
    let pcm = [silence(500), one.clone(), silence(800), one, silence(800)].concat();
    assert_eq!(events(&pcm).len(), 4);
}

#[test]
fn silence_noise_and_tones_are_not_speech() {
    for (name, pcm) in [
        ("zeros", vec![0; 160_000]),
        ("near silence", silence(10_000)),
        ("quiet noise", noise(10_000, 300)),
        ("loud noise", noise(10_000, 8_000)),
        ("dial tone", tone(10_000, 425.0)),
        ("whistle", tone(10_000, 1_500.0)),
    ] {
        assert_eq!(events(&pcm), [], "{name}");
    }
}

#[tokio::test]
async fn speech_over_noise_is_found() {
    let spoken = say("do you treat emergencies", "rms").await;
    let background = noise(spoken.len() / 16 + 1, 300);
    let mixed: Vec<i16> = spoken.iter().zip(background).map(|(a, b)| a.saturating_add(b)).collect();
    let found = events(&[noise(1000, 300), mixed, noise(1000, 300)].concat());
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test]
async fn block_sizes_do_not_matter_and_calls_do_not_mix() {
    let pcm = say("where are you located", "slt").await;
    let run = |size: usize| {
        let mut vad = model().open();
        pcm.chunks(size).flat_map(|block| vad.push(block).unwrap()).collect::<Vec<_>>()
    };
    let reference = run(WINDOW);
    assert_eq!(reference.len(), pcm.len() / WINDOW);
    assert_eq!(reference.last().unwrap().end_sample, (pcm.len() / WINDOW * WINDOW) as u64);
    assert_eq!(run(1_000), reference);
    // Interleaved with another call.
    let (mut a, mut b) = (model().open(), model().open());
    let mut frames = Vec::new();
    for block in pcm.chunks(160) {
        frames.extend(a.push(block).unwrap());
        b.push(&[8_000; 160]).unwrap();
    }
    assert_eq!(frames, reference);
    a.reset();
    assert_eq!(a.push(&pcm).unwrap(), reference);
}

#[tokio::test]
async fn a_window_costs_a_fraction_of_its_time() {
    let pcm = say("where are you located", "slt").await;
    let mut vad = model().open();
    let began = Instant::now();
    let windows = vad.push(&pcm).unwrap().len() as u32;
    // Measured 0.1 ms; a busy machine may be ten times slower and is still fast enough.
    assert!(began.elapsed() / windows < std::time::Duration::from_millis(5), "{:?}", began.elapsed() / windows);
}

#[test]
fn the_registry_has_the_detector() {
    let directory = PathBuf::from(std::env::var_os("VOXPLANE_MODELS_DIR").expect("VOXPLANE_MODELS_DIR"));
    let registry = Registry::from_env(&directory, "/nonexistent");
    assert!(registry.capabilities().contains(&"vad/silero".to_owned()), "{:?}", registry.states());
    registry.vad().unwrap();
}
