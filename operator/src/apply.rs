//! The only writer of objects in the cluster: server-side apply with a field manager of our own, status, finalizers,
//! deletion. Applying what is already there changes nothing, not even the resource version; but it is a request, so what
//! this process has applied already is not applied again ([`Applied`]).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use voxplane_crds::labels;

use crate::applied::{Applied, AppliedKey, Content, Mark, Step};
use crate::error::Error;

/// Writes on behalf of one controller.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: String,
    applied: Arc<Applied>,
}

impl Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").field("manager", &self.manager).finish_non_exhaustive()
    }
}

impl Applier {
    /// Writes as `voxplane-operator/<controller>`.
    #[must_use]
    pub fn new(client: Client, controller: &str) -> Self {
        let manager = format!("{}/{controller}", labels::OPERATOR_FIELD_MANAGER);
        Self { client, manager, applied: Arc::default() }
    }

    /// Shares the memory of what was applied: an object may be made by one controller, and go with another's.
    #[must_use]
    pub fn remembering(self, applied: Arc<Applied>) -> Self {
        Self { applied, ..self }
    }

    fn params(&self) -> PatchParams {
        // Forced: the objects are ours, and a field somebody else set on them is drift.
        PatchParams::apply(&self.manager).force()
    }

    /// Makes an object in a namespace be as described.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn apply<K>(&self, desired: &K) -> Result<K, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let namespace = desired.namespace().ok_or(Error::Incomplete { field: "metadata.namespace" })?;
        let name = desired.name_any();
        Api::<K>::namespaced(self.client.clone(), &namespace)
            .patch(&name, &self.params(), &Patch::Apply(desired))
            .await
            .map_err(Error::kubernetes(format!("apply {} {namespace}/{name}", K::kind(&()))))
    }

    /// Makes an object in a namespace be as described, unless that was done already: see [`Applied`]. Returns it if it
    /// was applied.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn ensure<K>(&self, desired: &K) -> Result<Option<K>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let (key, content) = (AppliedKey::of(desired), Content::of(desired));
        let step = content.map_or(Step::Apply, |content| self.applied.step(&key, content, Instant::now()));
        match step {
            Step::Nothing => return Ok(None),
            Step::Look(mark) => {
                // From the API server's own cache: at most a moment old.
                let api = Api::<K>::namespaced(self.client.clone(), &key.namespace);
                let found = api.get_metadata_with(&key.name, &GetParams::any()).await;
                if found.is_ok_and(|found| Mark::of(&found.metadata).is_some_and(|now| now.is_as(&mark))) {
                    self.applied.unchanged(&key, Instant::now());
                    return Ok(None);
                }
            }
            Step::Apply => {}
        }
        let made = self.apply(desired).await?;
        self.remember(key, content, &made);
        Ok(Some(made))
    }

    /// [`Applier::ensure`] for a Deployment of ours, which is watched. `seen`: as the watch has it.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn ensure_deployment(&self, desired: &Deployment, seen: Option<&Deployment>) -> Result<(), Error> {
        let (key, content) = (AppliedKey::of(desired), Content::of(desired));
        let stands = |content| {
            let generation = seen.and_then(|seen| seen.metadata.generation);
            self.applied.stands(&key, content, generation) && seen.is_none_or(|seen| has_metadata(seen, desired))
        };
        if content.is_some_and(stands) {
            return Ok(());
        }
        let made = self.apply(desired).await?;
        self.remember(key, content, &made);
        Ok(())
    }

    /// The next [`Applier::ensure`] applies the object, whatever is known of it.
    pub fn forget<K: Resource<DynamicType = ()>>(&self, object: &K) {
        self.applied.forget(&AppliedKey::of(object));
    }

    fn remember(&self, key: AppliedKey, content: Option<Content>, made: &impl Resource) {
        if let (Some(content), Some(mark)) = (content, Mark::of(made.meta())) {
            self.applied.put(key, content, mark, made.meta().generation, Instant::now());
        }
    }

    /// Makes a namespace that does not exist. Unlike [`Applier::apply_namespace`] it never takes over one that
    /// somebody else made in the meantime.
    ///
    /// # Errors
    /// What the API server answered; [`Error::is_conflict`] when it exists.
    pub async fn create_namespace(&self, desired: &Namespace) -> Result<Namespace, Error> {
        let params = PostParams { field_manager: Some(self.manager.clone()), ..PostParams::default() };
        // One of the same name may have gone without our seeing it.
        self.applied.forget_namespace(&desired.name_any());
        Api::<Namespace>::all(self.client.clone())
            .create(&params, desired)
            .await
            .map_err(Error::kubernetes(format!("create Namespace {}", desired.name_any())))
    }

    /// Makes a namespace of ours be as described.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn apply_namespace(&self, desired: &Namespace) -> Result<Namespace, Error> {
        let name = desired.name_any();
        Api::<Namespace>::all(self.client.clone())
            .patch(&name, &self.params(), &Patch::Apply(desired))
            .await
            .map_err(Error::kubernetes(format!("apply Namespace {name}")))
    }

    /// Deletes an object in a namespace. It may be gone already.
    ///
    /// # Errors
    /// What the API server answered, except that the object does not exist.
    pub async fn delete<K>(&self, namespace: &str, name: &str) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        self.applied.forget(&key_of::<K>(namespace, name));
        gone_is_fine(
            Api::<K>::namespaced(self.client.clone(), namespace).delete(name, &DeleteParams::background()).await,
        )
        .map_err(Error::kubernetes(format!("delete {} {namespace}/{name}", K::kind(&()))))
    }

    /// Sets how many pods a workload of ours has, and nothing else of it. It may be gone already.
    ///
    /// # Errors
    /// What the API server answered, except that the object does not exist.
    pub async fn scale<K>(&self, namespace: &str, name: &str, replicas: i32) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        self.applied.forget(&key_of::<K>(namespace, name));
        let params = PatchParams { field_manager: Some(self.manager.clone()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        gone_is_fine(Api::<K>::namespaced(self.client.clone(), namespace).patch(name, &params, &patch).await)
            .map_err(Error::kubernetes(format!("scale {} {namespace}/{name}", K::kind(&()))))
    }

    /// Deletes what was made for `owner` (`status.id`) in a namespace earlier and is not wanted any more.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn delete_others<K>(&self, namespace: &str, owner: &str, wanted: &[&str]) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let ours = format!("{}={},{}={owner}", labels::MANAGED_BY, labels::MANAGED_BY_OPERATOR, labels::OWNER_ID);
        let found = Api::<K>::namespaced(self.client.clone(), namespace)
            .list_metadata(&ListParams::default().labels(&ours))
            .await
            .map_err(Error::kubernetes(format!("list {} in {namespace}", K::plural(&()))))?;
        for name in found.items.iter().map(ResourceExt::name_any) {
            if !wanted.contains(&name.as_str()) {
                self.delete::<K>(namespace, &name).await?;
            }
        }
        Ok(())
    }

    /// Deletes a cluster-scoped object of ours. It may be gone already.
    ///
    /// # Errors
    /// What the API server answered, except that the object does not exist.
    pub async fn delete_cluster<K>(&self, name: &str, uid: Option<String>) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let mut params = DeleteParams::background();
        // The namespace we looked at, not one that took its name since.
        params.preconditions = Some(kube::api::Preconditions { uid, resource_version: None });
        gone_is_fine(Api::<K>::all(self.client.clone()).delete(name, &params).await)
            .map_err(Error::kubernetes(format!("delete {} {name}", K::kind(&()))))
    }

    /// Writes a status. The caller has found that it differs from the present one.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn status<K, S>(&self, api: &Api<K>, object: &K, status: &S) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
        S: Serialize,
    {
        let name = object.name_any();
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            // The uid makes the write fail if the object was deleted and made again since.
            "metadata": { "name": name, "uid": object.uid() },
            "status": status,
        });
        let params = PatchParams::apply(&format!("{}-status", self.manager)).force();
        api.patch_status(&name, &params, &Patch::Apply(body))
            .await
            .map(drop)
            .map_err(Error::kubernetes(format!("write the status of {} {name}", K::kind(&()))))
    }

    /// Adds our finalizer if it is missing, so that nothing outside the object is made before its removal is certain.
    ///
    /// # Errors
    /// What the API server answered; a conflict when the object changed since it was read.
    pub async fn ensure_finalizer<K>(&self, api: &Api<K>, object: &K) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        if object.finalizers().iter().any(|name| name == labels::FINALIZER) {
            return Ok(());
        }
        let finalizers = object.finalizers().iter().cloned().chain([labels::FINALIZER.to_owned()]).collect();
        self.set_finalizers(api, object, finalizers).await
    }

    /// Removes our finalizer. Everything outside the object is gone.
    ///
    /// # Errors
    /// What the API server answered, except that the object does not exist.
    pub async fn remove_finalizer<K>(&self, api: &Api<K>, object: &K) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        if object.finalizers().iter().all(|name| name != labels::FINALIZER) {
            return Ok(());
        }
        let finalizers = object.finalizers().iter().filter(|name| *name != labels::FINALIZER).cloned().collect();
        match self.set_finalizers(api, object, finalizers).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    async fn set_finalizers<K>(&self, api: &Api<K>, object: &K, finalizers: Vec<String>) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let name = object.name_any();
        // Read-modify-write of a list that others write too: only under the version that was read.
        let body = json!({
            "metadata": { "resourceVersion": object.resource_version(), "uid": object.uid(), "finalizers": finalizers }
        });
        api.patch(&name, &PatchParams::default(), &Patch::Merge(body))
            .await
            .map(drop)
            .map_err(Error::kubernetes(format!("write the finalizers of {} {name}", K::kind(&()))))
    }

    /// Changes labels and annotations of an object that another controller made (a pod). `null` removes.
    ///
    /// # Errors
    /// What the API server answered, except that the object does not exist.
    pub async fn annotate<K>(&self, namespace: &str, name: &str, metadata: serde_json::Value) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        gone_is_fine(
            Api::<K>::namespaced(self.client.clone(), namespace)
                .patch_metadata(name, &PatchParams::default(), &patch)
                .await,
        )
        .map_err(Error::kubernetes(format!("label {} {namespace}/{name}", K::kind(&()))))
    }
}

fn key_of<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> AppliedKey {
    AppliedKey { plural: K::plural(&()).into_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Whether an object has the labels and annotations that are wanted: they do not count in its generation.
fn has_metadata(seen: &impl Resource, desired: &impl Resource) -> bool {
    let has = |found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| found.get(key) == Some(value))
    };
    has(seen.labels(), desired.labels()) && has(seen.annotations(), desired.annotations())
}

fn gone_is_fine<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
