//! Runs the watches and tells every controller what it must look at again.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, PodSpec, PodStatus, PodTemplateSpec};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio_util::sync::CancellationToken;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, labels, watching};
use voxplane_platform::error_chain::ErrorChain;

use super::cache::{CacheWriter, Cached};
use super::extent::{self, extent_of};
use super::stores::Writers;
use super::{Change, Extent, Guarded, ObjectKey, Queue, Stores, decoded};
use crate::applied::{Applied, AppliedKey};
use crate::claims::Court;
use crate::{agency, knowledge_base, phone_number, tenant, voice_agent};

/// The whole object once more, as `kubectl apply` keeps it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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
    /// Who has which number.
    pub court: Court,
    /// What was applied, and may be gone.
    pub applied: Arc<Applied>,
}

impl Router {
    /// A router over these caches.
    #[must_use]
    pub fn new(stores: Stores) -> Self {
        Self { stores, queues: Queues::default(), court: Court::default(), applied: Arc::default() }
    }

    /// Queues every object that `change` concerns.
    pub fn announce(&self, change: &Change) {
        let (Change::Agency { extent, .. } | Change::PhoneNumber { extent, .. }) = change else {
            return self.queue(change);
        };
        if *extent > Extent::Detail {
            self.court.reopen();
        }
        self.queue(change);
    }

    fn queue(&self, change: &Change) {
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
        // The API server leaves out all others, and tells of one that opens again as of one that went.
        let closed = all.clone().fields("spec.unschedulable=true");
        let watches = async {
            tokio::join!(
                self.run("agencies", objects::<Agency>(&client, &all), writers.agencies, |before, agency, went| {
                    let extent = extent_of(before, agency, went, extent::agency);
                    Some(Change::Agency { name: agency.name_any(), extent })
                }),
                self.run("tenants", objects::<Tenant>(&client, &all), writers.tenants, |before, tenant, went| {
                    Some(Change::Tenant(ObjectKey::of(tenant), extent_of(before, tenant, went, extent::tenant)))
                }),
                self.run("voiceagents", objects::<VoiceAgent>(&client, &all), writers.agents, |before, agent, went| {
                    Some(Change::VoiceAgent(ObjectKey::of(agent), extent_of(before, agent, went, extent::agent)))
                }),
                self.run("phonenumbers", objects::<PhoneNumber>(&client, &all), writers.numbers, |before, it, went| {
                    let number = decoded(it).and_then(|number| number.number().map(str::to_owned));
                    let extent = extent_of(before, it, went, extent::number);
                    Some(Change::PhoneNumber { key: ObjectKey::of(it), extent, number })
                }),
                self.run(
                    "knowledgebases",
                    objects::<KnowledgeBase>(&client, &all),
                    writers.knowledge,
                    |before, it, went| {
                        Some(Change::KnowledgeBase(ObjectKey::of(it), extent_of(before, it, went, |_| ())))
                    }
                ),
                self.run(
                    "namespaces",
                    metadata::<Namespace>(&client, &ours),
                    writers.namespaces,
                    |before, it, went| {
                        if went {
                            self.applied.forget_namespace(&it.name_any());
                        }
                        let extent = extent::extent(before, it, went, extent::marks);
                        (extent > Extent::Detail).then(|| Change::Namespace { name: it.name_any() })
                    }
                ),
                self.run("deployments", deployments(&client, &runtime), writers.deployments, |before, it, went| {
                    if went {
                        self.applied.forget(&AppliedKey::of(it));
                    }
                    let extent = extent::extent(before, it, went, extent::deployment);
                    (extent > Extent::Detail).then(|| pool(it, Some(it.name_any())))
                }),
                self.run("pods", pods(&client, &runtime), writers.pods, |before, it, went| {
                    let extent = extent::extent(before, it, went, extent::marks);
                    (extent > Extent::Detail).then(|| pool(it, it.labels().get(labels::POOL).cloned()))
                }),
                // Whoever counts pods looks at them: every two seconds, with the sessions.
                self.run("nodes", metadata::<Node>(&client, &closed), writers.closed_nodes, |_, _, _| None),
            )
        };
        tokio::select! {
            _ = watches => {}
            () = stop.cancelled() => {}
        }
    }

    async fn run<K: Cached>(
        &self,
        what: &'static str,
        events: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
        mut writer: CacheWriter<K>,
        describe: impl Fn(Option<&K>, &K, bool) -> Option<Change> + Send,
    ) {
        let mut events = std::pin::pin!(events.backoff(watching::backoff()));
        // What the list of a (re)started watch contains is announced only when the cache holds all of it.
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(watch = what, error = %ErrorChain(&error), "watch failed, trying again");
                    continue;
                }
            };
            let change = match &event {
                watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                    describe(writer.known(object).as_deref(), object, false)
                }
                watcher::Event::Delete(object) => describe(None, object, true),
                watcher::Event::Init | watcher::Event::InitDone => None,
            };
            writer.apply(&event);
            match event {
                watcher::Event::Init => listed.clear(),
                watcher::Event::InitApply(_) => listed.extend(change),
                watcher::Event::InitDone => listed.drain(..).for_each(|change| self.announce(&change)),
                watcher::Event::Apply(_) | watcher::Event::Delete(_) => {
                    change.iter().for_each(|change| self.announce(change));
                }
            }
        }
    }
}

fn pool(object: &impl Resource, deployment: Option<String>) -> Change {
    Change::Pool { namespace: object.meta().namespace.clone().unwrap_or_default(), deployment }
}

fn objects<K>(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<Guarded<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    watcher(Api::<Guarded<K>>::all(client.clone()), config.clone()).modify(strip)
}

/// Deployments without the template of their pods, which is most of them and read by nobody here.
fn deployments(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<Deployment>>> + Send + use<> {
    watcher(Api::<Deployment>::all(client.clone()), config.clone()).modify(|deployment| {
        strip(deployment);
        if let Some(spec) = &mut deployment.spec {
            spec.template = PodTemplateSpec::default();
        }
    })
}

/// Pods with nothing but where they are, what they put up with there, and how they are.
fn pods(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<Pod>>> + Send + use<> {
    watcher(Api::<Pod>::all(client.clone()), config.clone()).modify(|pod| {
        strip(pod);
        pod.spec = pod.spec.take().map(|spec| PodSpec {
            node_name: spec.node_name,
            tolerations: spec.tolerations,
            ..PodSpec::default()
        });
        pod.status = pod.status.take().map(|status| PodStatus {
            phase: status.phase,
            conditions: status.conditions,
            ..PodStatus::default()
        });
    })
}

/// Takes away what nobody here reads: who set which field, and what kubectl wrote down for itself. In a small object
/// that is the larger part.
fn strip(object: &mut impl Resource) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

fn metadata<K>(
    client: &Client,
    config: &watcher::Config,
) -> impl futures::Stream<Item = watcher::Result<watcher::Event<PartialObjectMeta<K>>>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
{
    watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), config.clone()).modify(strip)
}
