//! Which phone numbers a change concerns.

use voxplane_crds::PhoneNumber;
use voxplane_crds::names::{self, NamespaceOwner};

use crate::watch::{Change, Extent, ObjectKey, Stores, decoded};

/// The phone numbers to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    match change {
        // Its grants decide about every number of its tenants, and so about the same numbers elsewhere.
        Change::Agency { extent: Extent::Detail, .. } | Change::Tenant(_, Extent::Detail) => Vec::new(),
        Change::Agency { name, .. } => {
            let mut keys = Stores::keys_of_agency(&stores.numbers, name);
            let rivals: Vec<_> = keys.iter().filter_map(|key| number_of(key, stores)).collect();
            for number in rivals {
                keys.extend(same_number(&number, stores));
            }
            keys.sort();
            keys.dedup();
            keys
        }
        Change::Trunks { agency } => Stores::keys_of_agency(&stores.numbers, agency),
        Change::Tenant(key, _) => match names::owner_of_namespace(key.namespace.as_deref().unwrap_or_default()) {
            Some(NamespaceOwner::Agency(agency)) => {
                Stores::keys_within(&stores.numbers, &names::tenant_namespace(&agency, &key.name))
            }
            _ => Vec::new(),
        },
        Change::PhoneNumber { key, extent: Extent::Detail, .. } => vec![key.clone()],
        Change::PhoneNumber { key, number, .. } => {
            let mut keys = number.as_deref().map(|number| same_number(number, stores)).unwrap_or_default();
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            for sibling in number.as_deref().map(|number| showing(key, number, stores)).unwrap_or_default() {
                if !keys.contains(&sibling) {
                    keys.push(sibling);
                }
            }
            keys
        }
        Change::VoiceAgent(agent, _) => stores
            .numbers
            .within(agent.namespace.as_deref().unwrap_or_default())
            .iter()
            .filter(|number| decoded(number).is_some_and(|number| names(number, &agent.name)))
            .map(|number| ObjectKey::of(&**number))
            .collect(),
        Change::Database => Stores::all_keys(&stores.numbers),
        Change::KnowledgeBase(..) | Change::Namespace { .. } | Change::Pool { .. } | Change::ControlCa => Vec::new(),
    }
}

fn names(number: &PhoneNumber, agent: &str) -> bool {
    number.spec.agents().any(|(_, name)| name == agent)
}

fn number_of(key: &ObjectKey, stores: &Stores) -> Option<String> {
    let reference = kube::runtime::reflector::ObjectRef::new(&key.name);
    let found = stores.numbers.get(&reference.within(key.namespace.as_deref().unwrap_or_default()))?;
    decoded(&found).and_then(|number| number.number().map(str::to_owned))
}

/// Those of the same tenant that show this number to whom they call.
fn showing(key: &ObjectKey, number: &str, stores: &Stores) -> Vec<ObjectKey> {
    stores
        .numbers
        .within(key.namespace.as_deref().unwrap_or_default())
        .iter()
        .filter(|other| {
            let shown = decoded(other).and_then(|other| other.outbound()?.caller_id.as_deref());
            shown == Some(number)
        })
        .map(|other| ObjectKey::of(&**other))
        .collect()
}

fn same_number(number: &str, stores: &Stores) -> Vec<ObjectKey> {
    stores
        .numbers
        .state_filter(|other| decoded(other).is_some_and(|other| other.number() == Some(number)))
        .iter()
        .map(|other| ObjectKey::of(&**other))
        .collect()
}
