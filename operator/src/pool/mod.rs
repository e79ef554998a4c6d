//! What connected runtime pods report, and the marks on pods that keep a pod with calls alive.
//!
//! | module | job |
//! | --- | --- |
//! | [`sessions`] | reads the sessions of all pools every two seconds, for status and marks |
//! | [`busy`] | which pods need their mark changed; pure |

pub mod busy;
pub mod sessions;

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

/// A connected runtime pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodReport {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Calls it carries.
    pub busy: i32,
}

/// A pool in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolReport {
    /// Calls that connected pods can carry; draining pods do not count.
    pub slots: i32,
    /// Calls that they carry.
    pub busy: i32,
    /// Connected pods by the hash of the credential set that they have read.
    pub by_credentials_hash: BTreeMap<String, i32>,
    /// The connected pods.
    pub pods: Vec<PodReport>,
}

/// The last known numbers of all pools, by the namespace of the pool.
#[derive(Debug, Default)]
pub struct Pools {
    reports: RwLock<HashMap<String, PoolReport>>,
}

impl Pools {
    /// The numbers of the pool in a namespace; `None` when no pod of it is connected.
    #[must_use]
    pub fn report(&self, namespace: &str) -> Option<PoolReport> {
        self.reports.read().unwrap_or_else(PoisonError::into_inner).get(namespace).cloned()
    }

    /// Replaces all numbers. Returns the namespaces whose numbers changed.
    pub fn replace(&self, reports: HashMap<String, PoolReport>) -> Vec<String> {
        let mut known = self.reports.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed: Vec<String> = reports
            .iter()
            .filter(|(namespace, report)| known.get(*namespace) != Some(report))
            .map(|(n, _)| n.clone())
            .collect();
        changed.extend(known.keys().filter(|namespace| !reports.contains_key(*namespace)).cloned());
        changed.sort();
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
        let all = |a, b| HashMap::from([("vx-a--t".to_owned(), report(a)), ("vx-b--t".to_owned(), report(b))]);
        assert_eq!(pools.replace(all(0, 0)), ["vx-a--t", "vx-b--t"]);
        assert_eq!(pools.replace(all(0, 1)), ["vx-b--t"]);
        assert!(pools.replace(all(0, 1)).is_empty());
        assert_eq!(pools.replace(HashMap::from([("vx-a--t".to_owned(), report(0))])), ["vx-b--t"]);
        assert_eq!(pools.report("vx-a--t").map(|report| report.slots), Some(4));
    }
}
