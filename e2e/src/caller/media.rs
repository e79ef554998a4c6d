//! The audio of one call: 20 ms out on an absolute schedule, whatever arrives in, both recorded on one clock.
//!
//! A telephone is a machine of its own, so its audio has a thread of its own, which runs before everything else where
//! that is permitted: a busy test machine must not stutter into the call, nor mishear it.

use std::{
    collections::VecDeque,
    net::{IpAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

use super::{
    Recording,
    jitter::JitterBuffer,
    rtp::{self, FRAME, Packet},
    sdp::{FarMedia, PCMU},
};

const TICK: Duration = Duration::from_millis(20);
/// A test that records longer than this is broken.
const LONGEST: usize = 15 * 60 * 8_000;

/// The media side of a call.
pub struct Media {
    socket: UdpSocket,
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
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
    pub fn bind(local: IpAddr) -> Result<Self> {
        let socket = UdpSocket::bind((local, 0)).context("opening the RTP socket")?;
        let port = socket.local_addr().context("reading the RTP socket's port")?.port();
        Ok(Self { socket, port, shared: Arc::default(), thread: None })
    }

    /// Our RTP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Starts sending (silence at first) and recording.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(&mut self, far: FarMedia) -> Result<()> {
        if self.thread.is_none() {
            let started = Instant::now();
            self.state().started = Some(started);
            let (socket, shared) = (self.socket.try_clone().context("sharing the RTP socket")?, self.shared.clone());
            let run = move || run(&socket, &shared, &far, started);
            self.thread = Some(std::thread::Builder::new().name("telephone".into()).spawn(run)?);
        }
        Ok(())
    }

    /// Queues samples; returns the clock position of their end.
    pub fn speak(&self, samples: &[i16]) -> usize {
        let mut state = self.state();
        state.outgoing.extend(samples);
        // Whole frames, so that the position of the end is exact.
        while !state.outgoing.len().is_multiple_of(FRAME) {
            state.outgoing.push_back(0);
        }
        state.recording.spoken.len() + state.outgoing.len()
    }

    /// Queues a digit.
    ///
    /// # Errors
    /// When it is not on a telephone's keypad.
    pub fn dtmf(&self, digit: char) -> Result<()> {
        let code = rtp::event_code(digit).with_context(|| format!("{digit:?} is not on a keypad"))?;
        self.state().digits.push_back(code);
        Ok(())
    }

    /// Samples since the start.
    pub fn now(&self) -> usize {
        self.state().started.map_or(0, |started| position(started, Instant::now()) as usize)
    }

    /// A copy of the recording so far.
    pub fn recording(&self) -> Recording {
        self.state().recording.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It looks at every tick.
            let _ = thread.join();
        }
    }
}

fn position(started: Instant, at: Instant) -> i64 {
    (at.duration_since(started).as_micros() * 8 / 1000) as i64
}

fn run(socket: &UdpSocket, shared: &Shared, far: &FarMedia, started: Instant) {
    // Without the permission it is a thread like any other.
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
    let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
    let mut receiver = Receiver::default();
    let mut buffer = [0_u8; 2048];
    let mut next = started + TICK;
    while !shared.over.load(Ordering::Relaxed) {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A late tick is made up at once: a real telephone's clock does not slip.
            next += TICK;
            let packets = sender.tick(&mut shared.state(), far.events);
            for packet in packets {
                // A far end that is gone makes sends fail; the signalling notices the end of the call.
                let _ = socket.send_to(&packet, far.address);
            }
            continue;
        }
        // Ends without a packet when the tick is due, or with an error when the far end's port is closed.
        let received = socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut buffer));
        let Ok(length) = received else { continue };
        let arrival = position(started, Instant::now());
        if let Some(packet) = rtp::read(&buffer[..length]).filter(|packet| packet.payload_type == PCMU) {
            receiver.packet(&mut shared.state().recording, &packet, arrival);
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
    fn tick(&mut self, state: &mut State, events: Option<u8>) -> Vec<Vec<u8>> {
        if self.event.is_none() {
            self.event = state.digits.pop_front().map(|code| (code, self.timestamp, 0));
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
                let available = state.outgoing.len().min(FRAME);
                let mut frame: Vec<i16> = state.outgoing.drain(..available).collect();
                frame.resize(FRAME, 0);
                let payload: Vec<u8> = frame.iter().map(|&sample| encode_ulaw(sample)).collect();
                state.recording.spoken.extend(frame);
                vec![self.packet(PCMU, self.timestamp, &payload, false)]
            }
        };
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        if state.recording.spoken.len() < (self.timestamp as usize).min(LONGEST) {
            state.recording.spoken.resize((self.timestamp as usize).min(LONGEST), 0);
        }
        packets
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8], marker: bool) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        rtp::write(&Packet { payload_type, sequence, timestamp, payload }, marker, 0x5650_4c4e)
    }
}

#[derive(Default)]
struct Receiver {
    buffer: JitterBuffer,
    /// Sequence number and arrival of the latest packet.
    latest: Option<(u16, i64)>,
}

impl Receiver {
    fn packet(&mut self, recording: &mut Recording, packet: &Packet<'_>, arrival: i64) {
        let Recording { heard, arrivals, .. } = recording;
        let samples: Vec<i16> = packet.payload.iter().map(|&byte| decode_ulaw(byte)).collect();
        let Ok(at) = usize::try_from(self.buffer.place(packet.timestamp, &samples, arrival)) else { return };
        arrivals.late = self.buffer.late();
        if let Some((sequence, earlier)) = self.latest.replace((packet.sequence, arrival)) {
            // One that overtook another is counted as lost when it comes, and is heard all the same.
            let step = packet.sequence.wrapping_sub(sequence);
            arrivals.lost += if step < 0x8000 { usize::from(step.saturating_sub(1)) } else { 0 };
            let pause = usize::try_from((arrival - earlier) / 8).unwrap_or_default();
            arrivals.longest_pause_ms = arrivals.longest_pause_ms.max(pause);
        }
        let end = at + samples.len();
        if end > LONGEST {
            return;
        }
        if heard.len() < end {
            heard.resize(end, 0);
        }
        heard[at..end].copy_from_slice(&samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_replaces_audio_and_ends_three_times() {
        let mut state = State::default();
        state.digits.push_back(5);
        let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
        let sent: Vec<Vec<u8>> = (0..7).flat_map(|_| sender.tick(&mut state, Some(101))).collect();
        let events: Vec<_> =
            sent.iter().filter_map(|bytes| rtp::read(bytes)).filter(|p| p.payload_type == 101).collect();
        assert_eq!(events.len(), 5 + 3);
        assert!(events.iter().all(|event| event.timestamp == 0 && event.payload[0] == 5));
        assert_eq!(events.iter().filter(|event| event.payload[1] & 0x80 != 0).count(), 3);
    }

    #[test]
    fn spoken_audio_is_recorded_where_it_was_said() {
        let mut state = State::default();
        state.outgoing.extend([100; 100]);
        let mut sender = Sender { sequence: 1, timestamp: 0, event: None };
        for _ in 0..3 {
            sender.tick(&mut state, None);
        }
        assert_eq!(state.recording.spoken.len(), 480);
        assert_eq!(&state.recording.spoken[98..102], &[100, 100, 0, 0]);
    }
}
