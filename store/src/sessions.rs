//! Runtime pods connected to the API: one session per stream.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{AgencyId, ScopedTx, SessionId, StoreError, TenantId};

/// A session that has not been heard of for this long counts for nothing; its replica may be gone.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// A runtime pod that said Hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The agency of the pod's pool.
    pub agency: AgencyId,
    /// The tenant of the pod's pool.
    pub tenant: TenantId,
    /// `<tenant namespace>/<Deployment name>`.
    pub pool: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The API replica that holds the stream.
    pub api_replica: String,
    /// Calls the pod can carry at once.
    pub slots: i32,
    /// Calls it carries now.
    pub busy: i32,
    /// Hash of the credential set it has read.
    pub credentials_hash: String,
    /// Its software version.
    pub version: String,
    /// It accepts no calls any more.
    pub draining: bool,
}

/// Opens a session; an older one of the same pod is closed as `replaced`.
///
/// # Errors
/// [`StoreError::NotFound`] when the tenant is not registered.
pub async fn open(tx: &mut ScopedTx, session: &NewSession) -> Result<SessionId, StoreError> {
    let id = SessionId::new();
    sqlx::query!(
        "UPDATE runtime_sessions SET closed_at = now(), close_reason = 'replaced'
         WHERE pod_uid = $1 AND closed_at IS NULL",
        session.pod_uid
    )
    .execute(tx.connection())
    .await?;
    sqlx::query!(
        "INSERT INTO runtime_sessions (id, agency_id, tenant_id, pool, pod_name, pod_uid, api_replica, slots, busy,
                                       credentials_hash, version, draining)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id.0,
        session.agency.0,
        session.tenant.0,
        session.pool,
        session.pod_name,
        session.pod_uid,
        session.api_replica,
        session.slots,
        session.busy,
        session.credentials_hash,
        session.version,
        session.draining
    )
    .execute(tx.connection())
    .await
    .map_err(|error| match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
            StoreError::NotFound { what: "tenant of the pool" }
        }
        _ => error.into(),
    })?;
    Ok(id)
}

/// What a pod reports as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Calls it carries.
    pub busy: i32,
    /// Hash of the credential set it has read.
    pub credentials_hash: String,
    /// It accepts no calls any more.
    pub draining: bool,
}

/// Notes that a session is alive. Call it when something changed and every second or two, not on every heartbeat.
///
/// # Errors
/// [`StoreError::NotFound`] when the session was closed or reaped: end the stream, the pod opens another.
pub async fn beat(tx: &mut ScopedTx, session: SessionId, beat: &Beat) -> Result<(), StoreError> {
    let changed = sqlx::query!(
        "UPDATE runtime_sessions
         SET beat_at = clock_timestamp(), busy = $2, credentials_hash = $3, draining = draining OR $4
         WHERE id = $1 AND closed_at IS NULL",
        session.0,
        beat.busy,
        beat.credentials_hash,
        beat.draining
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() == 0 { Err(StoreError::NotFound { what: "open session" }) } else { Ok(()) }
}

/// Closes a session. Idempotent: the first reason counts.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn close(tx: &mut ScopedTx, session: SessionId, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE runtime_sessions SET closed_at = clock_timestamp(), close_reason = $2
         WHERE id = $1 AND closed_at IS NULL",
        session.0,
        reason
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Closes sessions not heard of for `silent_for`, whose replica must be gone; returns them. Also forgets sessions
/// closed more than a day ago.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn reap(tx: &mut ScopedTx, silent_for: Duration) -> Result<Vec<SessionId>, StoreError> {
    sqlx::query!("DELETE FROM runtime_sessions WHERE closed_at < now() - interval '1 day'")
        .execute(tx.connection())
        .await?;
    let reaped = sqlx::query_scalar!(
        "UPDATE runtime_sessions SET closed_at = clock_timestamp(), close_reason = 'silent'
         WHERE closed_at IS NULL AND beat_at < clock_timestamp() - make_interval(secs => $1) RETURNING id",
        silent_for.as_secs_f64()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(reaped.into_iter().map(SessionId).collect())
}

/// A connected pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSession {
    /// Its stream.
    pub session: SessionId,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// The API replica that holds the stream.
    pub api_replica: String,
    /// Calls it can carry at once.
    pub slots: i32,
    /// Calls it carries.
    pub busy: i32,
    /// Hash of the credential set it has read.
    pub credentials_hash: String,
    /// Its software version.
    pub version: String,
    /// It accepts no calls any more.
    pub draining: bool,
}

/// The pods of a pool that are connected and were heard of within [`STALE_AFTER`].
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn pods(tx: &mut ScopedTx, pool: &str) -> Result<Vec<PodSession>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, pod_name, pod_uid, api_replica, slots, busy, credentials_hash, version, draining
         FROM runtime_sessions
         WHERE pool = $1 AND closed_at IS NULL AND beat_at > clock_timestamp() - make_interval(secs => $2)
         ORDER BY pod_name, id",
        pool,
        STALE_AFTER.as_secs_f64()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PodSession {
            session: row.id.into(),
            pod_name: row.pod_name,
            pod_uid: row.pod_uid,
            api_replica: row.api_replica,
            slots: row.slots,
            busy: row.busy,
            credentials_hash: row.credentials_hash,
            version: row.version,
            draining: row.draining,
        })
        .collect())
}

/// A pool in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Connected pods.
    pub sessions: i32,
    /// Connected pods that accept no calls any more.
    pub draining: i32,
    /// Calls that connected pods which still accept can carry.
    pub slots: i32,
    /// Calls that connected pods carry, draining ones included.
    pub busy: i32,
    /// Connected pods by the hash of the credential set they have read.
    pub by_credentials_hash: BTreeMap<String, i32>,
}

/// The numbers of a pool.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn pool_stats(tx: &mut ScopedTx, pool: &str) -> Result<PoolStats, StoreError> {
    Ok(summarise(&pods(tx, pool).await?))
}

fn summarise(pods: &[PodSession]) -> PoolStats {
    let mut stats = PoolStats::default();
    for pod in pods {
        stats.sessions += 1;
        stats.busy += pod.busy;
        if pod.draining {
            stats.draining += 1;
        } else {
            stats.slots += pod.slots;
        }
        *stats.by_credentials_hash.entry(pod.credentials_hash.clone()).or_insert(0) += 1;
    }
    stats
}

/// The pools that have connected pods in the scope, for start-up and metrics.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn pools(tx: &mut ScopedTx) -> Result<Vec<(String, TenantId)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT pool, tenant_id FROM runtime_sessions
         WHERE closed_at IS NULL AND beat_at > clock_timestamp() - make_interval(secs => $1) ORDER BY pool",
        STALE_AFTER.as_secs_f64()
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.pool, TenantId::from(row.tenant_id))).collect())
}
