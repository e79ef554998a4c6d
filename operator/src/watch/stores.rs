//! What the watches have seen, for everybody to read.

use futures::FutureExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef};
use voxplane_crds::names::{self, NamespaceOwner, PoolId};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

use super::cache::{Cache, CacheWriter, Cached, cache};

/// An object that may not be readable: a newer version of the definitions can store what this program does not know.
pub type Guarded<K> = DeserializeGuard<K>;

/// The object, if this program can read it.
#[must_use]
pub fn decoded<K>(object: &Guarded<K>) -> Option<&K> {
    object.0.as_ref().ok()
}

/// The caches of all watches.
#[derive(Clone, Debug)]
pub struct Stores {
    /// All agencies.
    pub agencies: Cache<Guarded<Agency>>,
    /// All tenants.
    pub tenants: Cache<Guarded<Tenant>>,
    /// All voice agents.
    pub agents: Cache<Guarded<VoiceAgent>>,
    /// All phone numbers.
    pub numbers: Cache<Guarded<PhoneNumber>>,
    /// All knowledge bases.
    pub knowledge: Cache<Guarded<KnowledgeBase>>,
    /// Namespaces that the operator made.
    pub namespaces: Cache<PartialObjectMeta<Namespace>>,
    /// Deployments of runtime pods.
    pub deployments: Cache<Deployment>,
    /// Runtime pods, without most of what they are made of.
    pub pods: Cache<Pod>,
    /// Nodes that take no new pods: the closed ones only.
    pub closed_nodes: Cache<PartialObjectMeta<Node>>,
}

/// The writing halves of [`Stores`].
#[derive(Debug)]
pub struct Writers {
    pub(super) agencies: CacheWriter<Guarded<Agency>>,
    pub(super) tenants: CacheWriter<Guarded<Tenant>>,
    pub(super) agents: CacheWriter<Guarded<VoiceAgent>>,
    pub(super) numbers: CacheWriter<Guarded<PhoneNumber>>,
    pub(super) knowledge: CacheWriter<Guarded<KnowledgeBase>>,
    pub(super) namespaces: CacheWriter<PartialObjectMeta<Namespace>>,
    pub(super) deployments: CacheWriter<Deployment>,
    pub(super) pods: CacheWriter<Pod>,
    pub(super) closed_nodes: CacheWriter<PartialObjectMeta<Node>>,
}

impl Stores {
    /// Empty caches and the halves that fill them.
    #[must_use]
    pub fn new() -> (Self, Writers) {
        let (agencies, write_agencies) = cache();
        let (tenants, write_tenants) = cache();
        let (agents, write_agents) = cache();
        let (numbers, write_numbers) = cache();
        let (knowledge, write_knowledge) = cache();
        let (namespaces, write_namespaces) = cache();
        let (deployments, write_deployments) = cache();
        let (pods, write_pods) = cache();
        let (closed_nodes, write_closed_nodes) = cache();
        let stores =
            Self { agencies, tenants, agents, numbers, knowledge, namespaces, deployments, pods, closed_nodes };
        let writers = Writers {
            agencies: write_agencies,
            tenants: write_tenants,
            agents: write_agents,
            numbers: write_numbers,
            knowledge: write_knowledge,
            namespaces: write_namespaces,
            deployments: write_deployments,
            pods: write_pods,
            closed_nodes: write_closed_nodes,
        };
        (stores, writers)
    }

    /// Waits until every watch has listed its objects: before that, "nobody claims this number" means nothing.
    ///
    /// # Errors
    /// When a watch ended before it listed anything.
    pub async fn wait_until_ready(&self) -> Result<(), reflector::store::WriterDropped> {
        self.agencies.wait_until_ready().await?;
        self.tenants.wait_until_ready().await?;
        self.agents.wait_until_ready().await?;
        self.numbers.wait_until_ready().await?;
        self.knowledge.wait_until_ready().await?;
        self.namespaces.wait_until_ready().await?;
        self.deployments.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.closed_nodes.wait_until_ready().await
    }

    /// Whether the watches have listed all nodes that are closed, all runtime pods and all pools.
    #[must_use]
    pub fn pods_and_nodes_are_listed(&self) -> bool {
        let listed = [
            self.closed_nodes.wait_until_ready().now_or_never(),
            self.pods.wait_until_ready().now_or_never(),
            self.deployments.wait_until_ready().now_or_never(),
        ];
        listed.into_iter().all(|listed| listed.is_some_and(|listed| listed.is_ok()))
    }

    /// Whether the watch has listed all agencies.
    #[must_use]
    pub fn agencies_are_listed(&self) -> bool {
        self.agencies.wait_until_ready().now_or_never().is_some_and(|listed| listed.is_ok())
    }

    /// Whether an agency exists, readable or not.
    #[must_use]
    pub fn has_agency(&self, name: &str) -> bool {
        self.agencies.get(&ObjectRef::new(name)).is_some()
    }

    /// An agency by name.
    #[must_use]
    pub fn agency(&self, name: &str) -> Option<Agency> {
        let found = self.agencies.get(&ObjectRef::new(name))?;
        decoded(&found).cloned()
    }

    /// A tenant by its agency's name and its own.
    #[must_use]
    pub fn tenant(&self, agency: &str, name: &str) -> Option<Tenant> {
        let found = self.tenants.get(&ObjectRef::new(name).within(&names::agency_namespace(agency)))?;
        decoded(&found).cloned()
    }

    /// A voice agent.
    #[must_use]
    pub fn agent(&self, namespace: &str, name: &str) -> Option<VoiceAgent> {
        let found = self.agents.get(&ObjectRef::new(name).within(namespace))?;
        decoded(&found).cloned()
    }

    /// The Deployment of a pool.
    #[must_use]
    pub fn deployment(&self, pool: &PoolId) -> Option<Deployment> {
        let reference = ObjectRef::new(pool.deployment()).within(pool.namespace());
        self.deployments.get(&reference).map(|found| (*found).clone())
    }

    /// Whether a namespace of ours is being deleted.
    #[must_use]
    pub fn is_terminating(&self, namespace: &str) -> bool {
        let found = self.namespaces.get(&ObjectRef::new(namespace));
        found.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// Whether a knowledge base exists, readable or not.
    #[must_use]
    pub fn has_knowledge_base(&self, namespace: &str, name: &str) -> bool {
        self.knowledge.get(&ObjectRef::new(name).within(namespace)).is_some()
    }

    /// Keys of everything of one kind in an agency's namespaces.
    #[must_use]
    pub fn keys_of_agency<K: Cached>(cache: &Cache<K>, agency: &str) -> Vec<super::ObjectKey> {
        let is_its = |namespace: &String| match names::owner_of_namespace(namespace) {
            Some(NamespaceOwner::Tenant { agency: name, .. } | NamespaceOwner::Agency(name)) => name == agency,
            None => false,
        };
        let namespaces = cache.namespaces().into_iter().filter(is_its);
        namespaces.flat_map(|namespace| Self::keys_within(cache, &namespace)).collect()
    }

    /// Keys of everything of one kind.
    #[must_use]
    pub fn all_keys<K: Cached>(cache: &Cache<K>) -> Vec<super::ObjectKey> {
        cache.state().iter().map(|object| super::ObjectKey::of(&**object)).collect()
    }

    /// Keys of everything of one kind in one namespace.
    #[must_use]
    pub fn keys_within<K: Cached>(cache: &Cache<K>, namespace: &str) -> Vec<super::ObjectKey> {
        let key = |name| super::ObjectKey::namespaced(namespace, name);
        cache.names_within(namespace).into_iter().map(key).collect()
    }
}
