//! The caller's audio: as it arrives to the voice detector, in order to the recogniser.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use voxplane_media::AudioPacket;
use voxplane_media::clock::CallClock;
use voxplane_media::codec::CodecError;
use voxplane_media::inbound::{Chunk, Inbound};
use voxplane_platform::error_chain::describe;
use voxplane_session::{CallTime, FailedWork, Input, Stage};

use crate::providers::ProviderError;
use crate::providers::stt::SttInput;
use crate::providers::vad::{Vad, WINDOW};

/// Length of a voice window on the call clock: three of its samples for each of 16 kHz.
const WINDOW_SAMPLES: i64 = 3 * WINDOW as i64;
/// What waits for a recogniser that is still being opened: about ten seconds of audio.
const BACKLOG: usize = 512;

/// Something for the recogniser.
enum Heard {
    Audio(Chunk),
    Started(CallTime),
    Paused(CallTime),
    Ended(CallTime),
}

/// Listens to one caller.
pub(super) struct Ears {
    clock: CallClock,
    provider: &'static str,
    track: Option<(Arc<str>, Inbound)>,
    vad: Vad,
    /// 16 kHz samples given to the detector.
    pushed: u64,
    recogniser: Option<Box<dyn SttInput>>,
    backlog: VecDeque<Heard>,
    behind: u64,
}

impl Ears {
    pub(super) fn new(clock: CallClock, vad: Vad, provider: &'static str) -> Self {
        Self { clock, provider, track: None, vad, pushed: 0, recogniser: None, backlog: VecDeque::new(), behind: 0 }
    }

    /// Listens to this track from now on.
    pub(super) fn attend(&mut self, track: Arc<str>) -> Result<(), CodecError> {
        self.track = Some((track, Inbound::new(self.clock)?));
        Ok(())
    }

    /// The track is gone.
    pub(super) fn detach(&mut self, track: &str) {
        self.track.take_if(|(attended, _)| **attended == *track);
    }

    /// The recogniser is ready; it gets what was said meanwhile.
    pub(super) fn recogniser_opened(&mut self, recogniser: Box<dyn SttInput>) -> Vec<Input> {
        self.recogniser = Some(recogniser);
        std::mem::take(&mut self.backlog).into_iter().filter_map(|heard| self.tell(heard)).collect()
    }

    /// Takes a packet; returns what the detector makes of it.
    pub(super) fn hear(&mut self, packet: &AudioPacket) -> Vec<Input> {
        let Some((_, inbound)) = self.track.as_mut().filter(|(track, _)| *track == packet.track) else {
            return Vec::new();
        };
        let Some(chunk) = inbound.push(packet) else { return Vec::new() };
        self.pushed += chunk.pcm.len() as u64;
        let frames = match self.vad.push(&chunk.pcm) {
            Ok(frames) => frames,
            Err(error) => return vec![failed("silero", &error)],
        };
        let window = |frame: crate::providers::vad::VadFrame| {
            let end = chunk.end() - 3 * (self.pushed - frame.end_sample).cast_signed();
            let start = end - WINDOW_SAMPLES;
            let (start, end) = (CallTime::from_micros(start.micros()), CallTime::from_micros(end.micros()));
            Input::Voice { probability: frame.probability, start, end }
        };
        frames.into_iter().map(window).collect()
    }

    /// Gives the recogniser what is in order by now.
    pub(super) fn keep_up(&mut self, now: Instant) -> Vec<Input> {
        let mut inputs = Vec::new();
        while let Some(chunk) = self.track.as_mut().and_then(|(_, inbound)| inbound.poll(now)) {
            inputs.extend(self.tell(Heard::Audio(chunk)));
        }
        inputs
    }

    /// When there is something to give although no packet arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.track.as_ref().and_then(|(_, inbound)| inbound.deadline())
    }

    pub(super) fn speech_started(&mut self, at: CallTime) -> Option<Input> {
        self.tell(Heard::Started(at))
    }

    pub(super) fn speech_paused(&mut self, at: CallTime) -> Option<Input> {
        self.tell(Heard::Paused(at))
    }

    pub(super) fn speech_ended(&mut self, at: CallTime) -> Option<Input> {
        self.tell(Heard::Ended(at))
    }

    fn tell(&mut self, heard: Heard) -> Option<Input> {
        let Some(recogniser) = &mut self.recogniser else {
            if self.backlog.len() == BACKLOG {
                self.backlog.pop_front();
            }
            self.backlog.push_back(heard);
            return None;
        };
        match heard {
            Heard::Started(at) => recogniser.speech_started(at.as_micros()),
            Heard::Paused(at) => recogniser.speech_paused(at.as_micros()),
            Heard::Ended(at) => recogniser.speech_ended(at.as_micros()),
            Heard::Audio(chunk) => match recogniser.push(&chunk.pcm, chunk.at.micros()) {
                Ok(()) => {}
                Err(error @ ProviderError::Overloaded { .. }) => {
                    self.behind += 1;
                    if self.behind.is_power_of_two() {
                        tracing::warn!(dropped = self.behind, error = describe(&error), "audio is not recognised");
                    }
                }
                Err(error) => return Some(failed(self.provider, &error)),
            },
        }
        None
    }
}

fn failed(provider: &str, error: &ProviderError) -> Input {
    Input::ProviderFailed {
        stage: Stage::Stt,
        provider: provider.to_owned(),
        error: describe(error),
        of: FailedWork::Call,
    }
}
