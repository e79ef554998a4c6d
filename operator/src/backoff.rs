//! How long to wait after a failed pass: per object, exponential, with jitter.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::watch::ObjectKey;

/// The wait after the first failure: a RoleBinding or another controller's write is usually seen by then.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(120);
/// A wait is shortened by up to this part of it, so that objects which failed together do not return together.
const JITTER: f64 = 0.3;

/// Counts the failures in a row of the objects of one kind.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<ObjectKey, u32>>,
}

impl Backoff {
    /// Notes a failure and says how long to wait. `chance` is uniform in 0..1.
    pub fn failed(&self, object: &ObjectKey, chance: f64) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(object.clone()).or_insert(0);
        let wait = wait(*count, chance);
        *count = count.saturating_add(1);
        wait
    }

    /// The pass succeeded, or the object is gone.
    pub fn forget(&self, object: &ObjectKey) {
        self.lock().remove(object);
    }

    /// How many objects wait after a failure.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(earlier_failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(earlier_failures.min(16)));
    doubled.min(LONGEST).mul_f64(1.0 - JITTER * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_per_object_up_to_a_bound_and_start_again_after_success() {
        let backoff = Backoff::default();
        let (one, other) = (ObjectKey::cluster("one"), ObjectKey::cluster("other"));
        let waits: Vec<_> = (0..4).map(|_| backoff.failed(&one, 0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000]);
        assert_eq!(backoff.failed(&other, 0.0).as_millis(), 500);
        assert_eq!(backoff.waiting(), 2);
        backoff.forget(&one);
        assert_eq!(backoff.failed(&one, 0.0).as_millis(), 500);
        assert_eq!(wait(u32::MAX, 0.0), LONGEST);
    }

    #[test]
    fn jitter_only_shortens() {
        assert_eq!(wait(1, 1.0), Duration::from_millis(700));
        assert!(wait(3, 0.5) < wait(3, 0.0));
    }
}
