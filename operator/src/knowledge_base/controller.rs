//! Which knowledge bases a change concerns.

use voxplane_crds::names::{self, NamespaceOwner};

use crate::watch::{Change, Extent, ObjectKey, Stores};

/// The knowledge bases to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    match change {
        Change::Agency { extent: Extent::Detail, .. } | Change::Tenant(_, Extent::Detail) => Vec::new(),
        Change::Agency { name, .. } => Stores::keys_of_agency(&stores.knowledge, name),
        Change::Tenant(key, _) => match names::owner_of_namespace(key.namespace.as_deref().unwrap_or_default()) {
            Some(NamespaceOwner::Agency(agency)) => {
                Stores::keys_within(&stores.knowledge, &names::tenant_namespace(&agency, &key.name))
            }
            _ => Vec::new(),
        },
        Change::KnowledgeBase(key, _) => vec![key.clone()],
        Change::Database => Stores::all_keys(&stores.knowledge),
        Change::VoiceAgent(..)
        | Change::PhoneNumber { .. }
        | Change::Namespace { .. }
        | Change::Pool { .. }
        | Change::Trunks { .. }
        | Change::ControlCa => Vec::new(),
    }
}
