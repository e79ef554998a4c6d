//! Looks into LiveKit again and again, because LiveKit tells nobody of changes: keeps the rule for strangers, has an
//! agency looked at when something of it is not as its last pass left it (somebody's hand, an emptied Redis), and removes
//! what agencies left that are gone (a Redis restored from yesterday).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use voxplane_platform::error_chain::{ErrorChain, describe};
use voxplane_platform::health::Check;
use voxplane_store::resources::{self, ResourceKind};

use super::client::{LiveKit, LiveKitError};
use super::drift::{self, Absences, Belongings, Record};
use super::plan::Found;
use super::strangers;
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::watch::{ObjectKey, decoded};

/// How often LiveKit is looked at: how long a number may be out of order after somebody's mistake.
const EVERY: Duration = Duration::from_secs(20);
/// How soon after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(3);

/// Runs until `stop` is cancelled.
pub async fn run(livekit: &LiveKit, ctx: &Context, check: &Check, stop: &CancellationToken) {
    let mut absences = Absences::default();
    loop {
        let wait = match Box::pin(look(livekit, ctx, &mut absences)).await {
            Ok(()) => {
                check.pass();
                EVERY
            }
            Err(error) => {
                check.fail(describe(&error));
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(livekit: &LiveKit, ctx: &Context, absences: &mut Absences) -> Result<(), LiveKitError> {
    let found = livekit.look().await?;
    // First, because a rule of somebody else in the way of the strangers' rule must not keep drift from being repaired.
    let drifted = drift::drifted(&ctx.programmed.goals(), &found);
    for agency in drifted.into_iter().filter(|agency| ctx.stores().has_agency(agency)) {
        tracing::info!(agency, "LiveKit is not as it was left; the agency is looked at again");
        ctx.router.queues.agencies.push(ObjectKey::cluster(agency));
    }
    strangers::ensure(livekit, &found.rules).await?;
    sweep(livekit, ctx, &found, absences).await
}

/// Removes what agencies left that are gone.
async fn sweep(livekit: &LiveKit, ctx: &Context, found: &Found, absences: &mut Absences) -> Result<(), LiveKitError> {
    // An agency is missing from an incomplete list, too.
    if !ctx.stores().agencies_are_listed() {
        return Ok(());
    }
    let left = drift::without_owner(found, &present(ctx));
    let records = match records(ctx, left.keys()).await {
        Ok(records) => records,
        // Whose they are is not known now; they can wait.
        Err(error) => {
            tracing::debug!(error = %ErrorChain(&error), "cannot tell whose the trunks without an agency are");
            return Ok(());
        }
    };
    for agency in absences.over(&records, Instant::now()) {
        let Some(Belongings { rules, trunks }) = left.get(&agency) else { continue };
        tracing::warn!(%agency, rules = rules.len(), trunks = trunks.len(), "removing what a deleted agency left in LiveKit");
        for rule in rules {
            livekit.delete_rule(rule).await?;
        }
        for trunk in trunks {
            livekit.delete_trunk(trunk).await?;
        }
    }
    Ok(())
}

/// The ids of all agencies in the cluster, also of those on their way out.
fn present(ctx: &Context) -> BTreeSet<Uuid> {
    let agencies = ctx.stores().agencies.state();
    agencies.iter().filter_map(|agency| decoded(agency)?.status.as_ref()?.id.as_ref()?.parse().ok()).collect()
}

async fn records<'a>(
    ctx: &Context,
    agencies: impl Iterator<Item = &'a Uuid> + Send,
) -> Result<BTreeMap<Uuid, Record>, DatabaseAway> {
    let agencies: Vec<Uuid> = agencies.copied().collect();
    let mut records = BTreeMap::new();
    if agencies.is_empty() {
        return Ok(records);
    }
    let mut tx = ctx.database.begin().await?;
    for agency in agencies {
        let record = match resources::get(&mut tx, agency).await? {
            // One of its name is here: made again a moment ago, or written by a newer version and unreadable for us.
            Some(known) if ctx.stores().has_agency(&known.name) => Record::Unknown,
            Some(known) if known.kind == ResourceKind::Agency => match known.deleted_at {
                Some(_) => Record::Deleted,
                None => Record::Away,
            },
            _ => Record::Unknown,
        };
        records.insert(agency, record);
    }
    tx.rollback().await?;
    Ok(records)
}
