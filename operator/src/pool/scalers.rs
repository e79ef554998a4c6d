//! The memory behind scaling: what was seen of every pool that the operator scales, and what it decided last.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use voxplane_crds::names::PoolId;

use super::PoolReport;
use super::samples::{Sample, Samples};
use super::scaling::{Decision, Policy, decide};

/// The pools that the operator scales.
#[derive(Debug, Default)]
pub struct Scalers {
    pools: Mutex<HashMap<PoolId, Pool>>,
}

#[derive(Debug, Default)]
struct Pool {
    samples: Samples,
    /// What was decided last. The cached Deployment may be older than that.
    decided: Option<i32>,
}

/// A decision, and whether it is another than the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is decided.
    pub decision: Decision,
    /// The number of pods until now, if it is another.
    pub instead_of: Option<i32>,
}

impl Scalers {
    /// Decides about a pool whose Deployment asks for `deployed` pods, if it exists. Of passes that run at the same time
    /// only one is told that something changed.
    pub fn decide(&self, pool: &PoolId, policy: &Policy, deployed: Option<i32>, now: Instant) -> Verdict {
        let mut pools = self.lock();
        let known = pools.entry(pool.clone()).or_default();
        let before = known.decided.or(deployed);
        let decision = decide(&known.samples, policy, before.unwrap_or_else(|| policy.floor()), now);
        known.decided = Some(decision.replicas);
        Verdict { instead_of: before.filter(|before| *before != decision.replicas), decision }
    }

    /// Forgets a pool that somebody else scales, or that is gone.
    pub fn forget(&self, pool: &PoolId) {
        self.lock().remove(pool);
    }

    /// The pools that are scaled here.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolId> {
        self.lock().keys().cloned().collect()
    }

    /// Takes note of a pool at one moment.
    pub fn record(&self, pool: &PoolId, sample: Sample, now: Instant) {
        if let Some(known) = self.lock().get_mut(pool) {
            known.samples.record(now, sample);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PoolId, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What connected pods and the Deployment say together. Pods that are ready but not connected may carry calls that
/// nobody counts: with none connected at all, nothing is known.
#[must_use]
pub fn sample(report: Option<&PoolReport>, ready: i32) -> Option<Sample> {
    match report {
        Some(report) => {
            Some(Sample { busy: report.active_busy, slots: report.slots, is_complete: report.active >= ready })
        }
        None if ready == 0 => Some(Sample { busy: 0, slots: 0, is_complete: true }),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scaling::{Headroom, Reason};
    use super::*;
    use std::time::Duration;

    fn policy() -> Policy {
        Policy {
            min: 1,
            max: 10,
            warm_minimum: 1,
            is_open: true,
            headroom: Headroom::Slots(1),
            stabilisation: Duration::from_secs(60),
            calls_per_replica: 2,
            caps: Vec::new(),
        }
    }

    fn busy(busy: i32) -> Sample {
        Sample { busy, slots: 20, is_complete: true }
    }

    #[test]
    fn a_change_is_told_once_and_an_old_cache_takes_nothing_back() {
        let (scalers, pool, now) = (Scalers::default(), PoolId::pooled("a", "t"), Instant::now());
        let first = scalers.decide(&pool, &policy(), None, now);
        assert_eq!((first.decision.replicas, first.instead_of), (1, None), "a new pool is no change");
        scalers.record(&pool, busy(5), now);
        let more = scalers.decide(&pool, &policy(), Some(1), now);
        assert_eq!((more.decision.replicas, more.decision.reason, more.instead_of), (3, Reason::MoreCalls, Some(1)));
        scalers.record(&pool, busy(0), now + Duration::from_secs(2));
        let again = scalers.decide(&pool, &policy(), Some(1), now + Duration::from_secs(2));
        assert_eq!((again.decision.replicas, again.instead_of), (3, None), "the Deployment has not been seen yet");
    }

    #[test]
    fn a_new_leader_goes_on_from_the_deployment() {
        let (scalers, pool, now) = (Scalers::default(), PoolId::pooled("a", "t"), Instant::now());
        let verdict = scalers.decide(&pool, &policy(), Some(7), now);
        assert_eq!((verdict.decision.replicas, verdict.decision.reason), (7, Reason::Unknown));
        scalers.forget(&pool);
        assert!(scalers.pools().is_empty());
    }

    #[test]
    fn ready_pods_that_are_not_connected_hide_calls() {
        let report = |active| PoolReport { active, active_busy: 3, slots: 8, ..PoolReport::default() };
        assert_eq!(sample(Some(&report(2)), 2).map(|sample| (sample.busy, sample.is_complete)), Some((3, true)));
        assert_eq!(sample(Some(&report(1)), 2).map(|sample| sample.is_complete), Some(false));
        assert_eq!(sample(None, 1), None, "the API may be away while calls go on");
        assert_eq!(sample(None, 0).map(|sample| (sample.busy, sample.is_complete)), Some((0, true)));
    }
}
