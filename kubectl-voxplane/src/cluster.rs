//! The only part that talks to a cluster.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures::{AsyncBufReadExt as _, Stream, StreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams, Preconditions,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource, ResourceExt as _};
use serde_json::{Value, json};
use voxplane_crds::names::{API_SERVICE, agency_namespace, tenant_namespace};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent, labels};

use crate::call::Platform;
use crate::cli::Connection;
use crate::error::Error;
use crate::world::{Kind, Scope, World};

/// Selects the API's pods.
const API_PODS: &str = "app.kubernetes.io/name=voxplane,app.kubernetes.io/component=api";
/// The ConfigMap in which the chart says what an installation's users need to know.
pub const INSTALLATION: &str = "voxplane-installation";
/// Its key with the address of LiveKit SIP.
pub const SIP_ADDRESS: &str = "sip-address";
/// The port on which pods say what they do.
const ADMIN_PORT: u16 = 9090;
/// A pod that does not answer for this long is not asked for now.
const ASKED: Duration = Duration::from_secs(2);

/// A cluster, as its user may see it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// The namespace of the kubeconfig's context.
    pub namespace: String,
    system: String,
}

/// The log of one container.
#[derive(Clone, Debug)]
pub struct Source {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    container: Option<String>,
    /// Whether the container has run before.
    pub restarted: bool,
}

/// How telling a pod to end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It ends.
    Ends,
    /// A disruption budget refuses it for now.
    Refused,
}

/// Lines of a log.
pub type Lines = Pin<Box<dyn Stream<Item = Result<String, Error>> + Send>>;

impl Cluster {
    /// Connects as kubectl does.
    ///
    /// # Errors
    /// When no cluster is known, or the kubeconfig is wrong.
    pub async fn connect(connection: &Connection) -> Result<Self, Error> {
        let config = config(connection).await?;
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|source| Error::api("connect", source))?;
        Ok(Self { client, namespace, system: connection.system_namespace.clone() })
    }

    /// A cluster behind a client.
    #[cfg(test)]
    fn new(client: Client, namespace: &str, system: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), system: system.to_owned() }
    }

    /// Reads everything in a scope. Kinds that may not be read are noted.
    ///
    /// # Errors
    /// When the API server fails, or nothing at all may be read.
    pub async fn world(&self, scope: &Scope) -> Result<World, Error> {
        let tenant = match scope {
            Scope::Tenant { agency, tenant } => Some(tenant_namespace(agency, tenant)),
            _ => None,
        };
        let within = tenant.as_deref();
        let (agencies, tenants, agents, numbers, bases, pods) = tokio::try_join!(
            self.agencies(scope),
            self.tenants(scope),
            self.list::<VoiceAgent>(Kind::VoiceAgent, within),
            self.list::<PhoneNumber>(Kind::PhoneNumber, within),
            self.list::<KnowledgeBase>(Kind::KnowledgeBase, within),
            self.pods_if_allowed(within),
        )?;
        let hidden: BTreeSet<Kind> = [
            (Kind::Agency, agencies.is_none()),
            (Kind::Tenant, tenants.is_none()),
            (Kind::VoiceAgent, agents.is_none()),
            (Kind::PhoneNumber, numbers.is_none()),
            (Kind::KnowledgeBase, bases.is_none()),
            (Kind::Pod, pods.is_none()),
        ]
        .into_iter()
        .filter_map(|(kind, hidden)| hidden.then_some(kind))
        .collect();
        if agents.is_none() && numbers.is_none() && bases.is_none() {
            return Err(Error::Forbidden {
                what: "read Voxplane's resources here".to_owned(),
                hint: "name a namespace of yours: -n vx-<agency>--<tenant>".to_owned(),
            });
        }
        let mut world = World {
            agencies: agencies.unwrap_or_default(),
            tenants: tenants.unwrap_or_default(),
            agents: agents.unwrap_or_default(),
            numbers: numbers.unwrap_or_default(),
            bases: bases.unwrap_or_default(),
            pods: pods.unwrap_or_default(),
            hidden,
        };
        world.narrow(scope);
        Ok(world)
    }

    async fn agencies(&self, scope: &Scope) -> Result<Option<Vec<DynamicObject>>, Error> {
        match scope {
            Scope::All => self.list::<Agency>(Kind::Agency, None).await,
            Scope::Agency(agency) | Scope::Tenant { agency, .. } => {
                let api = Api::all_with(self.client.clone(), &ApiResource::erase::<Agency>(&()));
                found(api.get_opt(agency).await, Kind::Agency)
            }
        }
    }

    async fn tenants(&self, scope: &Scope) -> Result<Option<Vec<DynamicObject>>, Error> {
        match scope {
            Scope::All => self.list::<Tenant>(Kind::Tenant, None).await,
            Scope::Agency(agency) => self.list::<Tenant>(Kind::Tenant, Some(&agency_namespace(agency))).await,
            Scope::Tenant { agency, tenant } => {
                let (kind, namespace) = (ApiResource::erase::<Tenant>(&()), agency_namespace(agency));
                let api = Api::namespaced_with(self.client.clone(), &namespace, &kind);
                found(api.get_opt(tenant).await, Kind::Tenant)
            }
        }
    }

    /// `None`: they may not be read.
    async fn list<K: Resource<DynamicType = ()>>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Option<Vec<DynamicObject>>, Error> {
        let resource = ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        match api.list(&ListParams::default()).await {
            Ok(list) => Ok(Some(list.items)),
            Err(error) if code(&error) == Some(403) => Ok(None),
            Err(error) if code(&error) == Some(404) => Err(Error::NotInstalled { kind: kind.as_str() }),
            Err(error) => Err(Error::api(format!("list {}", resource.plural), error)),
        }
    }

    async fn pods_if_allowed(&self, namespace: Option<&str>) -> Result<Option<Vec<Pod>>, Error> {
        match self.runtime_pods(namespace).await {
            Ok(pods) => Ok(Some(pods)),
            Err(Error::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn pods(&self, namespace: Option<&str>) -> Api<Pod> {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// Runtime pods, of one namespace or of all.
    ///
    /// # Errors
    /// When they may not be read, or the API server fails.
    pub async fn runtime_pods(&self, namespace: Option<&str>) -> Result<Vec<Pod>, Error> {
        let selector = format!("{}={}", labels::COMPONENT, labels::COMPONENT_RUNTIME);
        let pods = self.pods(namespace).list(&ListParams::default().labels(&selector)).await;
        pods.map(|pods| pods.items).map_err(|source| Error::api("list runtime pods", source))
    }

    /// Pods of the API.
    ///
    /// # Errors
    /// When they may not be read, or the API server fails.
    pub async fn api_pods(&self) -> Result<Vec<Pod>, Error> {
        let pods = self.pods(Some(&self.system)).list(&ListParams::default().labels(API_PODS)).await;
        let what = || format!("list the API's pods in {}", self.system);
        pods.map(|pods| pods.items).map_err(|source| Error::api(what(), source))
    }

    /// What is known about the platform itself. What may not be read stays unknown.
    pub async fn platform(&self) -> Platform {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), &self.system);
        let settings = Api::<ConfigMap>::namespaced(self.client.clone(), &self.system);
        let (api, settings) = tokio::join!(deployments.get_opt(API_SERVICE), settings.get_opt(INSTALLATION));
        let status = api.ok().flatten().map(|api| api.status.unwrap_or_default());
        let data = settings.ok().flatten().and_then(|settings| settings.data).unwrap_or_default();
        Platform {
            sip_address: data.get(SIP_ADDRESS).filter(|address| !address.is_empty()).cloned(),
            api_ready: status.map(|status| status.ready_replicas.unwrap_or_default()),
        }
    }

    /// Lines of a container's log, each after the time at which it was written; `None` if there is no log.
    ///
    /// # Errors
    /// When it may not be read, or the API server fails.
    pub async fn log(
        &self,
        source: &Source,
        since: Option<Timestamp>,
        previous: bool,
        follow: bool,
    ) -> Result<Option<Lines>, Error> {
        let parameters = LogParams {
            container: source.container.clone(),
            follow,
            previous,
            since_time: since,
            timestamps: true,
            ..LogParams::default()
        };
        match self.pods(Some(&source.namespace)).log_stream(&source.pod, &parameters).await {
            Ok(stream) => {
                let pod = source.pod.clone();
                let lines = stream.lines();
                Ok(Some(Box::pin(
                    lines.map(move |line| line.map_err(|source| Error::Log { pod: pod.clone(), source })),
                )))
            }
            // Gone, not started yet, or never started before.
            Err(error) if matches!(code(&error), Some(400 | 404)) => Ok(None),
            Err(error) => Err(Error::api(format!("read the log of pod {}", source.pod), error)),
        }
    }

    /// Whether there is a node of this name.
    ///
    /// # Errors
    /// When nodes may not be read, or the API server fails.
    pub async fn has_node(&self, name: &str) -> Result<bool, Error> {
        let node = Api::<Node>::all(self.client.clone()).get_opt(name).await;
        Ok(node.map_err(|source| Error::api(format!("read node {name}"), source))?.is_some())
    }

    /// Closes a node for new pods.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn cordon(&self, node: &str) -> Result<(), Error> {
        let patch = Patch::Merge(json!({"spec": {"unschedulable": true}}));
        let nodes = Api::<Node>::all(self.client.clone());
        let patched = nodes.patch(node, &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(|source| Error::api(format!("close node {node} for new pods"), source))
    }

    /// The same pod as it is now; `None` when it has ended.
    ///
    /// # Errors
    /// When the API server fails.
    pub async fn pod_again(&self, pod: &Pod) -> Result<Option<Pod>, Error> {
        let name = pod.name_any();
        let found = self.pods(pod.metadata.namespace.as_deref()).get_opt(&name).await;
        let found = found.map_err(|source| Error::api(format!("read pod {name}"), source))?;
        let ended = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        Ok(found.filter(|found| found.metadata.uid == pod.metadata.uid && !ended(found)))
    }

    /// Evicts a pod, as a node drain does.
    ///
    /// # Errors
    /// When the API server fails; not when a disruption budget refuses.
    pub async fn evict(&self, pod: &Pod) -> Result<Told, Error> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        // Written out: the client's own eviction puts the options under a name that the API server does not know, and
        // the precondition would be lost.
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": pod.metadata.uid}},
        });
        let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(eviction.to_string().into_bytes())
            .map_err(|error| Error::Encode(error.to_string()))?;
        match self.client.request_text(request).await {
            Ok(_) => Ok(Told::Ends),
            Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(Told::Ends),
            Err(error) if code(&error) == Some(429) => Ok(Told::Refused),
            Err(error) => Err(Error::api(format!("evict pod {name}"), error)),
        }
    }

    /// Deletes a pod with its own grace period: never with another.
    ///
    /// # Errors
    /// When the API server fails.
    pub async fn delete(&self, pod: &Pod) -> Result<(), Error> {
        let name = pod.name_any();
        // This pod and no other of its name.
        let preconditions = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.pods(pod.metadata.namespace.as_deref()).delete(&name, &parameters).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(code(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(Error::api(format!("delete pod {name}"), error)),
        }
    }

    /// Calls that a runtime pod carries, as it says itself; `None` if it cannot be asked from here.
    pub async fn calls_of(&self, pod: &Pod) -> Option<u32> {
        let (namespace, name) = (pod.namespace()?, pod.name_any());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{ADMIN_PORT}/proxy/state");
        let request = http::Request::get(path).body(Vec::new()).ok()?;
        let asked = tokio::time::timeout(ASKED, self.client.request_text(request)).await;
        let state: Value = serde_json::from_str(&asked.ok()?.ok()?).ok()?;
        u32::try_from(state["busy"].as_u64()?).ok()
    }
}

impl Source {
    /// The log of a pod's first container.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            pod: pod.name_any(),
            container: pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|first| first.name.clone()),
            restarted: statuses.first().is_some_and(|status| status.restart_count > 0),
        }
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

fn found(answer: Result<Option<DynamicObject>, kube::Error>, kind: Kind) -> Result<Option<Vec<DynamicObject>>, Error> {
    match answer {
        Ok(object) => Ok(Some(object.into_iter().collect())),
        Err(error) if code(&error) == Some(403) => Ok(None),
        // An object that does not exist was no error: this is a kind that does not.
        Err(error) if code(&error) == Some(404) => Err(Error::NotInstalled { kind: kind.as_str() }),
        Err(error) => Err(Error::api(format!("read the {}", kind.as_str()), error)),
    }
}

async fn config(connection: &Connection) -> Result<Config, Error> {
    let options = KubeConfigOptions {
        context: connection.context.clone(),
        cluster: connection.cluster.clone(),
        user: connection.user.clone(),
    };
    let chosen = options.context.is_some() || options.cluster.is_some() || options.user.is_some();
    let wrong = |error| Error::Kubeconfig(Box::new(error));
    if let Some(path) = &connection.kubeconfig {
        let file = Kubeconfig::read_from(path).map_err(wrong)?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(wrong);
    }
    if chosen {
        return Config::from_kubeconfig(&options).await.map_err(wrong);
    }
    // Also from inside a pod.
    Config::infer().await.map_err(|error| Error::NoCluster(Box::new(error)))
}

#[cfg(test)]
mod tests;
