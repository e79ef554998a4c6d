//! What is said about a voice agent. Pure.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::names::PoolId;
use voxplane_crds::voice_agent::{CanaryStatus, ScalingStatus, Slots};
use voxplane_crds::{VoiceAgent, VoiceAgentStatus, labels};

use super::credentials::{self, KeySet};
use super::observe::Observed;
use super::validate::{Pool, Valid};
use crate::home::Home;
use crate::identity::Identity;
use crate::pool::PoolReport;
use crate::pool::closed_nodes::{Decision, Stage};
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
    if let Ok(valid) = plan {
        fill(&mut status, seen, valid);
    }
    status
}

/// Where the agent's new calls go.
struct Serving<'a> {
    id: &'a PoolId,
    keys: &'a KeySet,
    report: Option<&'a PoolReport>,
    deployment: Option<&'a Deployment>,
}

impl Serving<'_> {
    fn of<'a>(seen: &'a Observed, valid: &'a Valid) -> Serving<'a> {
        match (&valid.leaving, &seen.former) {
            (Some(left), Some(former)) => Serving {
                id: &left.id,
                keys: &left.keys,
                report: former.report.as_ref(),
                deployment: former.deployment.as_ref(),
            },
            _ => Serving {
                id: &valid.pool.id,
                keys: &valid.pool.keys,
                report: seen.report.as_ref(),
                deployment: seen.deployment.as_ref(),
            },
        }
    }

    fn acknowledged(&self) -> i32 {
        let hash = credentials::hash(self.keys);
        self.report.and_then(|report| report.by_credentials_hash.get(&hash)).copied().unwrap_or_default()
    }
}

fn fill(status: &mut VoiceAgentStatus, seen: &Observed, valid: &Valid) {
    let (pool, serving) = (&valid.pool, Serving::of(seen, valid));
    status.pool = Some(serving.id.to_string());
    let selector = labels::pool_selector(&pool.agency, &pool.tenant, pool.id.deployment());
    status.selector = Some(labels::selector_string(&selector));
    // While the database is away nothing is known about sessions: the last numbers stay.
    if seen.database_problem.is_none() {
        status.slots = serving.report.map(|report| Slots { ready: report.slots, busy: report.busy });
        status.credentials_acknowledged = serving.acknowledged();
    }
    status.credentials_hash = Some(credentials::hash(serving.keys));
    let deployed = seen.deployment.as_ref().and_then(|deployment| deployment.status.as_ref());
    status.replicas = deployed.and_then(|deployed| deployed.replicas).unwrap_or_default();
    status.ready_replicas = deployed.and_then(|deployed| deployed.ready_replicas).unwrap_or_default();
    status.canary = valid.canary.as_ref().map(|pool| {
        let tried = seen.canary.as_ref();
        let deployed = tried.and_then(|tried| tried.deployment.as_ref()?.status.as_ref());
        let slots = tried.and_then(|tried| tried.report.as_ref());
        CanaryStatus {
            pool: pool.id.to_string(),
            image: pool.shape.image.clone(),
            replicas: deployed.and_then(|deployed| deployed.replicas).unwrap_or_default(),
            ready_replicas: deployed.and_then(|deployed| deployed.ready_replicas).unwrap_or_default(),
            slots: slots.map(|report| Slots { ready: report.slots, busy: report.busy }),
        }
    });
    status.scaling = seen.scaling.as_ref().map(|verdict| ScalingStatus {
        desired: verdict.decision.replicas,
        current: status.replicas,
        reason: verdict.decision.reason.as_str().to_owned(),
        message: verdict.decision.message.clone(),
    });
}

/// What people should know although it has been made: that calls have not moved yet, and how rollouts go.
fn remarks(seen: &Observed, valid: &Valid) -> String {
    let pool = &valid.pool;
    let moving = valid.leaving.as_ref().map(|left| {
        let connected = seen.report.as_ref().map_or(0, |report| report.slots);
        format!(
            "new calls go to {} until all of {} is connected ({connected} of {} call slots so far)",
            left.id.deployment(),
            pool.id.deployment(),
            pool.slots()
        )
    });
    let gpu = pool.shape.scheduling.gpu.as_ref().filter(|_| !pool.shape.surges);
    let in_place = gpu.map(|gpu| {
        format!(
            "a rollout stops a pod before it starts the next (maxSurge 0), because the Tenant's spec.quotas.gpus has no \
             {:?} left for one more: until the stopped pod's calls end, there are fewer slots",
            gpu.resource_name
        )
    });
    let closed = pool.closed_nodes.and_then(|decision| on_closed_nodes(&decision, pool));
    [moving, in_place, closed, of_canary(seen, valid)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What is to be said about the image that is tried.
fn of_canary(seen: &Observed, valid: &Valid) -> Option<String> {
    let (pool, tried) = (valid.canary.as_ref()?, seen.canary.as_ref()?);
    if pool.shape.image == valid.pool.shape.image {
        return Some("spec.runtime.canary tries the image that all pods have: leave it out".to_owned());
    }
    let is_connected = tried.report.as_ref().is_some_and(|report| report.slots > 0);
    let is_known = seen.database_problem.is_none() && pool.shape.replicas > 0;
    (is_known && !is_connected).then(|| {
        let why = not_connected(tried.deployment.as_ref(), pool);
        format!("spec.runtime.canary: its share of the calls goes to the other pods: {why}")
    })
}

/// Node names are the platform's and are not said here.
fn on_closed_nodes(decision: &Decision, pool: &Pool) -> Option<String> {
    let waits_for = match decision.stage {
        Stage::Left => return None,
        Stage::Settling | Stage::GivingWay => "one of them gives way".to_owned(),
        Stage::Substituting => "waiting until one more pod, and every other elsewhere, is connected".to_owned(),
        Stage::NoRoom => {
            let gpu = pool.shape.scheduling.gpu.as_ref().map(|gpu| gpu.resource_name.as_str()).unwrap_or_default();
            format!(
                "they stay, because the Tenant's spec.quotas.gpus has no {gpu:?} left for one more: grant one more, or                  end them with kubectl voxplane drain"
            )
        }
    };
    let leaving = decision.leaving;
    Some(format!("{leaving} pods are on nodes that take no new ones and leave them one after another: {waits_for}"))
}

fn judge(agent: &VoiceAgent, seen: &Observed, valid: &Valid) -> Judgement {
    let mut judgement = Judgement::good();
    if let Some(problem) = &valid.unresolved {
        judgement.resolved = problem.as_condition(types::RESOLVED_REFS);
    }
    judgement.programmed.message = remarks(seen, valid);
    judgement.obstacle = obstacle(agent, seen, valid);
    judgement
}

fn obstacle(agent: &VoiceAgent, seen: &Observed, valid: &Valid) -> Option<Desired> {
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
    let serving = Serving::of(seen, valid);
    if valid.leaving.is_none() && valid.pool.shape.replicas == 0 {
        return no(reasons::WAITING_FOR_PODS, no_pods(seen));
    }
    let connected = serving.report.is_some_and(|report| report.slots > 0);
    if !connected {
        return no(reasons::WAITING_FOR_PODS, not_connected(serving.deployment, &valid.pool));
    }
    if serving.acknowledged() == 0 {
        let message = "no connected pod has read the newest keys yet; that takes up to two minutes";
        return no(reasons::WAITING_FOR_CREDENTIALS, message.to_owned());
    }
    None
}

fn no_pods(seen: &Observed) -> String {
    match &seen.scaling {
        Some(verdict) => format!("no pod can take calls: {}", verdict.decision.message),
        None => "spec.runtime.replicas is 0: no pod can take calls".to_owned(),
    }
}

/// Also says what keeps pods from being made, a used-up quota for example.
fn not_connected(deployment: Option<&Deployment>, pool: &Pool) -> String {
    let status = deployment.and_then(|deployment| deployment.status.as_ref());
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or_default();
    let of = pool.shape.replicas;
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let failure = conditions.into_iter().flatten().find(|one| one.type_ == "ReplicaFailure" && one.status == "True");
    let failure = failure.and_then(|failure| failure.message.as_deref());
    let why = failure.map(|message| format!("; pods cannot be made: {message}")).unwrap_or_default();
    format!("{ready} of {of} pods of the pool are ready, and none is connected to the API{why}")
}
