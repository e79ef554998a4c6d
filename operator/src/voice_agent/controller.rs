//! Which voice agents a change concerns.

use voxplane_crds::VoiceAgent;
use voxplane_crds::names;

use crate::watch::{Change, ObjectKey, Stores, decoded};

/// The voice agents to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    let all_in = |namespace: &str| Stores::keys_within(&stores.agents, namespace);
    match change {
        Change::Agency { name } => Stores::keys_of_agency(&stores.agents, name),
        Change::Tenant(key) => match names::owner_of_namespace(key.namespace.as_deref().unwrap_or_default()) {
            Some(names::NamespaceOwner::Agency(agency)) => all_in(&names::tenant_namespace(&agency, &key.name)),
            _ => Vec::new(),
        },
        // The pool is built from all agents of the tenant.
        Change::VoiceAgent(key) => {
            let mut keys = all_in(key.namespace.as_deref().unwrap_or_default());
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            keys
        }
        Change::KnowledgeBase(key) => {
            let refers = |agent: &VoiceAgent| agent.spec.knowledge_bases.iter().any(|base| base.name == key.name);
            Stores::within(&stores.agents, key.namespace.as_deref().unwrap_or_default())
                .iter()
                .filter(|agent| decoded(agent).is_some_and(refers))
                .map(|agent| ObjectKey::of(&**agent))
                .collect()
        }
        Change::Pool { namespace } => all_in(namespace),
        Change::Database => Stores::all_keys(&stores.agents),
        Change::PhoneNumber { .. } | Change::Namespace { .. } | Change::Trunks { .. } | Change::ControlCa => Vec::new(),
    }
}
