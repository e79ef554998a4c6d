//! Everything that is read for a voice agent: its tenant, its siblings, the Secrets they name, its pools.

use std::collections::BTreeMap;
use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use voxplane_crds::VoiceAgent;
use voxplane_crds::names::{self, PoolId};
use voxplane_store::resources::ResourceKind;

use super::{membership, pool, scaling};
use crate::config::RuntimeSettings;
use crate::context::Context;
use crate::error::Error;
use crate::home::{self, Home};
use crate::identity::{Identity, identify};
use crate::pool::scalers::Verdict;
use crate::pool::substitutes::Substitute;
use crate::pool::{PoolReport, replicas};
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
    /// The Secrets that any of them uses, by the name under which pods find their keys; absent if missing.
    pub secrets: BTreeMap<String, Secret>,
    /// KnowledgeBases it names that do not exist.
    pub missing_knowledge: Vec<String>,
    /// The Deployment of the pool that it asks for.
    pub deployment: Option<Deployment>,
    /// What connected pods of that pool report.
    pub report: Option<PoolReport>,
    /// The pods with the image that it tries.
    pub canary: Option<Tried>,
    /// The pool that its calls still go to, if that is another one.
    pub former: Option<Former>,
    /// What was decided about the number of pods, if the operator decides.
    pub scaling: Option<Verdict>,
    /// The pools of these agents that have pods on closed nodes.
    pub substitutes: BTreeMap<PoolId, Substitute>,
    /// Why the database cannot be used, if it cannot.
    pub database_problem: Option<String>,
    /// What pods need to be told.
    pub runtime: RuntimeSettings,
}

/// The pool with the image that an agent tries.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Its Deployment.
    pub deployment: Option<Deployment>,
    /// What its connected pods report.
    pub report: Option<PoolReport>,
}

/// A pool that an agent is leaving.
#[derive(Clone, Debug)]
pub struct Former {
    /// Which.
    pub id: PoolId,
    /// Its Deployment.
    pub deployment: Option<Deployment>,
    /// What its connected pods report.
    pub report: Option<PoolReport>,
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
    let secrets = match &home {
        Ok(home) => secrets(&agents, home, &namespace, ctx).await?,
        Err(_) => BTreeMap::new(),
    };
    let bases = agent.spec.knowledge_bases.iter().map(|base| base.name.clone());
    let id = membership::asked_for(agent);
    let deployment = ctx.stores().deployment(&id);
    Ok(Observed {
        scaling: home.as_ref().ok().and_then(|home| scale(&agents, &id, deployment.as_ref(), home, ctx)),
        substitutes: substitutes(&agents, ctx),
        home,
        identity,
        agents,
        secrets,
        missing_knowledge: bases.filter(|base| !ctx.stores().has_knowledge_base(&namespace, base)).collect(),
        deployment,
        report: ctx.pools.report(&id),
        canary: membership::canary(agent)
            .map(|id| Tried { deployment: ctx.stores().deployment(&id), report: ctx.pools.report(&id) }),
        former: membership::former(agent).map(|id| Former {
            deployment: ctx.stores().deployment(&id),
            report: ctx.pools.report(&id),
            id,
        }),
        database_problem: ctx.database.available().err(),
        runtime: ctx.settings.runtime.clone(),
    })
}

/// Looks at the calls of a pool that the operator scales. What is decided is remembered at once, so that passes for
/// other agents of the pool, which run at the same time, decide the same.
fn scale(
    agents: &[VoiceAgent],
    id: &PoolId,
    deployment: Option<&Deployment>,
    home: &Home,
    ctx: &Context,
) -> Option<Verdict> {
    let agents = pool::by_age(agents);
    let calls_per_replica = pool::calls_per_replica(&membership::members(&agents, id));
    let quotas = &home.tenant.spec.quotas;
    let Some(policy) = scaling::policy(&agents, id, calls_per_replica, quotas, home.suspension().is_some()) else {
        ctx.pools.scalers.forget(id);
        return None;
    };
    let deployed = deployment.and_then(replicas::wanted);
    Some(ctx.pools.scalers.decide(id, &policy, deployed, Instant::now()))
}

/// What holds for pods on closed nodes.
fn substitutes(agents: &[VoiceAgent], ctx: &Context) -> BTreeMap<PoolId, Substitute> {
    let of = |pool: &PoolId| ctx.pools.substitutes.of(pool, ctx.stores().deployment(pool).as_ref());
    membership::needed(agents).into_iter().filter_map(|pool| of(&pool).map(|found| (pool, found))).collect()
}

/// All agents of the namespace that are not being deleted; `agent` as it was handed to the pass.
#[must_use]
pub fn living(stores: &Stores, agent: &VoiceAgent) -> Vec<VoiceAgent> {
    let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
    let found = stores.agents.within(&namespace);
    let siblings = found.iter().filter_map(|sibling| decoded(sibling)).filter(|sibling| sibling.name_any() != name);
    siblings.chain([agent]).filter(|agent| agent.metadata.deletion_timestamp.is_none()).cloned().collect()
}

/// Whether this program can read all agents of the namespace: of one that it cannot, it does not know the pool.
#[must_use]
pub fn all_readable(stores: &Stores, namespace: &str) -> bool {
    stores.agents.within(namespace).iter().all(|agent| decoded(agent).is_some())
}

/// The Secrets that any of the agents uses: those that agents name lie in the tenant's namespace, those of defaults in
/// the agency's.
///
/// # Errors
/// When the API server fails.
async fn secrets(
    agents: &[VoiceAgent],
    home: &Home,
    namespace: &str,
    ctx: &Context,
) -> Result<BTreeMap<String, Secret>, Error> {
    let agencys = names::agency_namespace(&home.agency.name_any());
    let mut wanted = BTreeMap::new();
    for agent in agents {
        for secret in home.effective(agent).secrets() {
            let lies_in = if secret.origin.keys_are_the_agencys() { &*agencys } else { namespace };
            wanted.insert(secret.credential(), (lies_in, secret.name.to_owned()));
        }
    }
    let mut found = BTreeMap::new();
    for (credential, (namespace, name)) in wanted {
        let api = Api::<Secret>::namespaced(ctx.client.clone(), namespace);
        let secret = api.get_opt(&name).await.map_err(Error::kubernetes(format!("read Secret {namespace}/{name}")))?;
        found.extend(secret.map(|secret| (credential, secret)));
    }
    Ok(found)
}
