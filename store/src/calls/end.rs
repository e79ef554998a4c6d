//! From the answer to the end, and the slot after it.

use super::{CallStatus, usage};
use crate::{CallId, ScopedTx, StoreError};

/// Notes that the owner of `epoch` answered. Returns whether this changed anything: an earlier owner's news does not.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn answered(tx: &mut ScopedTx, call: CallId, epoch: i32) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        "UPDATE calls SET status = $3, answered_at = coalesce(answered_at, clock_timestamp())
         WHERE id = $1 AND epoch = $2 AND ended_at IS NULL AND status <> $3",
        call.0,
        epoch,
        CallStatus::InProgress.as_str()
    )
    .execute(tx.connection())
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Ends a call, adds its minutes to the month's, and answers open commands for it with `unknown_call`. Returns whether
/// this ended it: false when it had ended before, or when `epoch` is given and is not the present one. The slot stays
/// taken, see [`free_slot`].
///
/// # Errors
/// [`StoreError::Invalid`] when the status is not final, [`StoreError::NotFound`].
pub async fn end(
    tx: &mut ScopedTx,
    call: CallId,
    reason: &str,
    status: CallStatus,
    epoch: Option<i32>,
) -> Result<bool, StoreError> {
    if !status.is_final() {
        let message = format!("{status} does not end a call");
        return Err(StoreError::Invalid { field: "status", message });
    }
    let changed = sqlx::query!(
        "UPDATE calls SET status = $2, end_reason = $3, ended_at = clock_timestamp(), lease_expires_at = NULL
         WHERE id = $1 AND ended_at IS NULL AND ($4::integer IS NULL OR epoch = $4)",
        call.0,
        status.as_str(),
        reason,
        epoch
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() == 0 {
        let known = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM calls WHERE id = $1) AS "known!""#, call.0)
            .fetch_one(tx.connection())
            .await?;
        return if known { Ok(false) } else { Err(StoreError::NotFound { what: "call" }) };
    }
    usage::note_end(tx, call).await?;
    sqlx::query!(
        "UPDATE call_commands SET state = 'unknown_call', message = 'the call has ended', finished_at = now()
         WHERE call_id = $1 AND finished_at IS NULL",
        call.0
    )
    .execute(tx.connection())
    .await?;
    Ok(true)
}

/// Frees the slot of an ended call, once LiveKit no longer lists its room. Idempotent; returns whether it was held.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn free_slot(tx: &mut ScopedTx, call: CallId) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        "UPDATE calls SET slot_freed_at = clock_timestamp()
         WHERE id = $1 AND admitted_at IS NOT NULL AND slot_freed_at IS NULL AND ended_at IS NOT NULL",
        call.0
    )
    .execute(tx.connection())
    .await?;
    Ok(changed.rows_affected() > 0)
}
