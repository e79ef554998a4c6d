//! The caller's audio on the call clock: a short history while nobody speaks, the utterance while somebody does. Pure.

use std::collections::VecDeque;

use crate::providers::INPUT_RATE;

/// Audio kept while no utterance is open. Speech is announced about half a second after it began: the detector's
/// minimum, its padding and the jitter buffer.
const HISTORY: usize = INPUT_RATE as usize * 3 / 2;
/// Audio kept of one utterance; longer ones lose their end, not their start.
const MAX_UTTERANCE: usize = INPUT_RATE as usize * 20;
/// Gaps up to this are filled with silence; after a longer one the audio before it is no use.
const MAX_GAP: i64 = INPUT_RATE as i64;
/// Positions are microseconds; a sample is 62.5, so neighbours may seem a sample apart.
const TOLERANCE: i64 = 2;

/// Audio in samples since the call's clock began.
#[derive(Debug, Default)]
pub(super) struct AudioBuffer {
    samples: VecDeque<i16>,
    /// Position of the first kept sample.
    start: i64,
    keep_from: Option<i64>,
}

impl AudioBuffer {
    /// Appends audio whose first sample is at `at_us`. Gaps become silence, what overlaps is dropped.
    pub(super) fn push(&mut self, mut pcm: &[i16], at_us: i64) {
        if self.keep_from.is_some() && self.samples.len() >= MAX_UTTERANCE {
            return;
        }
        let at = position(at_us);
        if self.samples.is_empty() {
            self.start = at;
        }
        let ahead = at - self.end();
        if ahead > MAX_GAP {
            self.samples.clear();
            self.start = at;
        } else if ahead > TOLERANCE {
            self.samples.extend(std::iter::repeat_n(0, ahead as usize));
        } else if ahead < -TOLERANCE {
            pcm = pcm.get(ahead.unsigned_abs() as usize..).unwrap_or_default();
        }
        match self.keep_from {
            Some(_) => {
                let room = MAX_UTTERANCE.saturating_sub(self.samples.len());
                self.samples.extend(&pcm[..pcm.len().min(room)]);
            }
            None => {
                self.samples.extend(pcm);
                self.drop_before(self.end() - HISTORY as i64);
            }
        }
    }

    /// Opens an utterance that began at `from_us`; nothing after it is dropped any more.
    pub(super) fn open(&mut self, from_us: i64) {
        let from = position(from_us);
        self.keep_from = Some(from);
        self.drop_before(from);
    }

    /// Audio of the open utterance up to `until_us`.
    pub(super) fn utterance(&mut self, until_us: i64) -> &[i16] {
        let length = (position(until_us) - self.start).clamp(0, self.samples.len() as i64);
        &self.samples.make_contiguous()[..length as usize]
    }

    /// Closes the utterance: what came after `until_us` is the history of the next one.
    pub(super) fn close(&mut self, until_us: i64) {
        self.keep_from = None;
        self.drop_before(position(until_us).max(self.end() - HISTORY as i64));
    }

    /// Whether the audio reaches `until_us`, or will never, because the utterance is at its longest.
    pub(super) fn reaches(&self, until_us: i64) -> bool {
        self.end() >= position(until_us) || self.samples.len() >= MAX_UTTERANCE
    }

    /// Start of what is kept, microseconds.
    #[cfg(test)]
    pub(super) fn start_us(&self) -> i64 {
        micros(self.start)
    }

    /// End of what is kept, microseconds.
    pub(super) fn end_us(&self) -> i64 {
        micros(self.end())
    }

    fn end(&self) -> i64 {
        self.start + self.samples.len() as i64
    }

    fn drop_before(&mut self, position: i64) {
        let count = (position - self.start).clamp(0, self.samples.len() as i64);
        self.samples.drain(..count as usize);
        self.start += count;
    }
}

fn position(us: i64) -> i64 {
    us * i64::from(INPUT_RATE) / 1_000_000
}

fn micros(position: i64) -> i64 {
    position * 1_000_000 / i64::from(INPUT_RATE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ramp(from: usize, count: usize) -> Vec<i16> {
        (from..from + count).map(|n| (n % 30_000) as i16).collect()
    }

    #[test]
    fn an_utterance_announced_late_has_its_start() {
        let mut buffer = AudioBuffer::default();
        for block in 0..50 {
            buffer.push(&ramp(block * 320, 320), block as i64 * 20_000);
        }
        buffer.open(500_000);
        buffer.push(&ramp(16_000, 320), 1_000_000);
        assert_eq!(buffer.utterance(1_010_000), ramp(8_000, 8_160));
        assert_eq!(buffer.start_us(), 500_000);
    }

    #[test]
    fn gaps_are_silence_and_overlaps_are_dropped() {
        let mut buffer = AudioBuffer::default();
        buffer.push(&[1; 160], 0);
        buffer.push(&[2; 160], 20_000);
        buffer.push(&[3; 160], 25_000);
        buffer.open(0);
        let samples = buffer.utterance(1_000_000).to_vec();
        assert_eq!(samples, [vec![1; 160], vec![0; 160], vec![2; 160], vec![3; 80]].concat());
    }

    #[test]
    fn a_long_gap_forgets_what_was_before() {
        let mut buffer = AudioBuffer::default();
        buffer.push(&[1; 160], 0);
        buffer.push(&[2; 160], 5_000_000);
        assert_eq!((buffer.start_us(), buffer.end_us()), (5_000_000, 5_010_000));
    }

    #[test]
    fn an_utterance_without_end_loses_its_end_and_no_memory() {
        let mut buffer = AudioBuffer::default();
        buffer.open(0);
        for block in 0..50 * 60 {
            buffer.push(&ramp(block * 320, 320), block as i64 * 20_000);
        }
        assert_eq!(buffer.samples.len(), MAX_UTTERANCE);
        assert!(buffer.reaches(60_000_000), "nobody waits for more");
        assert_eq!(buffer.utterance(60_000_000)[..8_000], ramp(0, 8_000));
        buffer.close(60_000_000);
        buffer.push(&[7; 320], 60_000_000);
        buffer.open(60_000_000);
        assert_eq!(buffer.utterance(60_020_000), [7; 320]);
    }

    #[test]
    fn closing_keeps_the_beginning_of_the_next_utterance() {
        let mut buffer = AudioBuffer::default();
        buffer.open(0);
        buffer.push(&ramp(0, 16_000), 0);
        buffer.close(800_000);
        buffer.open(700_000);
        assert_eq!(buffer.utterance(1_000_000), ramp(12_800, 3_200));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_whatever_comes(
            pushes in prop::collection::vec((0i64..60_000_000, 1usize..4000, any::<bool>()), 0..200),
        ) {
            let mut buffer = AudioBuffer::default();
            for (at, count, open) in pushes {
                if open { buffer.open(at); }
                buffer.push(&vec![1; count], at);
                prop_assert!(buffer.samples.len() <= MAX_UTTERANCE + MAX_GAP as usize + 4000);
                let end = buffer.end_us();
                buffer.utterance(end);
                if !open { buffer.close(at); }
            }
        }
    }
}
