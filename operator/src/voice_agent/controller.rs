//! Which voice agents a change concerns.

use voxplane_crds::VoiceAgent;
use voxplane_crds::names;

use super::membership;
use crate::watch::{Change, Extent, ObjectKey, Stores, decoded};

/// The voice agents to look at again after `change`.
#[must_use]
pub fn affected(change: &Change, stores: &Stores) -> Vec<ObjectKey> {
    let all_in = |namespace: &str| Stores::keys_within(&stores.agents, namespace);
    match change {
        Change::Agency { extent: Extent::Detail, .. } | Change::Tenant(_, Extent::Detail) => Vec::new(),
        Change::Agency { name, .. } => Stores::keys_of_agency(&stores.agents, name),
        Change::Tenant(key, _) => match names::owner_of_namespace(key.namespace.as_deref().unwrap_or_default()) {
            Some(names::NamespaceOwner::Agency(agency)) => all_in(&names::tenant_namespace(&agency, &key.name)),
            _ => Vec::new(),
        },
        Change::VoiceAgent(key, Extent::Detail) => vec![key.clone()],
        // A pool is built from all agents that share it.
        Change::VoiceAgent(key, _) => {
            let mut keys = all_in(key.namespace.as_deref().unwrap_or_default());
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            keys
        }
        Change::KnowledgeBase(_, Extent::Detail | Extent::Meaning) => Vec::new(),
        Change::KnowledgeBase(key, Extent::Existence) => {
            let refers = |agent: &VoiceAgent| agent.spec.knowledge_bases.iter().any(|base| base.name == key.name);
            stores
                .agents
                .within(key.namespace.as_deref().unwrap_or_default())
                .iter()
                .filter(|agent| decoded(agent).is_some_and(refers))
                .map(|agent| ObjectKey::of(&**agent))
                .collect()
        }
        Change::Pool { namespace, deployment: Some(deployment) } => {
            let uses = |agent: &VoiceAgent| membership::may_use(agent, deployment);
            let agents = stores.agents.within(namespace);
            let users: Vec<_> = agents
                .iter()
                .filter(|agent| decoded(agent).is_none_or(uses))
                .map(|agent| ObjectKey::of(&**agent))
                .collect();
            // A pool that nobody uses is taken down by whoever comes first.
            if users.is_empty() { all_in(namespace) } else { users }
        }
        Change::Pool { namespace, deployment: None } => all_in(namespace),
        Change::Database => Stores::all_keys(&stores.agents),
        Change::PhoneNumber { .. } | Change::Namespace { .. } | Change::Trunks { .. } | Change::ControlCa => Vec::new(),
    }
}
