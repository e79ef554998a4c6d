//! Whether a voice agent can be as it says. Pure.

use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;
use voxplane_crds::conditions::reasons;

use super::credentials::{self, KeySet};
use super::observe::Observed;
use super::pool::{self, PoolShape};
use crate::config::RuntimeSettings;
use crate::home::Home;
use crate::identity::Identity;
use crate::status::Problem;

/// A tenant's pool that can be made, and what is wrong with this agent's references.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Whose pool it is.
    pub pool: Pool,
    /// What is wrong with this agent's references, if anything. The pool is made all the same.
    pub unresolved: Option<Problem>,
}

/// A tenant's pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Name of the agency.
    pub agency: String,
    /// Name of the tenant.
    pub tenant: String,
    /// `status.id` of the tenant, which owns the pool.
    pub tenant_id: String,
    /// The tenant's namespace.
    pub namespace: String,
    /// Its shape.
    pub shape: PoolShape,
    /// Its keys.
    pub keys: KeySet,
    /// What pods need to be told.
    pub runtime: RuntimeSettings,
}

/// Judges a voice agent.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(agent: &VoiceAgent, seen: &Observed) -> Result<Valid, Problem> {
    let home = seen.home.as_ref().map_err(Clone::clone)?;
    if seen.identity.as_ref().and_then(Identity::id).is_none() {
        let why = seen.identity.as_ref().and_then(Identity::database_problem).unwrap_or_default();
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    }
    let agents = pool::by_age(&seen.agents);
    if let (Some(own), Some((chosen, by))) = (agent.spec.runtime.image.as_deref(), pool::image(&agents))
        && own != chosen
    {
        return Err(Problem::new(
            reasons::INVALID,
            format!(
                "spec.runtime.image: all agents of a tenant share their pods, and agent {by:?}, which is older, runs \
                 them with {chosen:?}: use the same image or none"
            ),
        ));
    }
    Ok(Valid { pool: of_tenant(home, &agents, seen), unresolved: unresolved(agent, seen) })
}

/// The pool for the agents that stay when this one goes; `None` when none stays or the tenant is not accepted.
#[must_use]
pub fn pool_of_others(seen: &Observed) -> Option<Pool> {
    let home = seen.home.as_ref().ok()?;
    let agents = pool::by_age(&seen.agents);
    (!agents.is_empty()).then(|| of_tenant(home, &agents, seen))
}

fn of_tenant(home: &Home, agents: &[&VoiceAgent], seen: &Observed) -> Pool {
    Pool {
        agency: home.agency.name_any(),
        tenant: home.tenant.name_any(),
        tenant_id: home.tenant_id.to_string(),
        namespace: voxplane_crds::names::tenant_namespace(&home.agency.name_any(), &home.tenant.name_any()),
        shape: pool::shape(agents, &seen.runtime.image),
        keys: credentials::of_pool(agents, &seen.secrets),
        runtime: seen.runtime.clone(),
    }
}

fn unresolved(agent: &VoiceAgent, seen: &Observed) -> Option<Problem> {
    if let Err(problem) = credentials::permitted(&agent.spec, &seen.secrets) {
        return Some(problem);
    }
    let missing = seen.missing_knowledge.first()?;
    let message = format!("spec.knowledgeBases: there is no KnowledgeBase {missing:?} in this namespace");
    Some(Problem::new(reasons::REF_NOT_FOUND, message))
}
