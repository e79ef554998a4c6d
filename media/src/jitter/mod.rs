//! Reorders received packets and decides when a missing one is lost.
//!
//! Nothing here plays to a device, so a packet that is next in line leaves at once; only a hole holds the stream back,
//! for as long as the network's own jitter suggests (20-120 ms, 40 ms to begin with). A hole that stays is concealed
//! for up to 60 ms; what is longer becomes a gap.

mod patience;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::patience::Patience;
use crate::clock::{Position, RATE};

/// Longest concealment, in samples (60 ms).
pub const MAX_CONCEALED: i64 = 60 * RATE / 1000;

/// Packets that may wait behind a hole: two seconds of 20 ms packets.
const CAPACITY: usize = 100;

/// A jump of sequence numbers that means a new stream rather than loss: one minute of 20 ms packets.
const RESTART: u64 = 3000;

/// One received packet.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Extended RTP sequence number.
    pub seq: u64,
    /// Extended RTP timestamp (48 kHz).
    pub rtp_time: u64,
    /// Its length in 48 kHz samples.
    pub duration: i64,
    /// Its first sample on the call clock.
    pub start: Position,
    /// When it arrived.
    pub arrival: Position,
    /// The encoded audio.
    pub payload: Arc<[u8]>,
}

/// What comes next in the stream.
#[derive(Debug, Clone)]
pub enum Item {
    /// A packet to decode.
    Packet(Packet),
    /// Lost audio to conceal.
    Lost {
        /// Where it begins.
        start: Position,
        /// Its length in 48 kHz samples, at most [`MAX_CONCEALED`].
        duration: i64,
    },
    /// Time without audio: the sender was silent, or too much was lost to conceal.
    Gap {
        /// Its length in 48 kHz samples.
        duration: i64,
    },
}

/// Counters of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets handed out.
    pub played: u64,
    /// Packets given up as lost.
    pub lost: u64,
    /// Packets that arrived after they had been given up.
    pub late: u64,
    /// Packets received twice.
    pub duplicate: u64,
}

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub struct JitterBuffer {
    waiting: BTreeMap<u64, Packet>,
    /// Sequence number and RTP time of the packet that is next in line.
    next: Option<(u64, u64)>,
    gap: Option<i64>,
    patience: Patience,
    stats: Stats,
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet in.
    pub fn push(&mut self, packet: Packet) {
        if let Some((seq, _)) = self.next {
            if packet.seq.abs_diff(seq) > RESTART {
                self.waiting.clear();
                self.next = None;
                self.patience = Patience::default();
            } else if packet.seq < seq {
                self.stats.late += 1;
                self.patience.observe(packet.arrival, packet.rtp_time);
                return;
            }
        }
        if self.waiting.contains_key(&packet.seq) {
            self.stats.duplicate += 1;
            return;
        }
        self.patience.observe(packet.arrival, packet.rtp_time);
        self.waiting.insert(packet.seq, packet);
    }

    /// What comes next, if it is time for it.
    pub fn poll(&mut self, now: Position) -> Option<Item> {
        if let Some(duration) = self.gap.take() {
            return Some(Item::Gap { duration });
        }
        let is_full = self.waiting.len() >= CAPACITY;
        let is_due = now >= self.deadline()?;
        let first = self.waiting.first_entry()?;
        let (seq, rtp_time) = self.next.unwrap_or((first.get().seq, first.get().rtp_time));
        let silence = i64::try_from(first.get().rtp_time.saturating_sub(rtp_time)).unwrap_or(0);

        if first.get().seq != seq {
            if !is_due && !is_full {
                return None;
            }
            let packet = first.get();
            self.stats.lost += packet.seq - seq;
            self.next = Some((packet.seq, packet.rtp_time));
            let concealed = silence.min(MAX_CONCEALED);
            self.gap = (silence > concealed).then_some(silence - concealed);
            return match concealed {
                // Timestamps did not move over the hole: there is nothing to conceal.
                0 => self.poll(now),
                duration => Some(Item::Lost { start: packet.start - silence, duration }),
            };
        }
        if silence > 0 {
            self.next = Some((seq, first.get().rtp_time));
            return Some(Item::Gap { duration: silence });
        }
        let packet = first.remove();
        self.next = Some((packet.seq + 1, packet.rtp_time + packet.duration.unsigned_abs()));
        self.stats.played += 1;
        Some(Item::Packet(packet))
    }

    /// When [`JitterBuffer::poll`] will have something although nothing more arrives.
    pub fn deadline(&self) -> Option<Position> {
        // Not the first in line but the first to arrive: none may wait longer than the patience.
        let oldest = self.waiting.values().map(|packet| packet.arrival).min()?;
        Some(oldest + self.patience.samples())
    }

    /// How long a hole may hold the stream back, in 48 kHz samples.
    pub fn patience(&self) -> i64 {
        self.patience.samples()
    }

    /// The stream's counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }
}
