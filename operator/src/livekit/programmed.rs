//! What is known to be programmed in LiveKit, so that PhoneNumbers can say so without asking LiveKit each.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use voxplane_telephony::E164;

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
}

/// The last known state per agency. Empty after a start: every agency has its pass then.
#[derive(Debug, Default)]
pub struct Programmed {
    agencies: Mutex<HashMap<String, Vec<Connection>>>,
}

impl Programmed {
    /// Notes the state of an agency. Returns whether it differs from the last one.
    pub fn put(&self, agency: &str, connections: Vec<Connection>) -> bool {
        let mut agencies = self.lock();
        if agencies.get(agency) == Some(&connections) {
            return false;
        }
        agencies.insert(agency.to_owned(), connections);
        true
    }

    /// The agency is gone.
    pub fn forget(&self, agency: &str) {
        self.lock().remove(agency);
    }

    /// All connections of an agency.
    #[must_use]
    pub fn all(&self, agency: &str) -> Vec<Connection> {
        self.lock().get(agency).cloned().unwrap_or_default()
    }

    /// A connection of an agency. `None`: nothing is known yet.
    #[must_use]
    pub fn get(&self, agency: &str, carrier: &str) -> Option<Connection> {
        self.lock().get(agency)?.iter().find(|connection| connection.carrier == carrier).cloned()
    }

    /// Whether any connection of an agency still has a number. `None`: nothing is known yet.
    #[must_use]
    pub fn has_number(&self, agency: &str, number: &E164) -> Option<bool> {
        Some(self.lock().get(agency)?.iter().any(|connection| connection.numbers.contains(number)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.agencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
