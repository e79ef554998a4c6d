//! Runs the watches and tells every controller what it must look at again.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{Lookup, store::Writer};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio_util::sync::CancellationToken;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, labels};
use voxplane_platform::error_chain::ErrorChain;

use super::stores::Writers;
use super::{Change, Guarded, ObjectKey, Queue, Stores, decoded};
use crate::{agency, knowledge_base, phone_number, tenant, voice_agent};

/// One queue per kind.
#[derive(Debug, Default)]
pub struct Queues {
    /// Agencies that need a pass.
    pub agencies: Queue,
    /// Tenants that need a pass.
    pub tenants: Queue,
    /// Voice agents that need a pass.
    pub agents: Queue,
    /// Phone numbers that need a pass.
    pub numbers: Queue,
    /// Knowledge bases that need a pass.
    pub knowledge: Queue,
}

/// Takes note of changes and queues the objects they concern.
#[derive(Debug)]
pub struct Router {
    /// What the watches have seen.
    pub stores: Stores,
    /// What needs a pass.
    pub queues: Queues,
}

impl Router {
    /// A router over these caches.
    #[must_use]
    pub fn new(stores: Stores) -> Self {
        Self { stores, queues: Queues::default() }
    }

    /// Queues every object that `change` concerns.
    pub fn announce(&self, change: &Change) {
        let fill = |queue: &Queue, keys: Vec<ObjectKey>| keys.into_iter().for_each(|key| queue.push(key));
        fill(&self.queues.agencies, agency::controller::affected(change, &self.stores));
        fill(&self.queues.tenants, tenant::controller::affected(change, &self.stores));
        fill(&self.queues.agents, voice_agent::controller::affected(change, &self.stores));
        fill(&self.queues.numbers, phone_number::controller::affected(change, &self.stores));
        fill(&self.queues.knowledge, knowledge_base::controller::affected(change, &self.stores));
    }

    /// Runs all watches until `stop` is cancelled. Failures are retried with backoff.
    pub async fn watch(self: Arc<Self>, client: Client, writers: Writers, stop: CancellationToken) {
        let all = watcher::Config::default();
        let ours = all.clone().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_OPERATOR));
        let runtime = ours.clone().labels(&format!(
            "{}={},{}={}",
            labels::MANAGED_BY,
            labels::MANAGED_BY_OPERATOR,
            labels::COMPONENT,
            labels::COMPONENT_RUNTIME
        ));
        let watches = async {
            tokio::join!(
                self.run("agencies", objects::<Agency>(&client, &all), writers.agencies, |agency| Change::Agency {
                    name: agency.name_any()
                }),
                self.run("tenants", objects::<Tenant>(&client, &all), writers.tenants, |tenant| Change::Tenant(
                    ObjectKey::of(tenant)
                )),
                self.run("voiceagents", objects::<VoiceAgent>(&client, &all), writers.agents, |agent| {
                    Change::VoiceAgent(ObjectKey::of(agent))
                }),
                self.run("phonenumbers", objects::<PhoneNumber>(&client, &all), writers.numbers, |number| {
                    let claimed = decoded(number).and_then(|number| number.number().map(str::to_owned));
                    Change::PhoneNumber { key: ObjectKey::of(number), number: claimed }
                }),
                self.run("knowledgebases", objects::<KnowledgeBase>(&client, &all), writers.knowledge, |base| {
                    Change::KnowledgeBase(ObjectKey::of(base))
                }),
                self.run("namespaces", metadata::<Namespace>(&client, &ours), writers.namespaces, |namespace| {
                    Change::Namespace { name: namespace.name_any() }
                }),
                self.run("deployments", full::<Deployment>(&client, &runtime), writers.deployments, pool_of),
                self.run("pods", metadata::<Pod>(&client, &runtime), writers.pods, pool_of),
            )
        };
        tokio::select! {
            _ = watches => {}
            () = stop.cancelled() => {}
        }
    }

    async fn run<K>(
        &self,
        what: &'static str,
        events: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
        writer: Writer<K>,
        describe: impl Fn(&K) -> Change + Send,
    ) where
        K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    {
        let mut events = std::pin::pin!(events.default_backoff().reflect(writer));
        // What the list of a (re)started watch contains is announced only when the cache holds all of it.
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => listed.push(describe(&object)),
                Ok(watcher::Event::InitDone) => listed.drain(..).for_each(|change| self.announce(&change)),
                Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => self.announce(&describe(&object)),
                Err(error) => tracing::warn!(watch = what, error = %ErrorChain(&error), "watch failed, trying again"),
            }
        }
    }
}

fn pool_of(object: &impl Resource) -> Change {
    Change::Pool { namespace: object.meta().namespace.clone().unwrap_or_default() }
}

fn objects<K>(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<Guarded<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    watcher(Api::<Guarded<K>>::all(client.clone()), config.clone())
}

fn full<K>(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    watcher(Api::<K>::all(client.clone()), config.clone())
}

fn metadata<K>(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<PartialObjectMeta<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), config.clone())
}
