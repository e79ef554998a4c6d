//! What goes with a voice agent: its calls finish first, its keys leave the shared pool, a pool of its own goes, and with
//! the last agent of the tenant everything.

use std::collections::BTreeSet;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use voxplane_crds::names::PoolId;
use voxplane_crds::{VoiceAgent, names};
use voxplane_store::{AgentId, calls};

use super::pool::DRAIN_MARGIN_SECONDS;
use super::{build, membership, observe, retire, validate};
use crate::apply::Applier;
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;
use crate::home;
use crate::identity;
use crate::kind::Cleanup;

/// Does the next step.
///
/// # Errors
/// When the API server or the database fails.
pub async fn run(agent: &VoiceAgent, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
    if let Some(waiting) = calls_under_way(agent, ctx).await? {
        return Ok(waiting);
    }
    let namespace = agent.namespace().unwrap_or_default();
    let living = observe::living(ctx.stores(), agent);
    let removed = if living.is_empty() {
        // Pods that are told to stop finish their calls; the keys go with them.
        remove_all(&namespace, ctx, apply).await?
    } else {
        Box::pin(shrink_pools(agent, ctx, apply)).await?;
        remove(&namespace, &membership::needed(&living), ctx, apply).await?
    };
    if let Some(waiting) = removed {
        return Ok(waiting);
    }
    identity::retire(ctx, agent).await?;
    Ok(Cleanup::Done)
}

/// New calls are refused from the moment of deletion; those under way go on to their end, at most as long as the agent
/// lets a call last.
async fn calls_under_way(agent: &VoiceAgent, ctx: &Context) -> Result<Option<Cleanup>, Error> {
    let limit = i64::from(home::longest_call(ctx.stores(), agent)) + DRAIN_MARGIN_SECONDS;
    let deleted_at = agent.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let over = deleted_at.is_some_and(|at| Timestamp::now().duration_since(at) > SignedDuration::from_secs(limit));
    let id = agent.status.as_ref().and_then(|status| status.id.as_deref()).and_then(|id| id.parse::<AgentId>().ok());
    let (Some(id), false) = (id, over) else { return Ok(None) };
    let mut tx = match ctx.database.begin().await {
        Ok(tx) => tx,
        Err(DatabaseAway::NotConfigured(_)) => return Ok(None),
        Err(away) => {
            return Ok(Some(Cleanup::waiting(format!("whether calls are under way is not known: {away}"))));
        }
    };
    let live = calls::live(&mut tx).await?.iter().filter(|call| call.agent == id).count();
    tx.rollback().await?;
    Ok((live > 0).then(|| Cleanup::waiting(format!("waiting for {live} calls to end"))))
}

/// Takes down the pools that are not in `needed`.
async fn remove(
    namespace: &str,
    needed: &BTreeSet<PoolId>,
    ctx: &Context,
    apply: &Applier,
) -> Result<Option<Cleanup>, Error> {
    // A namespace that somebody deletes takes everything along, our own rights in it first: nothing is left to do
    // there, and every attempt would be refused, so that this agent would keep the namespace from going for ever.
    if ctx.stores().is_terminating(namespace) {
        return Ok(None);
    }
    let left = retire::unneeded(namespace, needed, ctx, apply).await?;
    Ok(left.map(|pods| match pods {
        0 => Cleanup::waiting("waiting for the pool to be removed"),
        pods => Cleanup::waiting(format!("waiting for {pods} pods of the pool to finish")),
    }))
}

/// Takes down everything that the tenant's agents had.
async fn remove_all(namespace: &str, ctx: &Context, apply: &Applier) -> Result<Option<Cleanup>, Error> {
    if let Some(waiting) = remove(namespace, &BTreeSet::new(), ctx, apply).await? {
        return Ok(Some(waiting));
    }
    let pods = ctx.stores().pods.names_within(namespace).len();
    if pods > 0 {
        return Ok(Some(Cleanup::waiting(format!("waiting for {pods} pods of the pool to finish"))));
    }
    if !ctx.stores().is_terminating(namespace) {
        apply.delete::<PodDisruptionBudget>(namespace, names::POOL_DISRUPTION_BUDGET).await?;
    }
    Ok(None)
}

/// Builds the shared pool for the agents that stay. Their namespace may be going too: then there is nothing to build.
async fn shrink_pools(agent: &VoiceAgent, ctx: &Context, apply: &Applier) -> Result<(), Error> {
    if home::find(ctx.stores(), &agent.metadata).is_err() {
        return Ok(());
    }
    let seen = observe::read(agent, ctx).await?;
    for pool in validate::pools_of_others(&seen) {
        match build::of_pool(&pool).apply(ctx.stores().deployment(&pool.id).as_ref(), None, apply).await {
            // A namespace that is being deleted takes no new objects.
            Err(error) if error.is_forbidden() || error.is_not_found() => {}
            other => other?,
        }
    }
    Ok(())
}
