//! How long to wait for a missing packet, learnt from how late packets are.

use std::collections::VecDeque;

use crate::clock::{Position, RATE};

const MS: i64 = RATE / 1000;
const MIN: i64 = 20 * MS;
const MAX: i64 = 120 * MS;
const INITIAL: i64 = 40 * MS;
/// Added to what was seen, because the past underestimates the future.
const MARGIN: i64 = 10 * MS;
/// Packets looked back upon: five seconds.
const WINDOW: usize = 250;
/// Packets needed before the estimate replaces the initial value: one second.
const ENOUGH: usize = 50;
/// A change of transit time that is a clock change, not jitter.
const DISCONTINUITY: i64 = RATE;
/// The estimate is renewed once per so many packets.
const EVERY: u32 = 10;

#[derive(Debug)]
pub(super) struct Patience {
    /// Arrival minus RTP time of recent packets: only differences mean something.
    transits: VecDeque<i64>,
    since_estimate: u32,
    current: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { transits: VecDeque::with_capacity(WINDOW), since_estimate: 0, current: INITIAL }
    }
}

impl Patience {
    pub(super) fn samples(&self) -> i64 {
        self.current
    }

    pub(super) fn observe(&mut self, arrival: Position, rtp_time: u64) {
        let transit = arrival.samples() - i64::try_from(rtp_time).unwrap_or(i64::MAX / 2);
        if self.transits.back().is_some_and(|last| last.abs_diff(transit) > DISCONTINUITY.unsigned_abs()) {
            self.transits.clear();
        }
        if self.transits.len() == WINDOW {
            self.transits.pop_front();
        }
        self.transits.push_back(transit);
        self.since_estimate += 1;
        if self.since_estimate >= EVERY && self.transits.len() >= ENOUGH {
            self.since_estimate = 0;
            self.current = self.estimate();
        }
    }

    /// The lateness that 98 of 100 packets stay below, and a margin.
    fn estimate(&self) -> i64 {
        let mut sorted: Vec<i64> = self.transits.iter().copied().collect();
        sorted.sort_unstable();
        let earliest = sorted.first().copied().unwrap_or(0);
        let late = sorted.get(sorted.len() * 98 / 100).copied().unwrap_or(earliest) - earliest;
        (late + MARGIN).clamp(MIN, MAX)
    }
}
