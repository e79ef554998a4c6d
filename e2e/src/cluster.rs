//! What a person does with kubectl, for tests: apply manifests, wait for conditions, read objects.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use kube::{
    Api, Client, Discovery, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    discovery::Scope,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// Field manager of everything the tests apply, as a person's kubectl would be.
pub const MANAGER: &str = "kubectl";

/// Between two looks at an object that is waited for.
const PAUSE: Duration = Duration::from_millis(200);

/// A cluster as a platform engineer sees it.
pub struct Cluster {
    client: Client,
    discovery: Discovery,
}

impl Cluster {
    /// Connects and learns the API's kinds.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn connect(client: Client) -> Result<Self> {
        let discovery = Discovery::new(client.clone()).run().await.context("API discovery")?;
        Ok(Self { client, discovery })
    }

    /// The client underneath.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    fn api(&self, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let types = object.types.as_ref().context("the manifest has no kind")?;
        let gvk = kube::api::GroupVersionKind::try_from(types)?;
        let (resource, capabilities) =
            self.discovery.resolve_gvk(&gvk).with_context(|| format!("the cluster has no kind {}", gvk.kind))?;
        Ok(match (capabilities.scope, object.namespace()) {
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), &resource),
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(self.client.clone(), &namespace, &resource),
            (Scope::Namespaced, None) => bail!("{} {} needs a namespace", gvk.kind, object.name_any()),
        })
    }

    /// `kubectl apply --server-side` of one object.
    ///
    /// # Errors
    /// With the server's own words when it refuses the object.
    pub async fn apply(&self, object: &DynamicObject) -> Result<DynamicObject> {
        let name = object.name_any();
        let what = format!("applying {} {name}", object.types.as_ref().map_or("?", |types| &types.kind));
        let parameters = PatchParams::apply(MANAGER).force();
        self.api(object)?.patch(&name, &parameters, &Patch::Apply(object)).await.context(what)
    }

    /// Applies every document of every YAML file in a directory, in file-name order, waiting for a namespace that the
    /// operator has yet to create.
    ///
    /// # Errors
    /// When a document is refused, or its namespace does not appear within `timeout`.
    pub async fn apply_directory(&self, directory: &Path, timeout: Duration) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for object in manifests(directory)? {
            applied.push(self.apply_when_possible(&object, timeout).await?);
        }
        Ok(applied)
    }

    /// Applies objects in their order, each as soon as it is possible, and waits until all are Ready.
    ///
    /// # Errors
    /// When an object is refused, or not Ready within `timeout`.
    pub async fn apply_all(&self, objects: &[DynamicObject], timeout: Duration) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for object in objects {
            applied.push(self.apply_when_possible(object, timeout).await?);
        }
        for object in &applied {
            self.wait_condition(object, "Ready", "True", timeout).await?;
        }
        Ok(applied)
    }

    /// Applies an object as soon as the cluster is ready for it.
    ///
    /// # Errors
    /// When the object is refused for a reason that does not pass by itself, or `timeout` is over.
    pub async fn apply_when_possible(&self, object: &DynamicObject, timeout: Duration) -> Result<DynamicObject> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.apply(object).await {
                Ok(applied) => return Ok(applied),
                Err(error) if Instant::now() < deadline && passes_by_itself(&error) => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Applies every document of a text, in its order, waiting for namespaces that the operator has yet to create.
    ///
    /// # Errors
    /// When a document is refused, or its namespace does not appear within `timeout`.
    pub async fn apply_text(&self, yaml: &str, timeout: Duration) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for object in documents(yaml)? {
            applied.push(self.apply_when_possible(&object, timeout).await?);
        }
        Ok(applied)
    }

    /// Applies every document of a text and waits until all objects are Ready; returns them as they are then.
    ///
    /// # Errors
    /// When a document is refused, or an object is not Ready within `timeout`.
    pub async fn apply_ready(&self, yaml: &str, timeout: Duration) -> Result<Vec<DynamicObject>> {
        let mut ready = Vec::new();
        for object in self.apply_text(yaml, timeout).await? {
            ready.push(self.wait_condition(&object, "Ready", "True", timeout).await?);
        }
        Ok(ready)
    }

    /// Reads the object again.
    ///
    /// # Errors
    /// When it is gone or the server does not answer.
    pub async fn get(&self, object: &DynamicObject) -> Result<DynamicObject> {
        Ok(self.api(object)?.get(&object.name_any()).await?)
    }

    /// `kubectl delete` without waiting.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self, object: &DynamicObject) -> Result<()> {
        self.api(object)?.delete(&object.name_any(), &DeleteParams::default()).await?;
        Ok(())
    }

    /// Reads the object again, if it still exists.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn find(&self, object: &DynamicObject) -> Result<Option<DynamicObject>> {
        Ok(self.api(object)?.get_opt(&object.name_any()).await?)
    }

    /// `kubectl patch --type=merge`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn merge(&self, object: &DynamicObject, change: &Value) -> Result<DynamicObject> {
        let patch = Patch::Merge(change);
        Ok(self.api(object)?.patch(&object.name_any(), &PatchParams::default(), &patch).await?)
    }

    /// Waits until the object looks as it should, and returns it.
    ///
    /// # Errors
    /// Says what was waited for and how the object's status looked last, when `timeout` is over.
    pub async fn wait_until(
        &self,
        object: &DynamicObject,
        what: &str,
        timeout: Duration,
        holds: impl Fn(&DynamicObject) -> bool,
    ) -> Result<DynamicObject> {
        let deadline = Instant::now() + timeout;
        loop {
            let current = self.get(object).await?;
            if holds(&current) {
                return Ok(current);
            }
            if Instant::now() >= deadline {
                let status = &current.data["status"];
                bail!("{}: {what} did not come true in {timeout:?}; status: {status:#}", title(object));
            }
            sleep(PAUSE).await;
        }
    }

    /// `kubectl wait --for=delete`: waits until the object is gone, or is another one of the same name.
    ///
    /// # Errors
    /// Says what holds it back when `timeout` is over.
    pub async fn wait_gone(&self, object: &DynamicObject, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let Some(current) = self.find(object).await? else { return Ok(()) };
            if object.uid().is_some() && object.uid() != current.uid() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} is still there after {timeout:?}; finalizers {:?}, status: {:#}",
                    title(object),
                    current.finalizers(),
                    current.data["status"]
                );
            }
            sleep(PAUSE).await;
        }
    }

    /// `kubectl wait --for=condition=…`: waits until the condition has the status for the object's present generation.
    ///
    /// # Errors
    /// Names the conditions last seen when `timeout` is over.
    pub async fn wait_condition(
        &self,
        object: &DynamicObject,
        condition: &str,
        status: &str,
        timeout: Duration,
    ) -> Result<DynamicObject> {
        let deadline = Instant::now() + timeout;
        loop {
            let current = self.get(object).await?;
            if condition_of(&current, condition).is_some_and(|found| {
                found["status"] == status && found["observedGeneration"].as_i64() == current.metadata.generation
            }) {
                return Ok(current);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} {} did not reach {condition}={status} in {timeout:?}; conditions: {:#}",
                    current.types.as_ref().map_or("?", |types| &types.kind),
                    current.name_any(),
                    current.data["status"]["conditions"]
                );
            }
            sleep(PAUSE).await;
        }
    }
}

/// The object as somebody would apply it, with a change of its spec.
pub fn changed(object: &DynamicObject, change: impl FnOnce(&mut Value)) -> DynamicObject {
    let mut changed = object.clone();
    changed.metadata.managed_fields = None;
    changed.metadata.resource_version = None;
    change(&mut changed.data["spec"]);
    changed
}

/// Kind, namespace and name, for messages.
pub fn title(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("?", |types| &types.kind);
    match object.namespace() {
        Some(namespace) => format!("{kind} {namespace}/{}", object.name_any()),
        None => format!("{kind} {}", object.name_any()),
    }
}

/// Our own id of an object (`status.id`).
///
/// # Errors
/// When it has none (yet).
pub fn id_of(object: &DynamicObject) -> Result<&str> {
    object.data["status"]["id"].as_str().with_context(|| format!("{} has no status.id", title(object)))
}

/// One condition of an object's status.
pub fn condition_of<'a>(object: &'a DynamicObject, type_: &str) -> Option<&'a Value> {
    object.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// The documents of a YAML file as objects.
///
/// # Errors
/// When a document is not a Kubernetes object.
pub fn documents(yaml: &str) -> Result<Vec<DynamicObject>> {
    use serde::Deserialize;
    let mut objects = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let value = serde_yaml_ng::Value::deserialize(document)?;
        if !value.is_null() {
            objects.push(serde_yaml_ng::from_value(value)?);
        }
    }
    Ok(objects)
}

/// Every document of every YAML file in a directory, in file-name order.
///
/// # Errors
/// When a file cannot be read, or a document is not a Kubernetes object.
pub fn manifests(directory: &Path) -> Result<Vec<DynamicObject>> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .with_context(|| format!("reading {}", directory.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        objects.extend(documents(&std::fs::read_to_string(&file)?)?);
    }
    Ok(objects)
}

/// Refusals that pass by themselves: the operator has yet to make the namespace, or the cluster's quota controller, which
/// learns of new kinds every half minute, has yet to count a kind whose CRD was installed a moment ago.
fn passes_by_itself(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<kube::Error>(),
        Some(kube::Error::Api(status))
            if (status.code == 404 && status.message.contains("namespaces"))
                || (status.code == 403 && status.message.contains("status unknown for quota"))
    )
}
