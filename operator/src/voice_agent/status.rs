//! What is said about a voice agent. Pure.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::names::PoolId;
use voxplane_crds::voice_agent::Slots;
use voxplane_crds::{VoiceAgent, VoiceAgentStatus, labels};

use super::credentials;
use super::observe::Observed;
use super::validate::{Pool, Valid};
use crate::home::Home;
use crate::identity::Identity;
use crate::status::{Judgement, Problem, begin};

/// The status of a voice agent after a pass.
#[must_use]
pub fn compute(agent: &VoiceAgent, seen: &Observed, plan: &Result<Valid, Problem>, now: Timestamp) -> VoiceAgentStatus {
    let judgement = match plan {
        Err(problem) => Judgement::refused(problem),
        Ok(valid) => judge(agent, seen, valid),
    };
    let id = seen.identity.as_ref().and_then(Identity::id).map(|id| id.to_string());
    let mut status = begin(agent.status.as_ref(), id, agent.metadata.generation, judgement.conditions(), now);
    if let Ok(Valid { pool, .. }) = plan {
        fill(&mut status, seen, pool);
    }
    status
}

fn fill(status: &mut VoiceAgentStatus, seen: &Observed, pool: &Pool) {
    status.pool = Some(PoolId::pooled_in(&pool.namespace).to_string());
    status.selector = Some(labels::selector_string(&labels::runtime_selector(&pool.agency, &pool.tenant)));
    let hash = credentials::hash(&pool.keys);
    // While the database is away nothing is known about sessions: the last numbers stay.
    if seen.database_problem.is_none() {
        status.slots = seen.report.as_ref().map(|report| Slots { ready: report.slots, busy: report.busy });
        status.credentials_acknowledged = acknowledged(seen, &hash);
    }
    status.credentials_hash = Some(hash);
    let deployed = seen.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    status.replicas = deployed.and_then(|deployed| deployed.replicas).unwrap_or_default();
    status.ready_replicas = deployed.and_then(|deployed| deployed.ready_replicas).unwrap_or_default();
}

fn acknowledged(seen: &Observed, hash: &str) -> i32 {
    seen.report.as_ref().and_then(|report| report.by_credentials_hash.get(hash)).copied().unwrap_or_default()
}

fn judge(agent: &VoiceAgent, seen: &Observed, valid: &Valid) -> Judgement {
    let mut judgement = Judgement::good();
    if let Some(problem) = &valid.unresolved {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    judgement.obstacle = obstacle(agent, seen, &valid.pool);
    judgement
}

fn obstacle(agent: &VoiceAgent, seen: &Observed, pool: &Pool) -> Option<Desired> {
    if let Some(suspended) = seen.home.as_ref().ok().and_then(Home::suspension) {
        return Some(suspended.as_condition(types::READY));
    }
    let no = |reason, message: String| Some(Desired::no(types::READY, reason, message));
    if agent.spec.paused {
        return no(reasons::PAUSED, "spec.paused is true: new calls are refused as busy".to_owned());
    }
    if let Some(why) = &seen.database_problem {
        let message = format!("the pods are kept; whether they are connected is not known: {why}");
        return Some(Desired::unknown(types::READY, reasons::DATABASE_UNAVAILABLE, message));
    }
    let deployed = seen.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    let ready = deployed.and_then(|deployed| deployed.ready_replicas).unwrap_or_default();
    if pool.shape.replicas == 0 {
        return no(reasons::WAITING_FOR_PODS, "spec.runtime.replicas is 0: no pod can take calls".to_owned());
    }
    let connected = seen.report.as_ref().is_some_and(|report| report.slots > 0);
    if !connected {
        let of = pool.shape.replicas;
        return no(
            reasons::WAITING_FOR_PODS,
            format!("{ready} of {of} pods of the pool are ready, and none is connected to the API"),
        );
    }
    if acknowledged(seen, &credentials::hash(&pool.keys)) == 0 {
        let message = "no connected pod has read the newest keys yet; that takes up to two minutes";
        return no(reasons::WAITING_FOR_CREDENTIALS, message.to_owned());
    }
    None
}
