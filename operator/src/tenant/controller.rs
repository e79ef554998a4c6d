//! Which tenants a change concerns.

use voxplane_crds::names::{self, NamespaceOwner};

use crate::watch::{Change, Extent, ObjectKey, Stores};

/// The tenants to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    let owner = |namespace: &str| match names::owner_of_namespace(namespace) {
        Some(NamespaceOwner::Tenant { agency, tenant }) => {
            vec![ObjectKey::namespaced(names::agency_namespace(&agency), tenant)]
        }
        _ => Vec::new(),
    };
    match change {
        Change::Agency { extent: Extent::Detail, .. } => Vec::new(),
        Change::Agency { name, .. } => Stores::keys_within(&stores.tenants, &names::agency_namespace(name)),
        Change::Tenant(key, extent) => {
            // Its siblings too, if it came or went: one that was one too many may fit now.
            let mut keys = match extent {
                Extent::Existence => Stores::keys_within(&stores.tenants, key.namespace.as_deref().unwrap_or_default()),
                Extent::Detail | Extent::Meaning => Vec::new(),
            };
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            keys
        }
        Change::Namespace { name } => owner(name),
        // The last one to go lets a deleted tenant go.
        Change::VoiceAgent(key, _) | Change::KnowledgeBase(key, _) | Change::PhoneNumber { key, .. } => {
            let tenants = owner(key.namespace.as_deref().unwrap_or_default());
            tenants.into_iter().filter(|tenant| is_being_deleted(tenant, stores)).collect()
        }
        Change::ControlCa | Change::Database => Stores::all_keys(&stores.tenants),
        Change::Pool { .. } | Change::Trunks { .. } => Vec::new(),
    }
}

fn is_being_deleted(tenant: &ObjectKey, stores: &Stores) -> bool {
    let reference = kube::runtime::reflector::ObjectRef::new(&tenant.name);
    let reference = reference.within(tenant.namespace.as_deref().unwrap_or_default());
    stores.tenants.get(&reference).is_some_and(|found| kube::Resource::meta(&*found).deletion_timestamp.is_some())
}
