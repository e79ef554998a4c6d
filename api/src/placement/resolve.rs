//! Number dialled → tenant → agent, and whether the call may be served. Pure: looks at the reflected resources only.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::Value;
use uuid::Uuid;
use voxplane_control::v1::CallConfig;
use voxplane_crds::conditions::{is_true, types};
use voxplane_crds::names::PoolId;
use voxplane_crds::voice_agent::Placement;
use voxplane_crds::{Agency, PhoneNumber, Tenant, VoiceAgent, effective};
use voxplane_platform::redact::Redacted;
use voxplane_store::TenantId;
use voxplane_store::calls::{Limit, Limits};
use voxplane_telephony::E164;

use super::canary::Canary;
use super::compile::{compile, hash};
use super::hours::{self, Action};
use crate::cluster::{Directory, id_of, ids, is_being_deleted};

/// What to do with a caller.
#[derive(Debug)]
pub enum Resolution {
    /// No tenant has this number: the caller is removed.
    Stranger,
    /// The number is a tenant's, but no agent can be named; the caller is removed.
    Unroutable {
        /// Namespace of the PhoneNumber.
        namespace: String,
        /// Its name.
        phone_number: String,
        /// Why, for the log.
        reason: &'static str,
    },
    /// The call has an owner.
    Routed(Box<Route>),
}

/// Everything placement needs to know about one call; nothing is looked up again later.
#[derive(Debug)]
pub struct Route {
    /// Agency id.
    pub agency: Uuid,
    /// Tenant id.
    pub tenant: Uuid,
    /// Agent id.
    pub agent: Uuid,
    /// Number dialled, E.164.
    pub number: Redacted<String>,
    /// Where the agent's calls run.
    pub pool: PoolId,
    /// Where a share of them runs.
    pub canary: Option<Canary>,
    /// Provider capabilities a pod must have.
    pub capabilities: Vec<String>,
    /// Credential set a pod must have read; `None` when the agent uses no keys.
    pub credentials_hash: Option<String>,
    /// What the runtime gets.
    pub config: CallConfig,
    /// Hash of `config`, kept in the ledger.
    pub config_hash: String,
    /// Longest the call may last.
    pub max_duration: Duration,
    /// Limits that admission checks.
    pub limits: Limits,
    /// Spoken when there is no slot; `None` refuses without a word.
    pub busy_message: Option<String>,
    /// Whether to serve at all.
    pub verdict: Verdict,
    /// What the tenant's business hours meant, for the ledger; `None`: it has none.
    pub hours: Option<Value>,
}

/// Whether a routed call is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, if there is room.
    Serve,
    /// No.
    Refuse {
        /// Why, as the ledger says it.
        reason: RefusalReason,
        /// Spoken to the caller; `None` refuses without a word.
        message: Option<String>,
    },
}

/// Why a call is refused although its number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The agency is suspended.
    AgencySuspended,
    /// The tenant is suspended.
    TenantSuspended,
    /// The agent is paused.
    AgentPaused,
    /// Agency, tenant or agent is being deleted.
    BeingDeleted,
    /// It is outside of the tenant's business hours.
    Closed,
    /// A limit on calls or minutes is reached.
    LimitReached(Limit),
    /// No runtime pod has a free slot.
    NoCapacity,
}

impl RefusalReason {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgencySuspended => "agency_suspended",
            Self::TenantSuspended => "tenant_suspended",
            Self::AgentPaused => "agent_paused",
            Self::BeingDeleted => "being_deleted",
            Self::Closed => "closed",
            Self::LimitReached(_) => "limit_reached",
            Self::NoCapacity => "no_capacity",
        }
    }

    /// Whether calling again in a while may help: such calls end as `busy`, others as `rejected`.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::AgentPaused | Self::LimitReached(_) | Self::NoCapacity)
    }
}

/// Decides about a caller who dialled `dialled` over LiveKit's trunk `trunk`, and who arrived at `now`.
pub fn resolve(world: &Directory, dialled: &str, trunk: Option<&str>, now: Timestamp) -> Resolution {
    let Ok(number) = E164::parse_sip(dialled) else { return Resolution::Stranger };
    let number = number.as_str();
    let Some(claim) = claim(world, number, trunk) else { return Resolution::Stranger };
    let namespace = claim.namespace().unwrap_or_default();
    let unroutable =
        |reason| Resolution::Unroutable { namespace: namespace.clone(), phone_number: claim.name_any(), reason };
    let Some((agency, tenant)) = world.owners(&namespace) else {
        return unroutable("its agency or tenant does not exist");
    };
    let Some((agency_id, tenant_id)) = ids(&agency, &tenant) else {
        return unroutable("its agency or tenant is not registered yet");
    };
    let Some(agent) = world.agent(&namespace, &claim.spec.agent_ref.name) else {
        return unroutable("its agent does not exist");
    };
    let Some(agent_id) = id_of(agent.status.as_ref()) else {
        return unroutable("its agent is not registered yet");
    };
    let owner = Owner { agency: agency_id, tenant: tenant_id, agent: agent_id };
    let settings = effective(&agency.spec, &tenant.spec, &agent.spec);
    let hours = hours::decide(&tenant, settings.closed.map(|closed| closed.value), now);
    let Some(hours) = hours else {
        return Resolution::Routed(Box::new(route(world, owner, number, &claim, &agency, &tenant, &agent)));
    };
    // Only whoever is closed hands over: the other agent answers whatever its own `closed` says.
    let other = match &hours.action {
        Action::HandTo(name) => stand_in(world, &namespace, name),
        _ => None,
    };
    let mut route = match &other {
        Some((other, id)) => route(world, Owner { agent: *id, ..owner }, number, &claim, &agency, &tenant, other),
        None => route(world, owner, number, &claim, &agency, &tenant, &agent),
    };
    apply_hours(&mut route, hours, other.is_some());
    Resolution::Routed(Box::new(route))
}

/// The agent of the same tenant that answers for a closed one.
fn stand_in(world: &Directory, namespace: &str, name: &str) -> Option<(Arc<VoiceAgent>, Uuid)> {
    let agent = world.agent(namespace, name)?;
    let id = id_of(agent.status.as_ref())?;
    Some((agent, id))
}

/// Makes the route say what the hours ask for. Whoever is suspended or paused stays so.
fn apply_hours(route: &mut Route, hours: hours::Hours, handed_over: bool) {
    route.hours = Some(hours.entry);
    if route.verdict != Verdict::Serve {
        return;
    }
    let refuse = |message| Verdict::Refuse { reason: RefusalReason::Closed, message };
    match hours.action {
        Action::Answer => {}
        Action::Say(message) => route.verdict = refuse(Some(message)),
        // Better no answer than the wrong agent's: the agent's status says that the other one is missing.
        Action::HandTo(_) if !handed_over => route.verdict = refuse(None),
        Action::HandTo(_) => {}
        Action::Greet(text) => {
            if let Some(greeting) = &mut route.config.greeting {
                greeting.text = text;
                route.config_hash = hash(&route.config);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Owner {
    agency: Uuid,
    tenant: Uuid,
    agent: Uuid,
}

fn route(
    world: &Directory,
    owner: Owner,
    number: &str,
    claim: &PhoneNumber,
    agency: &Agency,
    tenant: &Tenant,
    agent: &VoiceAgent,
) -> Route {
    let bases = world.bases_of(agent);
    let settings = effective(&agency.spec, &tenant.spec, &agent.spec);
    let config = compile(owner.agency, owner.tenant, owner.agent, tenant, agent, &settings, &bases);
    let uses_keys = !settings.secrets().is_empty();
    let pool = pool_of(agent);
    let busy_message = claim.spec.overflow.message.clone().unwrap_or_else(|| settings.messages.value.busy.clone());
    Route {
        agency: owner.agency,
        tenant: owner.tenant,
        agent: owner.agent,
        number: Redacted::new(number.to_owned()),
        canary: Canary::of(agent, &pool),
        pool,
        capabilities: vec![
            format!("stt/{}", settings.stt.value.provider.as_str()),
            format!("llm/{}", settings.llm.value.provider.as_str()),
            format!("tts/{}", settings.tts.value.provider.as_str()),
        ],
        credentials_hash: if uses_keys {
            // An unknown hash matches no pod: better refused than answered without keys.
            Some(agent.status.as_ref().and_then(|status| status.credentials_hash.clone()).unwrap_or_default())
        } else {
            None
        },
        config_hash: hash(&config),
        max_duration: Duration::from_millis(
            config.limits.as_ref().map_or(0, |limits| u64::from(limits.max_duration_ms)),
        ),
        config,
        limits: limits(world, agency, tenant, settings.limits.value.calls_per_hour),
        verdict: verdict(agency, tenant, agent, &busy_message),
        busy_message: Some(busy_message).filter(|text| !text.is_empty()),
        hours: None,
    }
}

/// Where the agent's new calls go. The operator says it, because while `runtime.placement` changes only it knows which
/// of two pools is ready. What it has not said yet, or cannot have said, is what the agent asks for.
fn pool_of(agent: &VoiceAgent) -> PoolId {
    let namespace = agent.namespace().unwrap_or_default();
    let asked = |placement| PoolId::asked_for(&namespace, &agent.name_any(), placement);
    let said = agent.status.as_ref().and_then(|status| status.pool.as_deref()).and_then(PoolId::parse);
    said.filter(|pool| [Placement::Pooled, Placement::Dedicated].map(asked).contains(pool))
        .unwrap_or_else(|| asked(agent.spec.runtime.placement))
}

fn limits(world: &Directory, agency: &Agency, tenant: &Tenant, calls_per_hour: Option<i32>) -> Limits {
    let own = &tenant.spec.quotas.concurrent_calls;
    let siblings = world.tenants_of(&agency.name_any());
    Limits {
        agency_max: agency.spec.quotas.concurrent_calls,
        tenant_max: own.max,
        tenant_guaranteed: own.guaranteed,
        agency_minutes: agency.spec.quotas.monthly_minutes,
        tenant_minutes: tenant.spec.quotas.monthly_minutes,
        agent_hourly: calls_per_hour,
        other_guarantees: siblings
            .iter()
            .filter(|sibling| sibling.name_any() != tenant.name_any())
            .filter_map(|sibling| {
                let id = id_of(sibling.status.as_ref())?;
                Some((TenantId(id), sibling.spec.quotas.concurrent_calls.guaranteed))
            })
            .collect(),
    }
}

fn verdict(agency: &Agency, tenant: &Tenant, agent: &VoiceAgent, busy: &str) -> Verdict {
    let refuse = |reason, message: Option<&str>| Verdict::Refuse {
        reason,
        message: message.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    let suspended = tenant.spec.suspended_message.as_deref();
    if is_being_deleted(agency) || is_being_deleted(tenant) || is_being_deleted(agent) {
        refuse(RefusalReason::BeingDeleted, None)
    } else if agency.spec.suspended {
        refuse(RefusalReason::AgencySuspended, suspended)
    } else if tenant.spec.suspended {
        refuse(RefusalReason::TenantSuspended, suspended)
    } else if agent.spec.paused {
        refuse(RefusalReason::AgentPaused, Some(busy))
    } else {
        Verdict::Serve
    }
}

/// The claim that holds: accepted by the operator, over its own agency's trunk; ties: oldest, then id.
fn claim(world: &Directory, number: &str, trunk: Option<&str>) -> Option<Arc<PhoneNumber>> {
    world
        .claims(number)
        .into_iter()
        .filter(|claim| !is_being_deleted(claim.as_ref()))
        .filter(|claim| {
            let Some(status) = &claim.status else { return false };
            // A caller on another agency's trunk must not reach this number, whatever it dialled. Who arrives over no
            // trunk came by the strangers' rule: from an address that no carrier of ours uses.
            let own_trunk = trunk.is_some_and(|arrived| status.trunk_id.as_deref() == Some(arrived));
            own_trunk && is_true(&status.conditions, types::ACCEPTED)
        })
        .min_by_key(|claim| {
            (claim.metadata.creation_timestamp.clone().map(|time| time.0), id_of(claim.status.as_ref()))
        })
}

#[cfg(test)]
mod tests;
