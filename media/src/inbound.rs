//! Received packets become 16 kHz audio on two paths.
//!
//! - *At arrival* ([`Inbound::push`]): each packet decoded as it comes, for voice activity and barge-in, where 40 ms
//!   matter more than a lost packet.
//! - *In order* ([`Inbound::poll`]): reordered and concealed, for recognition and recording.

use std::time::Instant;

use crate::anchor::Anchor;
use crate::clock::{CallClock, Position};
use crate::codec::{CodecError, Decoder, packet_duration};
use crate::jitter::{Item, JitterBuffer, Packet, Stats};
use crate::room::AudioPacket;

/// Samples per second of all audio from here.
pub const INBOUND_RATE: u32 = 16_000;

/// A piece of a participant's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its first sample on the call clock.
    pub at: Position,
    /// 16 kHz mono samples. One of them is three of the call clock.
    pub pcm: Vec<i16>,
    /// Guessed, because the packet was lost.
    pub concealed: bool,
}

impl Chunk {
    /// The end of its last sample on the call clock.
    pub fn end(&self) -> Position {
        self.at + 3 * self.pcm.len() as i64
    }
}

/// Decodes one track.
#[derive(Debug)]
pub struct Inbound {
    clock: CallClock,
    anchor: Anchor,
    jitter: JitterBuffer,
    at_arrival: Decoder,
    in_order: Decoder,
    newest: Option<u64>,
    undecodable: u64,
}

impl Inbound {
    /// A decoder for one track of a call with this clock.
    ///
    /// # Errors
    /// When the Opus library cannot create a decoder.
    pub fn new(clock: CallClock) -> Result<Self, CodecError> {
        Ok(Self {
            clock,
            anchor: Anchor::default(),
            jitter: JitterBuffer::new(),
            at_arrival: Decoder::new(INBOUND_RATE)?,
            in_order: Decoder::new(INBOUND_RATE)?,
            newest: None,
            undecodable: 0,
        })
    }

    /// Takes a packet and returns its audio at once. `None` for a packet that is older than one already returned, or
    /// that is not audio.
    pub fn push(&mut self, packet: &AudioPacket) -> Option<Chunk> {
        let Ok(duration) = packet_duration(&packet.payload) else {
            self.undecodable += 1;
            return None;
        };
        let arrival = self.clock.position(packet.arrival);
        let start = self.anchor.place(packet.rtp_time, duration, arrival);
        self.jitter.push(Packet {
            seq: packet.seq,
            rtp_time: packet.rtp_time,
            duration,
            start,
            arrival,
            payload: packet.payload.clone(),
        });
        if self.newest.is_some_and(|newest| packet.seq <= newest && newest - packet.seq < 3000) {
            return None;
        }
        self.newest = Some(packet.seq);
        match self.at_arrival.decode(&packet.payload) {
            Ok(pcm) => Some(Chunk { at: start, pcm: pcm.to_vec(), concealed: false }),
            Err(_) => {
                self.undecodable += 1;
                None
            }
        }
    }

    /// The next piece in order, if there is one by `now`. Call it until it returns `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Chunk> {
        let now = self.clock.position(now);
        loop {
            let (at, decoded, concealed) = match self.jitter.poll(now)? {
                Item::Packet(packet) => (packet.start, self.in_order.decode(&packet.payload), false),
                Item::Lost { start, duration } => (start, self.in_order.conceal(duration), true),
                Item::Gap { .. } => continue,
            };
            match decoded {
                Ok(pcm) => return Some(Chunk { at, pcm: pcm.to_vec(), concealed }),
                // Already counted when it arrived.
                Err(_) => continue,
            }
        }
    }

    /// When [`Inbound::poll`] will have something although nothing more arrives.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.clock.instant(self.jitter.deadline()?))
    }

    /// The track's counters.
    pub fn stats(&self) -> Stats {
        self.jitter.stats()
    }

    /// Packets that were not valid Opus.
    pub fn undecodable(&self) -> u64 {
        self.undecodable
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::sync::Arc;
    use std::time::Duration;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::codec::Encoder;

    /// Two seconds of 440 Hz in packets, sent every 20 ms from `start`.
    fn packets(start: Instant) -> Vec<AudioPacket> {
        let mut encoder = Encoder::new().unwrap();
        (0..100u64)
            .map(|n| {
                let pcm: Vec<i16> = (0..960u64)
                    .map(|i| (8000.0 * (TAU * 440.0 * (n * 960 + i) as f64 / 48_000.0).sin()) as i16)
                    .collect();
                AudioPacket {
                    track: Arc::from("TR_1"),
                    arrival: start + Duration::from_millis(20 * (n + 1)),
                    rtp_time: 1_000_000 + n * 960,
                    seq: 65_500 + n,
                    payload: encoder.encode(&pcm).unwrap().into(),
                }
            })
            .collect()
    }

    /// Both paths' output, fed in order of arrival.
    fn receive(mut packets: Vec<AudioPacket>, clock: CallClock) -> (Vec<Chunk>, Vec<Chunk>, Stats) {
        packets.sort_by_key(|packet| packet.arrival);
        let mut inbound = Inbound::new(clock).unwrap();
        let (mut at_arrival, mut in_order) = (Vec::new(), Vec::new());
        let mut drain = |inbound: &mut Inbound, now: Instant| in_order.extend(std::iter::from_fn(|| inbound.poll(now)));
        for packet in &packets {
            while let Some(deadline) = inbound.deadline().filter(|deadline| *deadline < packet.arrival) {
                drain(&mut inbound, deadline);
            }
            at_arrival.extend(inbound.push(packet));
            drain(&mut inbound, packet.arrival);
        }
        drain(&mut inbound, packets.last().unwrap().arrival + Duration::from_millis(200));
        let stats = inbound.stats();
        (at_arrival, in_order, stats)
    }

    fn is_contiguous(chunks: &[Chunk]) -> bool {
        chunks.windows(2).all(|pair| pair[0].end() == pair[1].at)
    }

    #[test]
    fn a_perfect_network_gives_both_paths_the_same_audio() {
        let start = Instant::now();
        let clock = CallClock::starting_at(start);
        let (at_arrival, in_order, stats) = receive(packets(start), clock);
        assert_eq!(at_arrival, in_order);
        assert_eq!(at_arrival[0].at, Position::ZERO);
        assert!(is_contiguous(&in_order));
        assert_eq!(stats.played, 100);
    }

    #[test]
    fn loss_and_reordering_are_mended_on_the_ordered_path() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let start = Instant::now();
            let mut sent = packets(start);
            let first = sent.remove(0);
            // 3 % lost, jitter up to 35 ms: within the initial patience of 40 ms.
            sent.retain(|_| random.random_bool(0.97));
            for packet in &mut sent {
                packet.arrival += Duration::from_millis(random.random_range(0..35));
            }
            sent.insert(0, first);
            let received = sent.len() as u64;
            let (at_arrival, in_order, stats) = receive(sent, CallClock::starting_at(start));

            assert_eq!(stats.played + stats.late, received, "seed {seed}");
            assert_eq!(stats.late, 0, "seed {seed}");
            assert!(at_arrival.len() <= in_order.len());
            let total: usize = in_order.iter().map(|chunk| chunk.pcm.len()).sum();
            let concealed: usize = in_order.iter().filter(|c| c.concealed).map(|c| c.pcm.len()).sum();
            assert_eq!(total - concealed, received as usize * 320);
            assert!(is_contiguous(&in_order), "seed {seed}");
        }
    }

    #[test]
    fn packets_that_are_not_opus_are_counted_and_skipped() {
        let start = Instant::now();
        let mut inbound = Inbound::new(CallClock::starting_at(start)).unwrap();
        let mut packet = packets(start).remove(0);
        packet.payload = Arc::from(&[][..]);
        assert_eq!(inbound.push(&packet), None);
        packet.payload = Arc::from(&[0xff, 0x00, 0x01][..]);
        assert_eq!(inbound.push(&packet), None);
        assert_eq!(inbound.undecodable(), 2);
        assert_eq!(inbound.poll(start + Duration::from_secs(1)), None);
    }
}
