//! What connected runtime pods report, the marks on pods that keep a pod with calls alive, and how many pods there
//! should be.
//!
//! | module | job |
//! | --- | --- |
//! | [`sessions`] | reads the sessions of all pools every two seconds, for status and marks |
//! | [`busy`] | which pods need their marks changed; pure |
//! | [`samples`] | what was seen of a pool's calls, as far back as scaling looks; pure |
//! | [`scaling`] | how many pods a pool should have; pure |
//! | [`scalers`] | the memory behind it |
//! | [`closed_nodes`] | how pods leave a node that takes no new ones; pure |
//! | [`pods`], [`replicas`] | what pods and Deployments say about that; pure |
//! | [`substitutes`] | the memory behind it |

pub mod busy;
pub mod closed_nodes;
pub mod pods;
pub mod replicas;
pub mod samples;
pub mod scalers;
pub mod scaling;
pub mod sessions;
pub mod substitutes;

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

use voxplane_crds::names::PoolId;

use scalers::Scalers;
use substitutes::Substitutes;

/// A connected runtime pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodReport {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Calls it carries.
    pub busy: i32,
    /// Whether it takes new calls.
    pub takes_calls: bool,
}

/// A pool in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolReport {
    /// Calls that connected pods can carry; draining pods do not count.
    pub slots: i32,
    /// Calls that they carry, and draining ones.
    pub busy: i32,
    /// Connected pods that take new calls.
    pub active: i32,
    /// Calls that these carry.
    pub active_busy: i32,
    /// Connected pods by the hash of the credential set that they have read.
    pub by_credentials_hash: BTreeMap<String, i32>,
    /// The connected pods.
    pub pods: Vec<PodReport>,
}

/// The last known numbers of all pools, and what scaling remembers of them.
#[derive(Debug, Default)]
pub struct Pools {
    reports: RwLock<HashMap<PoolId, PoolReport>>,
    /// The pools that the operator scales.
    pub scalers: Scalers,
    /// The pools that have pods on closed nodes.
    pub substitutes: Substitutes,
}

impl Pools {
    /// The numbers of a pool; `None` when no pod of it is connected.
    #[must_use]
    pub fn report(&self, pool: &PoolId) -> Option<PoolReport> {
        self.reports.read().unwrap_or_else(PoisonError::into_inner).get(pool).cloned()
    }

    /// Replaces all numbers. Returns the namespaces with pools whose numbers changed.
    pub fn replace(&self, reports: HashMap<PoolId, PoolReport>) -> Vec<String> {
        let mut known = self.reports.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed: Vec<String> = reports
            .iter()
            .filter(|(pool, report)| known.get(*pool) != Some(report))
            .map(|(pool, _)| pool.namespace().to_owned())
            .collect();
        changed
            .extend(known.keys().filter(|pool| !reports.contains_key(*pool)).map(|pool| pool.namespace().to_owned()));
        changed.sort();
        changed.dedup();
        *known = reports;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pools_whose_numbers_changed_are_looked_at_again() {
        let pools = Pools::default();
        let report = |busy| PoolReport { slots: 4, busy, ..PoolReport::default() };
        let (a, b) = (PoolId::pooled("a", "t"), PoolId::pooled("b", "t"));
        let all = |in_a, in_b| HashMap::from([(a.clone(), report(in_a)), (b.clone(), report(in_b))]);
        assert_eq!(pools.replace(all(0, 0)), ["vx-a--t", "vx-b--t"]);
        assert_eq!(pools.replace(all(0, 1)), ["vx-b--t"]);
        assert!(pools.replace(all(0, 1)).is_empty());
        let own = PoolId::dedicated_in("vx-b--t", "night");
        let more = HashMap::from([(a.clone(), report(0)), (b.clone(), report(2)), (own, report(0))]);
        assert_eq!(pools.replace(more), ["vx-b--t"], "two pools of a tenant are one namespace");
        assert_eq!(pools.replace(HashMap::from([(a.clone(), report(0))])), ["vx-b--t"]);
        assert_eq!(pools.report(&a).map(|report| report.slots), Some(4));
        assert_eq!(pools.report(&b), None);
    }
}
