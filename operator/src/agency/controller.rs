//! Which agencies a change concerns.

use voxplane_crds::PhoneNumber;
use voxplane_crds::names::{self, NamespaceOwner};

use crate::watch::{Change, Extent, ObjectKey, Stores, decoded};

/// The agencies to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    let owner = |namespace: &str| match names::owner_of_namespace(namespace) {
        Some(NamespaceOwner::Agency(agency) | NamespaceOwner::Tenant { agency, .. }) => {
            vec![ObjectKey::cluster(agency)]
        }
        None => Vec::new(),
    };
    match change {
        Change::Agency { name, .. } => vec![ObjectKey::cluster(name)],
        // Counted in the status; and the last one to go lets a deleted agency go.
        Change::Tenant(_, extent) if *extent < Extent::Existence => Vec::new(),
        Change::Tenant(key, _) => owner(key.namespace.as_deref().unwrap_or_default()),
        Change::PhoneNumber { extent: Extent::Detail, .. } => Vec::new(),
        Change::PhoneNumber { key, number, .. } => {
            let mut agencies = owner(key.namespace.as_deref().unwrap_or_default());
            // A number that one tenant gives up may pass to a tenant of another agency.
            let rivals = stores.numbers.state_filter(|other| {
                number.is_some() && decoded(other).and_then(PhoneNumber::number) == number.as_deref()
            });
            for rival in rivals {
                agencies.extend(owner(kube::Resource::meta(&*rival).namespace.as_deref().unwrap_or_default()));
            }
            agencies.sort();
            agencies.dedup();
            agencies
        }
        Change::Namespace { name } => match names::owner_of_namespace(name) {
            Some(NamespaceOwner::Agency(agency)) => vec![ObjectKey::cluster(agency)],
            _ => Vec::new(),
        },
        Change::Database => Stores::all_keys(&stores.agencies),
        Change::VoiceAgent(..)
        | Change::KnowledgeBase(..)
        | Change::Pool { .. }
        | Change::Trunks { .. }
        | Change::ControlCa => Vec::new(),
    }
}
