//! The cluster, and what the demo remembers in it of itself.

use anyhow::{Context as _, Result, bail};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use voxplane_e2e::world::SYSTEM_NAMESPACE;

use super::helm::Helm;

/// ConfigMap that says what the demo made.
pub const RECORD: &str = "voxplane-demo";
/// Field manager of what the demo writes itself.
const MANAGER: &str = "voxplane-demo";
/// Key of the record: whether the namespace is the demo's.
const NAMESPACE: &str = "namespace";
const MADE: &str = "made";
const FOUND: &str = "found";

/// A cluster and Helm for it.
pub struct Target {
    /// Name of the context.
    pub context: String,
    /// Its API server.
    pub client: Client,
    /// Helm with the same context.
    pub helm: Helm,
}

/// What an earlier run of the demo made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The namespace, too; otherwise it was there before.
    pub namespace_is_ours: bool,
}

impl Target {
    /// Reads the kubeconfig; nothing is asked yet.
    pub async fn connect(context: &str) -> Result<Self> {
        let kubeconfig = Kubeconfig::read().context("reading the kubeconfig (KUBECONFIG, or ~/.kube/config)")?;
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|found| found.name.as_str()).collect();
        if !known.contains(&context) {
            bail!("the kubeconfig has no context {context:?}; it has {}", known.join(", "));
        }
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let helm = Helm::new(context);
        Ok(Self { context: context.to_owned(), client: Client::try_from(config)?, helm })
    }

    /// What an earlier run made, if there was one.
    pub async fn record(&self) -> Result<Option<Record>> {
        let found = Api::<ConfigMap>::namespaced(self.client.clone(), SYSTEM_NAMESPACE).get_opt(RECORD).await?;
        Ok(found.map(|record| {
            let made = record.data.as_ref().and_then(|data| data.get(NAMESPACE)).is_some_and(|word| word == MADE);
            Record { namespace_is_ours: made }
        }))
    }

    /// Makes the namespace unless it is there, and writes down which of both it was.
    pub async fn begin(&self) -> Result<()> {
        if self.record().await?.is_some() {
            return Ok(());
        }
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let made = namespaces.get_opt(SYSTEM_NAMESPACE).await?.is_none();
        let apply = PatchParams::apply(MANAGER);
        if made {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}});
            namespaces.patch(SYSTEM_NAMESPACE, &apply, &Patch::Apply(namespace)).await?;
        }
        let word = if made { MADE } else { FOUND };
        let record = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": RECORD},
            "data": {(NAMESPACE): word},
        });
        let records = Api::<ConfigMap>::namespaced(self.client.clone(), SYSTEM_NAMESPACE);
        records.patch(RECORD, &apply, &Patch::Apply(record)).await?;
        Ok(())
    }

    /// Names of the definitions of our kinds.
    pub async fn definitions(&self) -> Result<Vec<String>> {
        let all = Api::<CustomResourceDefinition>::all(self.client.clone()).list(&ListParams::default()).await?;
        Ok(all.iter().map(ResourceExt::name_any).filter(|name| name.ends_with(".voxplane.dev")).collect())
    }
}
