//! Everything that is read for a voice agent: its tenant, its siblings, the Secrets they name, the pool.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt as _};
use voxplane_crds::{VoiceAgent, names};
use voxplane_store::resources::ResourceKind;

use crate::config::RuntimeSettings;
use crate::context::Context;
use crate::error::Error;
use crate::home::{self, Home};
use crate::identity::{Identity, identify};
use crate::pool::PoolReport;
use crate::status::Problem;
use crate::watch::{Stores, decoded};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its tenant, or why it has none.
    pub home: Result<Home, Problem>,
    /// Its id; `None` while its tenant is not accepted.
    pub identity: Option<Identity>,
    /// All agents of the tenant that are not being deleted, itself included.
    pub agents: Vec<VoiceAgent>,
    /// The Secrets that any of them names, by name; absent if missing.
    pub secrets: BTreeMap<String, Secret>,
    /// KnowledgeBases it names that do not exist.
    pub missing_knowledge: Vec<String>,
    /// The pool's Deployment.
    pub deployment: Option<Deployment>,
    /// What connected pods report.
    pub report: Option<PoolReport>,
    /// Why the database cannot be used, if it cannot.
    pub database_problem: Option<String>,
    /// What pods need to be told.
    pub runtime: RuntimeSettings,
}

/// Reads everything.
///
/// # Errors
/// When the API server or the database fails.
pub async fn read(agent: &VoiceAgent, ctx: &Context) -> Result<Observed, Error> {
    let namespace = agent.namespace().unwrap_or_default();
    let home = home::find(ctx.stores(), &agent.metadata);
    let identity = match &home {
        Ok(home) => {
            let (agency, tenant) = (Some(home.agency_id), Some(home.tenant_id));
            Some(identify(ctx, agent, ResourceKind::VoiceAgent, agency, tenant).await?)
        }
        Err(_) => None,
    };
    let agents = living(ctx.stores(), agent);
    let secrets = if home.is_ok() { secrets(&agents, &namespace, ctx).await? } else { BTreeMap::new() };
    let bases = agent.spec.knowledge_bases.iter().map(|base| base.name.clone());
    Ok(Observed {
        home,
        identity,
        agents,
        secrets,
        missing_knowledge: bases.filter(|base| !ctx.stores().has_knowledge_base(&namespace, base)).collect(),
        deployment: deployment(ctx.stores(), &namespace),
        report: ctx.pools.report(&namespace),
        database_problem: ctx.database.available().err(),
        runtime: ctx.settings.runtime.clone(),
    })
}

/// The pool's Deployment as the watch has seen it.
#[must_use]
pub fn deployment(stores: &Stores, namespace: &str) -> Option<Deployment> {
    let reference = ObjectRef::new(names::POOL_DEPLOYMENT).within(namespace);
    stores.deployments.get(&reference).map(|found| (*found).clone())
}

/// All agents of the namespace that are not being deleted; `agent` as it was handed to the pass.
#[must_use]
pub fn living(stores: &Stores, agent: &VoiceAgent) -> Vec<VoiceAgent> {
    let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
    let found = Stores::within(&stores.agents, &namespace);
    let siblings = found.iter().filter_map(|sibling| decoded(sibling)).filter(|sibling| sibling.name_any() != name);
    siblings.chain([agent]).filter(|agent| agent.metadata.deletion_timestamp.is_none()).cloned().collect()
}

/// The Secrets that any of the agents names.
///
/// # Errors
/// When the API server fails.
pub async fn secrets(agents: &[VoiceAgent], namespace: &str, ctx: &Context) -> Result<BTreeMap<String, Secret>, Error> {
    let names: BTreeSet<String> =
        agents.iter().flat_map(|agent| agent.spec.secret_refs()).map(|(secret, _)| secret.name.clone()).collect();
    let api = Api::<Secret>::namespaced(ctx.client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in names {
        let secret = api.get_opt(&name).await.map_err(Error::kubernetes(format!("read Secret {namespace}/{name}")))?;
        found.extend(secret.map(|secret| (name, secret)));
    }
    Ok(found)
}
