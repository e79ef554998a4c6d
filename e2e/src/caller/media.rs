//! The audio of one call: 20 ms out on an absolute schedule, whatever arrives in, both recorded on one clock.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use tokio::{
    net::UdpSocket,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    Recording,
    rtp::{self, FRAME, Packet},
    sdp::{FarMedia, PCMU},
};

const TICK: Duration = Duration::from_millis(20);
/// Packets follow their timestamps unless arrival disagrees by more than this; then the arrival is believed.
const REANCHOR: i64 = 80 * 8;
/// A test that records longer than this is broken.
const LONGEST: usize = 15 * 60 * 8_000;

/// The media side of a call.
pub struct Media {
    socket: Arc<UdpSocket>,
    shared: Arc<Mutex<Shared>>,
    task: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    started: Option<Instant>,
    recording: Recording,
    outgoing: VecDeque<i16>,
    digits: VecDeque<u8>,
}

impl Media {
    /// Opens the RTP socket.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn bind(local: IpAddr) -> Result<Self> {
        let socket = UdpSocket::bind((local, 0)).await.context("opening the RTP socket")?;
        Ok(Self { socket: Arc::new(socket), shared: Arc::default(), task: None })
    }

    /// Our RTP port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// Starts sending (silence at first) and recording.
    ///
    /// # Errors
    /// Never today; the signature keeps room for a far end that cannot be reached.
    pub fn start(&mut self, far: FarMedia) -> Result<()> {
        if self.task.is_none() {
            lock(&self.shared).started = Some(Instant::now());
            self.task = Some(tokio::spawn(run(self.socket.clone(), self.shared.clone(), far)));
        }
        Ok(())
    }

    /// Queues samples; returns the clock position of their end.
    pub fn speak(&self, samples: &[i16]) -> usize {
        let mut shared = lock(&self.shared);
        shared.outgoing.extend(samples);
        // Whole frames, so that the position of the end is exact.
        while !shared.outgoing.len().is_multiple_of(FRAME) {
            shared.outgoing.push_back(0);
        }
        shared.recording.spoken.len() + shared.outgoing.len()
    }

    /// Queues a digit.
    ///
    /// # Errors
    /// When it is not on a telephone's keypad.
    pub fn dtmf(&self, digit: char) -> Result<()> {
        let code = rtp::event_code(digit).with_context(|| format!("{digit:?} is not on a keypad"))?;
        lock(&self.shared).digits.push_back(code);
        Ok(())
    }

    /// Samples since the start.
    pub fn now(&self) -> usize {
        lock(&self.shared).started.map_or(0, |started| position(started, Instant::now()) as usize)
    }

    /// A copy of the recording so far.
    pub fn recording(&self) -> Recording {
        lock(&self.shared).recording.clone()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn position(started: Instant, at: Instant) -> i64 {
    (at.duration_since(started).as_micros() * 8 / 1000) as i64
}

async fn run(socket: Arc<UdpSocket>, shared: Arc<Mutex<Shared>>, far: FarMedia) {
    let started = lock(&shared).started.unwrap_or_else(Instant::now);
    let mut ticks = interval_at(started + TICK, TICK);
    // A late tick is made up at once: a real telephone's clock does not slip.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
    let mut receiver = Receiver { anchor: None };
    let mut buffer = [0_u8; 2048];
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                for packet in sender.tick(&mut lock(&shared), far.events) {
                    // A far end that is gone makes sends fail; the signalling notices the end of the call.
                    let _ = socket.try_send_to(&packet, far.address);
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, _)) = received else { continue };
                let arrival = position(started, Instant::now());
                if let Some(packet) = rtp::read(&buffer[..length]).filter(|packet| packet.payload_type == PCMU) {
                    receiver.packet(&mut lock(&shared).recording.heard, &packet, arrival);
                }
            }
        }
    }
}

struct Sender {
    sequence: u16,
    timestamp: u32,
    /// Code, timestamp of its start, frames sent.
    event: Option<(u8, u32, u16)>,
}

impl Sender {
    /// One 20 ms step: one audio frame, or the next packet of a digit.
    fn tick(&mut self, shared: &mut Shared, events: Option<u8>) -> Vec<Vec<u8>> {
        if self.event.is_none() {
            self.event = shared.digits.pop_front().map(|code| (code, self.timestamp, 0));
        }
        let packets = match (self.event, events) {
            (Some((code, started, frames)), Some(payload_type)) => {
                // 100 ms of tone, then the end packet three times as RFC 4733 asks.
                let end = frames >= 5;
                let payload = rtp::event(code, end, (frames.min(5) + 1) * FRAME as u16);
                let copies = if end { 3 } else { 1 };
                self.event = (!end).then_some((code, started, frames + 1));
                (0..copies).map(|_| self.packet(payload_type, started, &payload, frames == 0)).collect()
            }
            _ => {
                self.event = None;
                let available = shared.outgoing.len().min(FRAME);
                let mut frame: Vec<i16> = shared.outgoing.drain(..available).collect();
                frame.resize(FRAME, 0);
                let payload: Vec<u8> = frame.iter().map(|&sample| encode_ulaw(sample)).collect();
                shared.recording.spoken.extend(frame);
                vec![self.packet(PCMU, self.timestamp, &payload, false)]
            }
        };
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        if shared.recording.spoken.len() < (self.timestamp as usize).min(LONGEST) {
            shared.recording.spoken.resize((self.timestamp as usize).min(LONGEST), 0);
        }
        packets
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8], marker: bool) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        rtp::write(&Packet { payload_type, sequence, timestamp, payload }, marker, 0x5650_4c4e)
    }
}

struct Receiver {
    /// Timestamp and recording position of the packet that set the relation.
    anchor: Option<(u32, i64)>,
}

impl Receiver {
    fn packet(&mut self, heard: &mut Vec<i16>, packet: &Packet<'_>, arrival: i64) {
        let by_timestamp =
            self.anchor.map(|(timestamp, at)| at + i64::from(packet.timestamp.wrapping_sub(timestamp) as i32));
        let at = match by_timestamp {
            Some(at) if (at - arrival).abs() <= REANCHOR => at,
            _ => {
                self.anchor = Some((packet.timestamp, arrival));
                arrival
            }
        };
        let Ok(at) = usize::try_from(at) else { return };
        if at + packet.payload.len() > LONGEST {
            return;
        }
        if heard.len() < at + packet.payload.len() {
            heard.resize(at + packet.payload.len(), 0);
        }
        for (sample, &byte) in heard[at..].iter_mut().zip(packet.payload) {
            *sample = decode_ulaw(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(timestamp: u32, payload: &[u8]) -> Packet<'_> {
        Packet { payload_type: PCMU, sequence: 0, timestamp, payload }
    }

    #[test]
    fn audio_is_placed_by_timestamp_and_gaps_stay_silent() {
        let (mut receiver, mut heard) = (Receiver { anchor: None }, Vec::new());
        let loud = [encode_ulaw(8000); FRAME];
        receiver.packet(&mut heard, &packet(1000, &loud), 800);
        // Jitter of 10 ms does not move the sound; a lost packet leaves its 20 ms silent.
        receiver.packet(&mut heard, &packet(1320, &loud), 1200);
        assert_eq!(heard.len(), 800 + 480);
        assert!(heard[..800].iter().all(|&sample| sample == 0));
        assert!(heard[800..960].iter().all(|&sample| sample > 7000));
        assert!(heard[960..1120].iter().all(|&sample| sample == 0));
        assert!(heard[1120..].iter().all(|&sample| sample > 7000));
    }

    #[test]
    fn a_jump_in_timestamps_is_reanchored_to_the_arrival() {
        let (mut receiver, mut heard) = (Receiver { anchor: None }, Vec::new());
        let loud = [encode_ulaw(8000); FRAME];
        receiver.packet(&mut heard, &packet(1000, &loud), 0);
        receiver.packet(&mut heard, &packet(900_000, &loud), 160);
        assert_eq!(heard.len(), 320);
    }

    #[test]
    fn a_digit_replaces_audio_and_ends_three_times() {
        let mut shared = Shared::default();
        shared.digits.push_back(5);
        let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
        let sent: Vec<Vec<u8>> = (0..7).flat_map(|_| sender.tick(&mut shared, Some(101))).collect();
        let events: Vec<_> =
            sent.iter().filter_map(|bytes| rtp::read(bytes)).filter(|p| p.payload_type == 101).collect();
        assert_eq!(events.len(), 5 + 3);
        assert!(events.iter().all(|event| event.timestamp == 0 && event.payload[0] == 5));
        assert_eq!(events.iter().filter(|event| event.payload[1] & 0x80 != 0).count(), 3);
    }

    #[test]
    fn spoken_audio_is_recorded_where_it_was_said() {
        let mut shared = Shared::default();
        shared.outgoing.extend([100; 100]);
        let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
        for _ in 0..3 {
            sender.tick(&mut shared, None);
        }
        assert_eq!(shared.recording.spoken.len(), 480);
        assert_eq!(&shared.recording.spoken[98..102], &[100, 100, 0, 0]);
    }
}
