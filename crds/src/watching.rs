//! How the programs that watch the cluster wait before they ask again.

use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::ExponentialBackoff;

/// The longest wait after a failed watch. Whoever waits knows nothing new, so an API server that comes back is noticed
/// within this time; the few watches of a few replicas, spread by jitter, are no load for it.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

const FIRST_WAIT: Duration = Duration::from_millis(400);
/// A watch that last failed this long ago is taken for a good one, and starts again with the first wait.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// Waits that grow up to [`LONGEST_WAIT`], for `WatchStreamExt::backoff`. Without end.
#[must_use]
pub fn backoff() -> WatchBackoff {
    // Jitter lengthens a wait up to twofold.
    let waits = ExponentialBuilder::default()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT / 2)
        .with_jitter()
        .without_max_times();
    WatchBackoff { waits: waits.into(), failed_at: None }
}

/// What [`backoff`] returns.
pub struct WatchBackoff {
    waits: ExponentialBackoff,
    failed_at: Option<Instant>,
}

impl WatchBackoff {
    fn failed(&mut self, now: Instant) -> Option<Duration> {
        let last = self.failed_at.replace(now);
        if last.is_some_and(|last| now.saturating_duration_since(last) > GOOD_AFTER) {
            self.waits.reset();
        }
        self.waits.next()
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.failed(Instant::now())
    }
}

impl Backoff for WatchBackoff {
    /// An event is no proof that the watch is good: each attempt to list begins with one, before it is known whether the
    /// list comes.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_below_the_longest_for_ever() {
        let mut backoff = backoff();
        let mut next = || {
            backoff.reset();
            backoff.next().unwrap()
        };
        let waits: Vec<_> = (0..1_000).map(|_| next()).collect();
        assert!(waits[0] >= FIRST_WAIT && waits[0] <= FIRST_WAIT * 2, "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT), "{:?}", waits.iter().max());
        let late = &waits[10..];
        assert!(late.iter().all(|wait| *wait >= LONGEST_WAIT / 2));
        assert!(late.iter().any(|wait| *wait != late[0]), "replicas that failed together return together");
    }

    #[test]
    fn a_watch_that_was_good_for_a_while_starts_with_the_first_wait() {
        let (mut backoff, start) = (backoff(), Instant::now());
        for second in 0..10 {
            backoff.failed(start + Duration::from_secs(second));
        }
        let after = |seconds: u64| start + Duration::from_secs(9 + seconds);
        assert!(backoff.failed(after(20)).unwrap() >= LONGEST_WAIT / 2);
        assert!(backoff.failed(after(55)).unwrap() <= FIRST_WAIT * 2);
    }
}
