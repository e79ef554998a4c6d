//! Watches the five kinds into a [`Directory`].

use std::fmt::Debug;

use futures::StreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, watching};
use voxplane_platform::error_chain::ErrorChain;

use super::world::Directory;

/// The writing ends of a [`Directory`].
pub struct DirectoryWriters {
    /// Agencies.
    pub agencies: Writer<Agency>,
    /// Tenants.
    pub tenants: Writer<Tenant>,
    /// Voice agents.
    pub agents: Writer<VoiceAgent>,
    /// Phone numbers.
    pub numbers: Writer<PhoneNumber>,
    /// Knowledge bases.
    pub bases: Writer<KnowledgeBase>,
}

impl DirectoryWriters {
    /// An empty directory and what fills it.
    pub fn empty() -> (Directory, Self) {
        let (agencies, agencies_writer) = reflector::store();
        let (tenants, tenants_writer) = reflector::store();
        let (agents, agents_writer) = reflector::store();
        let (numbers, numbers_writer) = reflector::store();
        let (bases, bases_writer) = reflector::store();
        let directory = Directory { agencies, tenants, agents, numbers, bases };
        let writers = Self {
            agencies: agencies_writer,
            tenants: tenants_writer,
            agents: agents_writer,
            numbers: numbers_writer,
            bases: bases_writer,
        };
        (directory, writers)
    }
}

/// The five running watches.
#[derive(Debug)]
pub struct Reflectors {
    tasks: JoinSet<()>,
}

impl Reflectors {
    /// Starts watching; the directory fills in the background.
    pub fn start(client: &Client, writers: DirectoryWriters, stop: &CancellationToken) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(client.clone(), writers.agencies, stop.clone()));
        tasks.spawn(watch(client.clone(), writers.tenants, stop.clone()));
        tasks.spawn(watch(client.clone(), writers.agents, stop.clone()));
        tasks.spawn(watch(client.clone(), writers.numbers, stop.clone()));
        tasks.spawn(watch(client.clone(), writers.bases, stop.clone()));
        Self { tasks }
    }

    /// Waits until all watches have ended, which they do when stopped.
    pub async fn finished(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn watch<K>(client: Client, writer: Writer<K>, stop: CancellationToken)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let api: Api<K> = Api::all(client);
    let mut events = watcher(api, watcher::Config::default())
        .backoff(watching::backoff())
        .modify(|object| object.meta_mut().annotations = None)
        .reflect(writer)
        .boxed();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            event = events.next() => match event {
                Some(Err(error)) => warn!(
                    kind = %K::kind(&()),
                    error = %ErrorChain(&error),
                    "the watch was interrupted; it resumes by itself"
                ),
                Some(Ok(_)) => {}
                None => return,
            },
        }
    }
}
