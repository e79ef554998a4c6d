//! What is known to be programmed in LiveKit, so that PhoneNumbers can say so without asking LiveKit each, and what
//! should be, so that drift is seen without asking Kubernetes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use voxplane_telephony::E164;

use super::desired::{Holder, Wanted};

/// A carrier connection in LiveKit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub carrier: String,
    /// Id of its trunk; none while no number is claimed.
    pub trunk_id: Option<String>,
    /// Id of its rule, likewise.
    pub rule_id: Option<String>,
    /// The numbers that are on the trunk.
    pub numbers: BTreeSet<E164>,
    /// Claimed numbers that cannot be put on the trunk, because they are on one that does not belong to the agency.
    pub blocked: BTreeSet<E164>,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// The trunk over which calls are placed; none while there is none.
    pub outbound: Option<CallingTrunk>,
    /// What is wrong with that trunk.
    pub outbound_problem: Option<String>,
}

/// A trunk over which calls are placed, in LiveKit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallingTrunk {
    /// Its id.
    pub trunk_id: String,
    /// The numbers that those who are called may see.
    pub caller_ids: BTreeSet<E164>,
}

/// What the last pass over an agency wanted.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The agency.
    pub holder: Holder,
    /// Its connections.
    pub wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Entry {
    goal: Goal,
    connections: Vec<Connection>,
}

/// The last known state per agency. Empty after a start: every agency has its pass then.
#[derive(Debug, Default)]
pub struct Programmed {
    agencies: Mutex<HashMap<String, Entry>>,
}

impl Programmed {
    /// Notes the state of an agency after a pass that wanted `goal`. Returns whether the state differs from the last one.
    pub fn put(&self, goal: Goal, connections: Vec<Connection>) -> bool {
        let mut agencies = self.lock();
        let differs = agencies.get(&goal.holder.agency).is_none_or(|last| last.connections != connections);
        agencies.insert(goal.holder.agency.clone(), Entry { goal, connections });
        differs
    }

    /// What the last passes wanted, of every agency that had one.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        self.lock().values().map(|entry| entry.goal.clone()).collect()
    }

    /// The agency is gone.
    pub fn forget(&self, agency: &str) {
        self.lock().remove(agency);
    }

    /// All connections of an agency.
    #[must_use]
    pub fn all(&self, agency: &str) -> Vec<Connection> {
        self.lock().get(agency).map(|entry| entry.connections.clone()).unwrap_or_default()
    }

    /// A connection of an agency. `None`: nothing is known yet.
    #[must_use]
    pub fn get(&self, agency: &str, carrier: &str) -> Option<Connection> {
        self.lock().get(agency)?.connections.iter().find(|connection| connection.carrier == carrier).cloned()
    }

    /// Whether any connection of an agency still has a number. `None`: nothing is known yet.
    #[must_use]
    pub fn has_number(&self, agency: &str, number: &E164) -> Option<bool> {
        Some(self.lock().get(agency)?.connections.iter().any(|connection| connection.numbers.contains(number)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.agencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
