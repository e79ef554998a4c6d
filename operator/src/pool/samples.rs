//! What was seen of a pool's calls, as far back as scaling looks. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Nothing older is ever asked for: the longest `stabilisationSeconds`.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);
/// Without a sample for this long nothing is known about the pool. Samples come every two seconds.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// A pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Calls on pods that take new ones. Those on draining pods need no room any more.
    pub busy: i32,
    /// Calls that these pods can carry at once.
    pub slots: i32,
    /// Whether every ready pod was heard of. Else there may be more calls than were counted, and no pod is given up.
    pub is_complete: bool,
}

/// The samples of one pool. Of the past it keeps only peaks, because nothing else is asked for: each entry is lower
/// than the one before it, so a busy hour is a few dozen of them.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    peaks: VecDeque<(Instant, i32)>,
    latest: Option<(Instant, Sample)>,
    /// Since when every sample was complete and none was late.
    known_since: Option<Instant>,
}

impl Samples {
    /// Takes note of a sample. Times must not go back.
    pub fn record(&mut self, now: Instant, sample: Sample) {
        let gap = self.latest.is_none_or(|(last, _)| now.saturating_duration_since(last) > STALE_AFTER);
        if gap || !sample.is_complete {
            self.known_since = None;
        }
        if sample.is_complete {
            self.known_since.get_or_insert(now);
        }
        while self.peaks.back().is_some_and(|(_, busy)| *busy <= sample.busy) {
            self.peaks.pop_back();
        }
        self.peaks.push_back((now, sample.busy));
        while self.peaks.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > LONGEST_WINDOW) {
            self.peaks.pop_front();
        }
        self.latest = Some((now, sample));
    }

    /// The newest sample, unless it is too old to mean anything.
    #[must_use]
    pub fn latest(&self, now: Instant) -> Option<Sample> {
        let (at, sample) = self.latest?;
        (now.saturating_duration_since(at) <= STALE_AFTER).then_some(sample)
    }

    /// The most calls at one time within `window`, and how long ago that was the last time.
    #[must_use]
    pub fn peak(&self, now: Instant, window: Duration) -> Option<(i32, Duration)> {
        self.peaks.iter().map(|(at, busy)| (*busy, now.saturating_duration_since(*at))).find(|(_, ago)| *ago <= window)
    }

    /// For how long everything has been known without a gap.
    #[must_use]
    pub fn known_for(&self, now: Instant) -> Option<Duration> {
        self.known_since.map(|since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(busy: i32) -> Sample {
        Sample { busy, slots: 8, is_complete: true }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_gap_or_a_pod_that_was_not_heard_of_ends_what_is_known() {
        let (start, mut samples) = (Instant::now(), Samples::default());
        assert_eq!(samples.latest(start), None);
        for at in 0..5 {
            samples.record(start + seconds(at * 2), seen(1));
        }
        assert_eq!(samples.known_for(start + seconds(8)), Some(seconds(8)));
        assert_eq!(samples.latest(start + seconds(18)), Some(seen(1)));
        assert_eq!(samples.latest(start + seconds(19)), None);
        samples.record(start + seconds(30), seen(1));
        assert_eq!(samples.known_for(start + seconds(30)), Some(seconds(0)));
        samples.record(start + seconds(32), Sample { is_complete: false, ..seen(1) });
        assert_eq!(samples.known_for(start + seconds(32)), None);
    }

    proptest! {
        #[test]
        fn the_peak_of_a_window_is_its_largest_sample(
            calls in prop::collection::vec(0..50_i32, 1..200), window in 0..400_u64,
        ) {
            let (start, mut samples) = (Instant::now(), Samples::default());
            for (index, busy) in (0_u64..).zip(&calls) {
                samples.record(start + seconds(index * 2), seen(*busy));
            }
            let last = u64::try_from(calls.len()).unwrap() - 1;
            let now = start + seconds(last * 2);
            let within = (0_u64..).zip(&calls).filter(|(index, _)| (last - index) * 2 <= window);
            let largest = within.map(|(_, busy)| *busy).max();
            prop_assert_eq!(samples.peak(now, seconds(window)).map(|(busy, _)| busy), largest);
        }
    }
}
