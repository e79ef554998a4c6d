//! Writes voice agents as the field manager `voxplane-api`, never forced.

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Map, Value, json};
use voxplane_crds::labels::API_FIELD_MANAGER;
use voxplane_crds::{VoiceAgent, VoiceAgentSpec};

use super::managed::{Foreign, foreign_owners, owned_spec};
use super::merge::{merge_patch, removals};

/// How often a change is repeated when somebody else's write came between reading and applying.
const ATTEMPTS: usize = 3;

/// Annotations and labels by which GitOps tools mark what they track.
const GITOPS_MARKS: [&str; 4] = [
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
];

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The API server refused or did not answer.
    #[error("the Kubernetes API refused")]
    Kube(#[from] kube::Error),
    /// The change is not a valid agent.
    #[error("the change does not make a valid VoiceAgent")]
    Shape {
        /// Path of the field below `spec`; `.` for the spec itself.
        field: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A rule of the schema forbids it.
    #[error("a rule of the schema forbids it")]
    Rules(#[source] kube::core::cel::ValidationErrors),
    /// `If-Match` names another version.
    #[error("the resource has another version than the request says")]
    Precondition,
    /// Somebody else owns what should change or go.
    #[error("fields belong to other managers")]
    Owned(Vec<Foreign>),
    /// A GitOps tool tracks the object and would bring it back.
    #[error("the object is tracked by a GitOps tool")]
    Tracked {
        /// The annotation or label that says so.
        mark: &'static str,
    },
}

/// How a request changes a spec.
#[derive(Debug, Clone)]
pub enum Change {
    /// JSON merge patch (RFC 7386) of the spec: null removes.
    Merge(Value),
    /// The whole spec.
    Replace(Value),
}

/// Writes voice agents in one namespace.
pub struct AgentWriter {
    api: Api<DynamicObject>,
    namespace: String,
}

impl AgentWriter {
    /// For a tenant's namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        // Dynamic, because what is stored must be merged as it is stored: a typed round trip adds defaults.
        let resource = ApiResource::erase::<VoiceAgent>(&());
        Self { api: Api::namespaced_with(client, namespace, &resource), namespace: namespace.to_owned() }
    }

    /// The object as it is now.
    ///
    /// # Errors
    /// The API server's.
    pub async fn read(&self, name: &str) -> Result<VoiceAgent, WriteError> {
        typed(self.api.get(name).await?)
    }

    /// Creates an agent. Server-side apply has no "only if absent", so absence is read first; of two creates at the
    /// same instant the second one's spec stays and both are told so by the version they get back.
    ///
    /// # Errors
    /// See [`WriteError`]; an existing object is the API server's `AlreadyExists`.
    pub async fn create(&self, name: &str, spec: &Value) -> Result<VoiceAgent, WriteError> {
        self.check(name, spec, None)?;
        if self.api.get_opt(name).await?.is_some() {
            return Err(already_exists(name));
        }
        self.apply(name, spec, None).await
    }

    /// Changes an agent: reads, takes what we own, merges, applies the full set with the version that was read.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn change(&self, name: &str, change: &Change, if_match: Option<&str>) -> Result<VoiceAgent, WriteError> {
        let mut attempt = 1;
        loop {
            let live = self.api.get(name).await?;
            let version = live.resource_version().unwrap_or_default();
            require(if_match, &version)?;
            let plan = plan(&live, change)?;
            self.check(name, &plan.outcome, Some(&live))?;
            match self.apply(name, &plan.desired, Some(&version)).await {
                Err(WriteError::Kube(error)) if is_stale(&error) && if_match.is_some() => {
                    return Err(WriteError::Precondition);
                }
                Err(WriteError::Kube(error)) if is_stale(&error) && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Deletes an agent that nobody else manages.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn delete(&self, name: &str, if_match: Option<&str>) -> Result<(), WriteError> {
        let live = self.api.get(name).await?;
        let version = live.resource_version().unwrap_or_default();
        require(if_match, &version)?;
        if let Some(mark) = gitops_mark(&live) {
            return Err(WriteError::Tracked { mark });
        }
        let foreign = foreign_owners(&[], live.managed_fields());
        if !foreign.is_empty() {
            return Err(WriteError::Owned(foreign));
        }
        let unchanged = Preconditions { uid: live.uid(), resource_version: if_match.map(|_| version) };
        self.api.delete(name, &DeleteParams::background().preconditions(unchanged)).await?;
        Ok(())
    }

    async fn apply(&self, name: &str, spec: &Value, version: Option<&str>) -> Result<VoiceAgent, WriteError> {
        let mut metadata = Map::new();
        metadata.insert("name".into(), name.into());
        metadata.insert("namespace".into(), self.namespace.clone().into());
        if let Some(version) = version {
            metadata.insert("resourceVersion".into(), version.into());
        }
        let document = json!({
            "apiVersion": VoiceAgent::api_version(&()),
            "kind": VoiceAgent::kind(&()),
            "metadata": metadata,
            "spec": spec,
        });
        // Strict: a misspelt field is an error, not silence.
        let parameters = PatchParams::apply(API_FIELD_MANAGER).validation_strict();
        typed(self.api.patch(name, &parameters, &Patch::Apply(&document)).await?)
    }

    /// The schema's rules, before the API server applies the same ones: better messages, fewer round trips.
    fn check(&self, name: &str, spec: &Value, live: Option<&DynamicObject>) -> Result<(), WriteError> {
        let mut agent = VoiceAgent::new(name, spec_of(spec)?);
        agent.metadata.namespace = Some(self.namespace.clone());
        agent.validate_cel().map_err(WriteError::Rules)?;
        if let Some(live) = live {
            let old = typed(live.clone())?;
            agent.validate_cel_update(&old).map_err(WriteError::Rules)?;
        }
        Ok(())
    }
}

/// What to apply, and what the object's spec will then be.
#[derive(Debug, PartialEq)]
struct Plan {
    desired: Value,
    outcome: Value,
}

fn plan(live: &DynamicObject, change: &Change) -> Result<Plan, WriteError> {
    let entries = live.managed_fields();
    let spec = live.data.get("spec").cloned().unwrap_or_else(|| json!({}));
    match change {
        Change::Merge(patch) => {
            // A null removes our own field only; a field that stays because somebody else owns it is a conflict.
            let foreign: Vec<Foreign> = removals(patch)
                .iter()
                .flat_map(|path| foreign_owners(&path.iter().map(String::as_str).collect::<Vec<_>>(), entries))
                .collect();
            if !foreign.is_empty() {
                return Err(WriteError::Owned(foreign));
            }
            let mut desired = owned_spec(&spec, entries).spec;
            merge_patch(&mut desired, patch);
            let mut outcome = spec;
            merge_patch(&mut outcome, patch);
            Ok(Plan { desired, outcome })
        }
        Change::Replace(replacement) => {
            let foreign: Vec<Foreign> = foreign_owners(&[], entries)
                .into_iter()
                .filter(|foreign| !holds(replacement, &foreign.field))
                .collect();
            if !foreign.is_empty() {
                return Err(WriteError::Owned(foreign));
            }
            Ok(Plan { desired: replacement.clone(), outcome: replacement.clone() })
        }
    }
}

/// Whether a document has something at a dotted path that starts with `spec`.
fn holds(spec: &Value, path: &str) -> bool {
    path.split('.').skip(1).try_fold(spec, |value, key| value.get(key)).is_some()
}

fn require(if_match: Option<&str>, version: &str) -> Result<(), WriteError> {
    match if_match {
        Some(wanted) if wanted != version => Err(WriteError::Precondition),
        _ => Ok(()),
    }
}

/// A conflict without causes: the version is stale. With causes it is about ownership, and repeating does not help.
fn is_stale(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    status.code == 409 && status.details.as_ref().is_none_or(|details| details.causes.is_empty())
}

fn gitops_mark(object: &DynamicObject) -> Option<&'static str> {
    GITOPS_MARKS
        .into_iter()
        .find(|mark| object.annotations().contains_key(*mark) || object.labels().contains_key(*mark))
}

fn spec_of(spec: &Value) -> Result<VoiceAgentSpec, WriteError> {
    serde_path_to_error::deserialize(spec)
        .map_err(|error| WriteError::Shape { field: error.path().to_string(), source: error.into_inner() })
}

fn typed(object: DynamicObject) -> Result<VoiceAgent, WriteError> {
    object.try_parse().map_err(|error| WriteError::Kube(kube::Error::SerdeError(serde::de::Error::custom(error))))
}

fn already_exists(name: &str) -> WriteError {
    let message = format!("voiceagents.voxplane.dev \"{name}\" already exists");
    let status = kube::core::Status::failure(&message, "AlreadyExists").with_code(409);
    WriteError::Kube(kube::Error::Api(Box::new(status)))
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "test-cluster"))]
mod cluster_tests;
