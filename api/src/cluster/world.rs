//! What Kubernetes says right now: reflector stores, and look-ups over them.

use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};
use uuid::Uuid;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::status::CommonStatus;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

/// The reflector stores of the five kinds; cheap to clone, always current.
#[derive(Clone)]
pub struct Directory {
    /// Agencies.
    pub agencies: Store<Agency>,
    /// Tenants.
    pub tenants: Store<Tenant>,
    /// Voice agents.
    pub agents: Store<VoiceAgent>,
    /// Phone numbers.
    pub numbers: Store<PhoneNumber>,
    /// Knowledge bases.
    pub bases: Store<KnowledgeBase>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("numbers", &self.numbers.len()).finish_non_exhaustive()
    }
}

/// The id of an object, once the operator has registered it.
pub fn id_of(status: Option<&impl CommonStatus>) -> Option<Uuid> {
    status.and_then(CommonStatus::id).and_then(|id| id.parse().ok())
}

/// Ids of agency and tenant, when both are registered.
pub fn ids(agency: &Agency, tenant: &Tenant) -> Option<(Uuid, Uuid)> {
    Some((id_of(agency.status.as_ref())?, id_of(tenant.status.as_ref())?))
}

impl Directory {
    /// The agency called `name`.
    pub fn agency(&self, name: &str) -> Option<Arc<Agency>> {
        self.agencies.get(&ObjectRef::new(name))
    }

    /// Agency and tenant that own a tenant namespace.
    pub fn owners(&self, namespace: &str) -> Option<(Arc<Agency>, Arc<Tenant>)> {
        let Some(NamespaceOwner::Tenant { agency, tenant }) = names::owner_of_namespace(namespace) else {
            return None;
        };
        let home = names::agency_namespace(&agency);
        Some((self.agency(&agency)?, self.tenants.get(&ObjectRef::new(&tenant).within(&home))?))
    }

    /// The agency whose namespace this is.
    pub fn agency_of_namespace(&self, namespace: &str) -> Option<Arc<Agency>> {
        match names::owner_of_namespace(namespace)? {
            NamespaceOwner::Agency(agency) | NamespaceOwner::Tenant { agency, .. } => self.agency(&agency),
        }
    }

    /// A voice agent by namespace and name.
    pub fn agent(&self, namespace: &str, name: &str) -> Option<Arc<VoiceAgent>> {
        self.agents.get(&ObjectRef::new(name).within(namespace))
    }

    /// A voice agent by its id.
    pub fn agent_by_id(&self, id: Uuid) -> Option<Arc<VoiceAgent>> {
        self.agents.find(|agent| id_of(agent.status.as_ref()) == Some(id))
    }

    /// A tenant by its id.
    pub fn tenant_by_id(&self, id: Uuid) -> Option<Arc<Tenant>> {
        self.tenants.find(|tenant| id_of(tenant.status.as_ref()) == Some(id))
    }

    /// Every tenant of an agency.
    pub fn tenants_of(&self, agency: &str) -> Vec<Arc<Tenant>> {
        let home = names::agency_namespace(agency);
        self.tenants.state_filter(|tenant| tenant.metadata.namespace.as_deref() == Some(home.as_str()))
    }

    /// Every PhoneNumber that claims `number`.
    pub fn claims(&self, number: &str) -> Vec<Arc<PhoneNumber>> {
        self.numbers.state_filter(|claim| claim.number() == Some(number))
    }

    /// The knowledge bases an agent refers to, in the agent's order; those that do not exist are left out.
    pub fn bases_of(&self, agent: &VoiceAgent) -> Vec<Arc<KnowledgeBase>> {
        let Some(namespace) = agent.namespace() else { return Vec::new() };
        agent
            .spec
            .knowledge_bases
            .iter()
            .filter_map(|base| self.bases.get(&ObjectRef::new(&base.name).within(&namespace)))
            .collect()
    }
}

/// Whether an object is on its way out.
pub fn is_being_deleted(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_some()
}
