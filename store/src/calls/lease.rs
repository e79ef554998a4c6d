//! Who owns a call: the lease, and the epoch that fences off earlier owners.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::CallStatus;
use crate::listen::{Channel, announce};
use crate::{CallId, ScopedTx, SessionId, StoreError};

/// A runtime pod as the owner of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `<tenant namespace>/<Deployment name>`.
    pub pool: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID: a pod of the same name is another owner.
    pub pod_uid: String,
    /// The stream it is reached by.
    pub session: SessionId,
}

/// A new owner for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Who gets it.
    pub owner: Owner,
    /// Must be higher than the call's present epoch.
    pub epoch: i32,
    /// How long the owner has it without renewing.
    pub lease: Duration,
}

/// Gives a call to an owner under a higher epoch. Commit before `StartCall` is sent: the owner's events need the epoch.
/// When the owner refuses, place the call again with the next epoch.
///
/// # Errors
/// [`StoreError::Conflict`] when the call has ended or its epoch is not lower: somebody else placed it.
pub async fn place(tx: &mut ScopedTx, call: CallId, placement: &Placement) -> Result<(), StoreError> {
    let Placement { owner, epoch, lease } = placement;
    let row = sqlx::query!(
        "UPDATE calls SET epoch = $2, owner_pool = $3, owner_pod = $4, owner_pod_uid = $5, session_id = $6,
                          lease_expires_at = clock_timestamp() + make_interval(secs => $7),
                          status = CASE WHEN status = $8 THEN $9 ELSE status END
         WHERE id = $1 AND epoch < $2 AND ended_at IS NULL
         RETURNING agency_id, tenant_id",
        call.0,
        epoch,
        owner.pool,
        owner.pod,
        owner.pod_uid,
        owner.session.0,
        lease.as_secs_f64(),
        CallStatus::Queued.as_str(),
        CallStatus::Ringing.as_str()
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Err(why_not_placed(tx, call).await?) };
    sqlx::query!(
        "INSERT INTO call_epochs (call_id, epoch, agency_id, tenant_id, pool, pod) VALUES ($1, $2, $3, $4, $5, $6)",
        call.0,
        epoch,
        row.agency_id,
        row.tenant_id,
        owner.pool,
        owner.pod
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes a call under a higher epoch and gives it to nobody, so that it can be refused: whoever else wants to place it
/// knows a lower epoch and cannot any more.
///
/// # Errors
/// [`StoreError::Conflict`] when the call has ended or its epoch is not lower: somebody else has it.
pub async fn take(tx: &mut ScopedTx, call: CallId, epoch: i32) -> Result<(), StoreError> {
    let changed = sqlx::query!(
        "UPDATE calls SET epoch = $2, session_id = NULL, lease_expires_at = NULL
         WHERE id = $1 AND epoch < $2 AND ended_at IS NULL",
        call.0,
        epoch
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() == 0 { Err(why_not_placed(tx, call).await?) } else { Ok(()) }
}

/// [`take`]s a call and announces it, when the transaction commits, to the processes that
/// [`crate::Db::listen_handovers`]: the first of them that [`place`]s it has it.
///
/// # Errors
/// Those of [`take`].
pub async fn hand_over(tx: &mut ScopedTx, call: CallId, epoch: i32) -> Result<(), StoreError> {
    take(tx, call, epoch).await?;
    announce(tx, Channel::Handovers, call).await
}

async fn why_not_placed(tx: &mut ScopedTx, call: CallId) -> Result<StoreError, StoreError> {
    let row = sqlx::query!(r#"SELECT ended_at IS NOT NULL AS "ended!", epoch FROM calls WHERE id = $1"#, call.0)
        .fetch_optional(tx.connection())
        .await?;
    Ok(match row {
        None => StoreError::NotFound { what: "call" },
        Some(row) if row.ended => StoreError::Conflict { what: "the call has ended".into() },
        Some(row) => StoreError::Conflict { what: format!("the call is at epoch {} already", row.epoch).into() },
    })
}

/// Renews the leases of a session's calls, and returns those it no longer has: another owner, a later epoch, or ended.
/// The session may be a new one of the same pod; another pod's leases it cannot renew.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn renew_leases(
    tx: &mut ScopedTx,
    session: SessionId,
    calls: &[(CallId, i32)],
    lease: Duration,
) -> Result<Vec<(CallId, i32)>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, epochs): (Vec<Uuid>, Vec<i32>) = calls.iter().map(|(call, epoch)| (call.0, *epoch)).unzip();
    // Rows are locked in the order of their ids, so that two renewals cannot deadlock.
    let kept = sqlx::query!(
        "WITH own AS (
             SELECT c.id FROM calls c
             JOIN unnest($2::uuid[], $3::integer[]) AS l(call_id, epoch) ON c.id = l.call_id AND c.epoch = l.epoch
             JOIN runtime_sessions s ON s.id = $1 AND s.closed_at IS NULL
                 AND s.pod_uid = c.owner_pod_uid AND s.pool = c.owner_pool
             WHERE c.ended_at IS NULL ORDER BY c.id FOR UPDATE OF c
         )
         UPDATE calls SET session_id = $1, lease_expires_at = clock_timestamp() + make_interval(secs => $4)
         FROM own WHERE calls.id = own.id RETURNING calls.id, calls.epoch",
        session.0,
        &ids,
        &epochs,
        lease.as_secs_f64()
    )
    .fetch_all(tx.connection())
    .await?;
    let kept: HashSet<(CallId, i32)> = kept.into_iter().map(|row| (CallId(row.id), row.epoch)).collect();
    Ok(calls.iter().copied().filter(|call| !kept.contains(call)).collect())
}
