//! When what a carrier was told is looked at again. Lost with the process: after a start all of it is looked at within
//! [`CHECK_EVERY`], spread over it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use voxplane_crds::phone_number::FallbackStatus;

use super::spread;
use crate::status::Problem;
use crate::watch::ObjectKey;

/// How often the carrier is asked whether it still has what it was told. Each number with a fallback is one request.
pub const CHECK_EVERY: Duration = Duration::from_secs(1_800);

/// What is remembered of one number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Nothing is asked before this time.
    pub not_before: Option<Timestamp>,
    /// Failures in a row.
    pub failures: i32,
    /// The last failure, if somebody has to know.
    pub problem: Option<Problem>,
}

impl Memory {
    /// All is well: to be looked at again after a while.
    #[must_use]
    pub fn well(now: Timestamp) -> Self {
        Self { not_before: after(now, CHECK_EVERY), ..Self::default() }
    }

    /// How long nothing is asked; none: it is time.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let left = self.not_before?.duration_since(now);
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// When it goes on.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Duration {
        self.wait(now).unwrap_or_default()
    }
}

/// The moment `wait` after `now`.
pub(super) fn after(now: Timestamp, wait: Duration) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(wait).ok()?).ok()
}

/// What is remembered of all numbers.
#[derive(Debug, Default)]
pub struct Fallbacks {
    numbers: Mutex<HashMap<ObjectKey, Memory>>,
}

impl Fallbacks {
    /// What is remembered of a number. `id`: its own, for when it is looked at first.
    #[must_use]
    pub fn get(&self, key: &ObjectKey, id: Uuid, now: Timestamp) -> Memory {
        let known = self.lock().get(key).cloned();
        known.unwrap_or_else(|| Memory { not_before: after(now, spread(id, CHECK_EVERY)), ..Memory::default() })
    }

    /// Remembers; nothing, when the carrier has nothing of ours.
    pub fn put(&self, key: ObjectKey, told: Option<&FallbackStatus>, memory: Memory) {
        match told {
            Some(_) => drop(self.lock().insert(key, memory)),
            None => drop(self.lock().remove(&key)),
        }
    }

    /// It is about to be told something else, or the number is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Memory>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
