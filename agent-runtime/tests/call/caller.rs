//! A caller: another participant of the room, who speaks with a synthesised voice and keeps what they hear.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use voxplane_agent_runtime::providers::Registry;
use voxplane_agent_runtime::providers::stt::SttEvent;
use voxplane_agent_runtime::providers::tts::TtsRequest;
use voxplane_control::v1::{SttConfig, TtsConfig};
use voxplane_media::clock::{CallClock, Position};
use voxplane_media::inbound::{Chunk, Inbound};
use voxplane_media::pacer::UtteranceId;
use voxplane_media::resample::Resampler;
use voxplane_media::{DisconnectReason, JoinOptions, Room, RoomEvent, Speaker};

use crate::api::wait;
use crate::livekit::LiveKit;

/// Louder than this is speech: the room is free of noise.
const LOUD: f64 = 300.0;

pub struct Caller {
    room: Room,
    speaker: Speaker,
    clock: CallClock,
    heard: Arc<Mutex<Heard>>,
    said: u64,
}

#[derive(Default)]
struct Heard {
    chunks: Vec<Chunk>,
    ended: Option<DisconnectReason>,
}

impl Caller {
    pub async fn join(livekit: &LiveKit, room: &str) -> Self {
        let options = JoinOptions::new(livekit.url(), livekit.join_token(room, "caller"));
        let (room, mut events) = Box::pin(Room::join(options)).await.unwrap();
        let speaker = room.publish_audio("microphone").await.unwrap();
        let clock = room.clock();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ears = heard.clone();
        tokio::spawn(async move {
            let mut inbound = Inbound::new(clock).unwrap();
            while let Some(event) = events.recv().await {
                match event {
                    RoomEvent::Audio(packet) => {
                        inbound.push(&packet);
                        let chunks = std::iter::from_fn(|| inbound.poll(Instant::now()));
                        ears.lock().unwrap().chunks.extend(chunks);
                    }
                    RoomEvent::Disconnected { reason } => ears.lock().unwrap().ended = Some(reason),
                    _ => {}
                }
            }
        });
        Self { room, speaker, clock, heard, said: 0 }
    }

    pub fn now(&self) -> Position {
        self.clock.now()
    }

    /// Says something; returns the position of its last sample when it has been sent.
    pub async fn say(&mut self, registry: &Registry, text: &str) -> Position {
        let tts = registry.tts(&TtsConfig { provider: "flite".into(), ..TtsConfig::default() }).unwrap();
        // Another voice than the agent's.
        let request = TtsRequest { text: text.into(), voice: "rms".into(), speed: 1.0, language: "en-US".into() };
        let mut audio = tts.synthesize(request).await.unwrap();
        let mut resampler = Resampler::new(audio.sample_rate, 48_000).unwrap();
        let mut pcm = Vec::new();
        while let Some(chunk) = audio.chunks.next().await {
            pcm.extend(resampler.push(&chunk.unwrap()));
        }
        pcm.extend(resampler.finish());
        self.said += 1;
        let id = UtteranceId(self.said);
        self.speaker.enqueue(id, &pcm).unwrap();
        self.speaker.finish(id);
        let length = pcm.len() as u64;
        wait("the caller's own speech", || self.speaker.sent_before(id, self.clock.now()) == length).await;
        self.clock.now()
    }

    pub async fn press(&self, digits: &str) {
        self.room.send_dtmf(digits, voxplane_media::Destinations::Everyone).await.unwrap();
    }

    /// Waits for speech after `since` and returns when it began.
    pub async fn hears_speech(&self, since: Position) -> Position {
        let first = || self.loud().into_iter().find(|at| *at >= since);
        wait("speech from the agent", || first().is_some()).await;
        first().unwrap()
    }

    /// Waits until nothing was heard for this long; returns the end of the last speech.
    pub async fn hears_silence(&self, length: Duration) -> Position {
        let enough = i64::try_from(length.as_millis()).unwrap() * 48;
        let last = || self.loud().last().copied().unwrap_or(Position::ZERO);
        wait("silence from the agent", || self.clock.now() - last() > enough).await;
        last()
    }

    /// Which of the phrases was heard between two moments, recognised by machine.
    pub async fn understood(&self, registry: &Registry, from: Position, to: Position, phrases: &[&str]) -> String {
        let config = SttConfig {
            provider: "pocketsphinx".into(),
            phrases: phrases.iter().map(ToString::to_string).collect(),
            ..SttConfig::default()
        };
        let mut stream = registry.stt(&config).unwrap().open(&config).await.unwrap();
        let chunks: Vec<Chunk> = {
            let heard = self.heard.lock().unwrap();
            heard.chunks.iter().filter(|chunk| chunk.at >= from && chunk.at <= to).cloned().collect()
        };
        let pcm: Vec<i16> = chunks.iter().flat_map(|chunk| chunk.pcm.iter().copied()).collect();
        let mut at = 0;
        stream.input.speech_started(0);
        for block in pcm.chunks(320) {
            stream.input.push(block, at).unwrap();
            at += block.len() as i64 * 1_000 / 16;
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        stream.input.speech_ended(at);
        loop {
            match stream.events.next().await.expect("a transcript") {
                SttEvent::Final { transcript, .. } => return transcript.text,
                SttEvent::Failed(error) => panic!("{error}"),
                SttEvent::Partial(_) => {}
            }
        }
    }

    /// Waits until the caller was thrown out.
    pub async fn removed(&self) -> DisconnectReason {
        wait("the hang-up", || self.heard.lock().unwrap().ended.is_some()).await;
        self.heard.lock().unwrap().ended.unwrap()
    }

    /// Why the caller's room ended, if it has.
    pub fn ended(&self) -> Option<DisconnectReason> {
        self.heard.lock().unwrap().ended
    }

    pub async fn hang_up(self) {
        self.room.leave().await;
    }

    /// Positions of the chunks that are loud.
    fn loud(&self) -> Vec<Position> {
        let heard = self.heard.lock().unwrap();
        heard.chunks.iter().filter(|chunk| rms(&chunk.pcm) > LOUD).map(|chunk| chunk.at).collect()
    }
}

fn rms(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64).sqrt()
}
