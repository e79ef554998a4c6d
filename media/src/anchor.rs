//! Places received audio on the call clock by its arrival.
//!
//! A packet's last sample cannot have been spoken after the packet arrived, so audio is placed to end at its arrival;
//! RTP timestamps carry that placement from packet to packet while they agree with arrivals. They are not trusted
//! further: telephony gateways pause, restart and drift.

use crate::clock::{Position, RATE};

/// Disagreement between RTP time and arrival beyond which the placement starts anew, in samples (60 ms).
pub const TOLERANCE: i64 = 60 * RATE / 1000;

/// The relation of one stream's RTP time to the call clock.
#[derive(Debug, Clone, Default)]
pub struct Anchor {
    /// Call-clock position of RTP time zero.
    zero: Option<i64>,
}

impl Anchor {
    /// Where a packet's first sample lies.
    ///
    /// `rtp_time` and `duration` are in 48 kHz samples; `arrival` is when the packet was received.
    pub fn place(&mut self, rtp_time: u64, duration: i64, arrival: Position) -> Position {
        let rtp_time = i64::try_from(rtp_time).unwrap_or(i64::MAX / 2);
        let by_arrival = arrival.samples() - duration - rtp_time;
        let zero = match self.zero {
            // On time or late within the tolerance: jitter. Early: the anchor was set by a delayed packet.
            Some(zero) if (0..=TOLERANCE).contains(&(by_arrival - zero)) => zero,
            _ => by_arrival,
        };
        self.zero = Some(zero);
        Position::from_samples(zero + rtp_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = crate::clock::FRAME;

    fn at(ms: i64) -> Position {
        Position::from_samples(ms * 48)
    }

    #[test]
    fn jitter_within_the_tolerance_does_not_move_audio() {
        let mut anchor = Anchor::default();
        assert_eq!(anchor.place(10_000, FRAME, at(120)), at(100));
        assert_eq!(anchor.place(10_960, FRAME, at(140 + 55)), at(120));
        assert_eq!(anchor.place(11_920, FRAME, at(160)), at(140));
    }

    #[test]
    fn a_pause_without_rtp_time_is_seen_by_arrival() {
        let mut anchor = Anchor::default();
        assert_eq!(anchor.place(0, FRAME, at(20)), at(0));
        // Two seconds later, but the sender's timestamps went on as if nothing had happened.
        assert_eq!(anchor.place(960, FRAME, at(2020)), at(2000));
        assert_eq!(anchor.place(1920, FRAME, at(2040)), at(2020));
    }

    #[test]
    fn a_burst_after_a_stall_ends_where_it_would_have_without_the_stall() {
        let mut anchor = Anchor::default();
        anchor.place(0, FRAME, at(20));
        // Packets 1..=10 arrive together at 220 ms: the last one is on time.
        let starts: Vec<_> = (1..=10u64).map(|n| anchor.place(n * 960, FRAME, at(220))).collect();
        assert!(starts.is_sorted());
        assert_eq!(starts[9], at(200));
        assert_eq!(anchor.place(11 * 960, FRAME, at(240)), at(220));
    }

    #[test]
    fn a_fast_sender_clock_is_followed() {
        let mut anchor = Anchor::default();
        // One sample per packet too fast, for ten minutes: audio never lies in the future, never over 60 ms back.
        for n in 0..30_000u64 {
            let arrival = Position::from_samples(20 * 48 + n as i64 * (FRAME - 1));
            let end = anchor.place(n * 960, FRAME, arrival) + FRAME;
            assert!(end <= arrival && arrival - end <= TOLERANCE);
        }
    }
}
