//! Where arriving audio belongs on the call's clock, as a telephone's jitter buffer decides it.
//!
//! Audio follows the sender's timestamps. What comes too late for its place is played when it comes, and what follows is
//! delayed as much, since nothing is played before what came first; silence takes the delay back.

use crate::heard::rms;

/// Audio later than this, in samples (80 ms), missed its place.
const LATE: i64 = 80 * 8;
/// Silence that has to wait this long, in samples (40 ms), is cut: the delay is not the line's jitter.
const DELAYED: i64 = 40 * 8;
/// Audio that waits for its place, in samples (2 s); beyond, its timestamps belong to another stream.
const HELD: i64 = 2_000 * 8;
/// Quieter frames (RMS) are no speech and may be cut.
const SILENT: f64 = 50.0;

/// The relation between a stream's timestamps and the call's clock.
#[derive(Debug, Default)]
pub struct JitterBuffer {
    /// Timestamp and place of the packet that set it.
    anchor: Option<(u32, i64)>,
    /// One past the last sample of sound.
    sounded: i64,
    /// How often audio came too late for its place.
    late: usize,
}

impl JitterBuffer {
    /// The place, in samples since the answer, of a packet that arrived at `arrival`.
    pub fn place(&mut self, timestamp: u32, samples: &[i16], arrival: i64) -> i64 {
        let expected = self.anchor.map(|(anchor, at)| at + i64::from(timestamp.wrapping_sub(anchor).cast_signed()));
        let silent = rms(samples) < SILENT;
        let at = match expected {
            Some(at) if silent && (DELAYED..=HELD).contains(&(at - arrival)) => {
                self.anchored(timestamp, arrival.max(self.sounded))
            }
            Some(at) if (-LATE..=HELD).contains(&(at - arrival)) => at,
            known => {
                self.late += usize::from(known.is_some());
                self.anchored(timestamp, arrival)
            }
        };
        if !silent {
            self.sounded = self.sounded.max(at + i64::try_from(samples.len()).unwrap_or_default());
        }
        at
    }

    /// How often audio came too late for its place.
    pub const fn late(&self) -> usize {
        self.late
    }

    const fn anchored(&mut self, timestamp: u32, at: i64) -> i64 {
        self.anchor = Some((timestamp, at));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: [i16; 160] = [8_000; 160];
    const QUIET: [i16; 160] = [3; 160];

    #[test]
    fn audio_is_placed_by_its_timestamp() {
        let mut buffer = JitterBuffer::default();
        assert_eq!(buffer.place(1_000, &LOUD, 800), 800);
        // Jitter of 10 ms does not move the sound; a lost packet leaves its 20 ms free.
        assert_eq!(buffer.place(1_320, &LOUD, 1_200), 1_120);
    }

    #[test]
    fn another_stream_begins_where_it_arrives() {
        let mut buffer = JitterBuffer::default();
        assert_eq!(buffer.place(1_000, &LOUD, 0), 0);
        assert_eq!(buffer.place(900_000, &LOUD, 160), 160);
    }

    #[test]
    fn what_came_at_once_after_a_stall_is_played_in_order() {
        let mut buffer = JitterBuffer::default();
        assert_eq!(buffer.place(0, &LOUD, 0), 0);
        // 300 ms of nothing, then all of it: each packet after the other, none over another.
        let places: Vec<_> = (1..=15).map(|n| buffer.place(n * 160, &LOUD, 2_400)).collect();
        assert_eq!(places, (0..15).map(|n| 2_400 + n * 160).collect::<Vec<_>>());
        // What follows in time waits as long.
        assert_eq!(buffer.place(16 * 160, &LOUD, 2_560), 2_400 + 15 * 160);
    }

    #[test]
    fn silence_takes_a_delay_back() {
        let mut buffer = JitterBuffer::default();
        buffer.place(0, &LOUD, 0);
        for n in 1..=15 {
            buffer.place(n * 160, &LOUD, 2_400);
        }
        let end = 2_400 + 15 * 160;
        // Not into the sound that is still being played.
        assert_eq!(buffer.place(16 * 160, &QUIET, 2_560), end);
        for n in 17..=30 {
            buffer.place(n * 160, &QUIET, i64::from(n) * 160);
        }
        let delay = buffer.place(31 * 160, &LOUD, 31 * 160) - 31 * 160;
        assert!((0..DELAYED).contains(&delay), "the next word waits {delay} samples");
    }
}
