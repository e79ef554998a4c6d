//! How many pods a pool should have. Pure: the samples, the policy and the time go in, a number and a reason come out.
//!
//! More pods come at once, fewer only when they were not needed for a while. What is not known is never a reason to
//! give up a pod: while the API or the database is away, calls go on that nobody counts.

use std::time::{Duration, Instant};

use super::samples::Samples;

/// Slots kept free beside the calls under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headroom {
    /// So many.
    Slots(i32),
    /// In percent of the calls, and at least one.
    Percent(i32),
}

impl Headroom {
    /// Free slots beside `busy` calls.
    #[must_use]
    pub fn beside(self, busy: i32) -> i32 {
        match self {
            Self::Slots(slots) => slots,
            Self::Percent(percent) => divide_up(busy.saturating_mul(percent), 100).max(1),
        }
    }
}

/// What bounds the number of pods from above, beside the agent's own `max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The most pods that are of use or allowed.
    pub pods: i32,
    /// The field that says so, for people.
    pub field: &'static str,
}

/// By which rules a pool is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The fewest pods while calls may come.
    pub min: i32,
    /// The most pods.
    pub max: i32,
    /// The fewest pods while none can come.
    pub warm_minimum: i32,
    /// Whether calls may come.
    pub is_open: bool,
    /// Slots kept free.
    pub headroom: Headroom,
    /// For how long a pod must not have been needed before it is given up.
    pub stabilisation: Duration,
    /// Calls per pod.
    pub calls_per_replica: i32,
    /// What the tenant's quotas allow.
    pub caps: Vec<Cap>,
}

impl Policy {
    /// The most pods, and the field that says so.
    #[must_use]
    pub fn ceiling(&self) -> (i32, &'static str) {
        let own = (self.max, "spec.runtime.scaling.max");
        let caps = self.caps.iter().map(|cap| (cap.pods.max(0), cap.field));
        caps.fold(own, |least, cap| if cap.0 < least.0 { cap } else { least })
    }

    /// The fewest pods.
    #[must_use]
    pub fn floor(&self) -> i32 {
        let floor = if self.is_open { self.min } else { self.warm_minimum };
        floor.min(self.ceiling().0)
    }

    /// Pods that `busy` calls need, headroom included, whatever the bounds are.
    #[must_use]
    pub fn needed(&self, busy: i32) -> i32 {
        // No call can come: those under way keep their pods, nobody else needs room.
        let headroom = if self.is_open { self.headroom.beside(busy) } else { 0 };
        divide_up(busy.saturating_add(headroom), self.calls_per_replica.max(1))
    }
}

/// Why a pool has as many pods as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// As many as the calls need.
    Steady,
    /// Calls need more.
    MoreCalls,
    /// Calls have needed fewer for a while.
    FewerCalls,
    /// Calls need fewer, but not for long enough.
    Stabilising,
    /// The least that is asked for.
    AtMinimum,
    /// Calls need more than there may be.
    AtMaximum,
    /// No call can come.
    Closed,
    /// Nobody can say how many calls there are.
    Unknown,
}

impl Reason {
    /// The word in status and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::MoreCalls => "MoreCalls",
            Self::FewerCalls => "FewerCalls",
            Self::Stabilising => "Stabilising",
            Self::AtMinimum => "AtMinimum",
            Self::AtMaximum => "AtMaximum",
            Self::Closed => "Closed",
            Self::Unknown => "Unknown",
        }
    }
}

/// What is decided about a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Pods it should have.
    pub replicas: i32,
    /// Why, in a word.
    pub reason: Reason,
    /// Why, in a sentence.
    pub message: String,
    /// When time alone may lead to another decision.
    pub look_again: Option<Duration>,
}

/// Decides how many pods a pool should have that should have had `current` until now.
#[must_use]
pub fn decide(samples: &Samples, policy: &Policy, current: i32, now: Instant) -> Decision {
    let ((ceiling, limit), floor) = (policy.ceiling(), policy.floor());
    let Some(latest) = samples.latest(now) else {
        let message = "how many calls there are is not known: no pod is given up".to_owned();
        return Decision {
            replicas: current.clamp(floor, ceiling),
            reason: Reason::Unknown,
            message,
            look_again: None,
        };
    };
    let needed = policy.needed(latest.busy);
    let wanted = needed.clamp(floor, ceiling);
    let decision =
        |replicas: i32, reason: Reason, message: String| Decision { replicas, reason, message, look_again: None };
    let load = load(policy, latest.busy);
    if needed > ceiling {
        // Above the ceiling nothing is kept, however many calls there are: pods that are given up finish theirs.
        return decision(ceiling, Reason::AtMaximum, format!("{load}; {limit} allows {ceiling} pods"));
    }
    if wanted > current {
        let reason = if wanted == floor { Reason::AtMinimum } else { Reason::MoreCalls };
        return decision(wanted, reason, load);
    }
    let current = current.min(ceiling);
    let resting = |replicas: i32, changed: Reason| match (policy.is_open, needed < floor) {
        (false, _) => Reason::Closed,
        (true, true) if replicas == floor => Reason::AtMinimum,
        _ => changed,
    };
    if wanted == current {
        return decision(current, resting(current, Reason::Steady), load);
    }
    let window = policy.stabilisation;
    let wait = |message: String, left: Duration| Decision {
        replicas: current,
        reason: Reason::Stabilising,
        message,
        look_again: Some(left),
    };
    match samples.known_for(now) {
        Some(known) if known >= window => {}
        known => {
            let left = window.saturating_sub(known.unwrap_or_default());
            return wait(format!("{load}; all calls must have been known for {} s", window.as_secs()), left);
        }
    }
    let (peak, ago) = samples.peak(now, window).unwrap_or((latest.busy, Duration::ZERO));
    let calm = policy.needed(peak).clamp(floor, ceiling).max(wanted);
    if calm >= current {
        let message = format!("{load}; {peak} calls within the last {} s needed more", window.as_secs());
        return wait(message, window.saturating_sub(ago));
    }
    Decision {
        look_again: (calm > wanted).then(|| window.saturating_sub(ago)),
        ..decision(calm, resting(calm, Reason::FewerCalls), load)
    }
}

fn load(policy: &Policy, busy: i32) -> String {
    if policy.is_open {
        let headroom = policy.headroom.beside(busy);
        format!("{busy} calls and {headroom} free slots, {} per pod", policy.calls_per_replica)
    } else {
        format!("{busy} calls, and no call can come, {} per pod", policy.calls_per_replica)
    }
}

/// Rounded up: a call that needs a part of a pod needs a pod.
#[must_use]
pub fn divide_up(count: i32, by: i32) -> i32 {
    count.saturating_add(by - 1) / by
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
