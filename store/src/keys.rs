//! The keys of calls. Destroying a call's key erases its personal data everywhere, backups included.

use uuid::Uuid;

use crate::crypto::CallKey;
use crate::{AgencyId, CallId, EncryptionError, ScopedTx, StoreError, TenantId};

fn place(call: CallId) -> String {
    format!("call-key/{call}")
}

/// Makes the key of a new call, and its wrapped form for [`store`].
pub(crate) fn generate(tx: &ScopedTx, call: CallId) -> Result<(CallKey, Vec<u8>), StoreError> {
    Ok(tx.data_key()?.new_call_key(&place(call)))
}

/// Stores the key of a call whose row exists.
pub(crate) async fn store(
    tx: &mut ScopedTx,
    call: CallId,
    agency: AgencyId,
    tenant: TenantId,
    wrapped: Vec<u8>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO call_keys (call_id, agency_id, tenant_id, wrapped) VALUES ($1, $2, $3, $4)",
        call.0,
        agency.0,
        tenant.0,
        wrapped
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The key of a call; `None` when it was destroyed.
pub(crate) async fn get(tx: &mut ScopedTx, call: CallId) -> Result<Option<CallKey>, StoreError> {
    let row = sqlx::query!("SELECT wrapped FROM call_keys WHERE call_id = $1", call.0)
        .fetch_optional(tx.connection())
        .await?
        .ok_or(StoreError::NotFound { what: "call" })?;
    unwrap(tx, call, row.wrapped.as_deref())
}

/// The key of a call that must still have one.
pub(crate) async fn require(tx: &mut ScopedTx, call: CallId) -> Result<CallKey, StoreError> {
    get(tx, call).await?.ok_or(StoreError::Encryption(EncryptionError::Destroyed))
}

/// Unwraps a key read together with other columns.
pub(crate) fn unwrap(tx: &ScopedTx, call: CallId, wrapped: Option<&[u8]>) -> Result<Option<CallKey>, StoreError> {
    let Some(wrapped) = wrapped else { return Ok(None) };
    Ok(Some(tx.data_key()?.unwrap_call_key(&place(call), wrapped)?))
}

/// Destroys the key of a call: numbers, event payloads and commands of the call can never be read again. Idempotent.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Conflict`] while the call is live.
pub async fn destroy(tx: &mut ScopedTx, call: CallId) -> Result<(), StoreError> {
    let row = sqlx::query!(r#"SELECT ended_at IS NOT NULL AS "ended!" FROM calls WHERE id = $1 FOR UPDATE"#, call.0)
        .fetch_optional(tx.connection())
        .await?
        .ok_or(StoreError::NotFound { what: "call" })?;
    if !row.ended {
        return Err(StoreError::Conflict { what: "the call is live: end it before erasing it".into() });
    }
    sqlx::query!(
        "UPDATE call_keys SET wrapped = NULL, destroyed_at = coalesce(destroyed_at, now()) WHERE call_id = $1",
        Uuid::from(call)
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
