//! What goes with a voice agent: its calls finish first, its keys leave the shared pool, a pool of its own goes, and with
//! the last agent of the tenant everything.

use std::collections::BTreeSet;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::PoolId;
use voxplane_crds::{VoiceAgent, names};
use voxplane_store::resources::ResourceKind;
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
    identity::retire(ctx, identity::last(ctx, agent, ResourceKind::VoiceAgent).await?).await?;
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
            let message = format!("whether calls are under way is not known until the database answers: {away}");
            return Ok(Some(Cleanup::waiting_for(reasons::DATABASE_UNAVAILABLE, message)));
        }
    };
    let live = calls::live(&mut tx).await?.iter().filter(|call| call.agent == id).count();
    tx.rollback().await?;
    Ok((live > 0).then(|| Cleanup::waiting_for(reasons::DRAINING, finishing(live, deleted_at, limit))))
}

/// The end is told as a time, so that the text stays the same while it comes nearer.
fn finishing(calls: usize, deleted_at: Option<Timestamp>, limit: i64) -> String {
    let calls = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    let end = deleted_at.and_then(|at| at.checked_add(SignedDuration::from_secs(limit)).ok());
    let latest = end.map(|end| format!(", at the latest at {end}")).unwrap_or_default();
    format!("waiting for {calls} to end{latest}; new ones are refused")
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
        pods => pods_finish(pods),
    }))
}

fn pods_finish(pods: usize) -> Cleanup {
    let message = format!("waiting for {pods} pods of the pool to finish their calls and stop");
    Cleanup::waiting_for(reasons::DRAINING, message)
}

/// Takes down everything that the tenant's agents had.
async fn remove_all(namespace: &str, ctx: &Context, apply: &Applier) -> Result<Option<Cleanup>, Error> {
    if let Some(waiting) = remove(namespace, &BTreeSet::new(), ctx, apply).await? {
        return Ok(Some(waiting));
    }
    let pods = ctx.stores().pods.names_within(namespace).len();
    if pods > 0 {
        return Ok(Some(pods_finish(pods)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_progress_are_counted_and_their_latest_end_is_told() {
        let deleted_at = "2026-07-01T12:00:00Z".parse().ok();
        assert_eq!(
            finishing(1, deleted_at, 3_630),
            "waiting for 1 call to end, at the latest at 2026-07-01T13:00:30Z; new ones are refused"
        );
        assert!(finishing(2, deleted_at, 60).starts_with("waiting for 2 calls to end"));
    }
}
