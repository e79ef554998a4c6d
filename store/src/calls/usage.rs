//! What was used of limits over time: minutes in a month, calls in an hour.

use uuid::Uuid;

use crate::{CallId, ScopedTx, StoreError};

/// Seconds of conversation in this calendar month (UTC): calls that ended, and those under way so far. Of calls that are
/// refused in words only those that found no pod count, and only while the words are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    /// Of all tenants of the agency.
    pub agency_seconds: i64,
    /// Of the tenant.
    pub tenant_seconds: i64,
}

/// The scope must see the whole agency.
pub(super) async fn this_month(tx: &mut ScopedTx, agency: Uuid, tenant: Uuid) -> Result<Month, StoreError> {
    let row = sqlx::query!(
        r#"WITH used AS (
               SELECT tenant_id, seconds FROM usage_months
               WHERE agency_id = $1 AND month = (date_trunc('month', now(), 'UTC') AT TIME ZONE 'UTC')::date
               UNION ALL
               SELECT tenant_id, ceil(extract(epoch FROM clock_timestamp() - answered_at))::bigint FROM calls
               WHERE agency_id = $1 AND ended_at IS NULL AND admitted_at IS NOT NULL
                 AND answered_at >= date_trunc('month', now(), 'UTC')
           )
           SELECT coalesce(sum(seconds), 0)::bigint AS "agency!",
                  coalesce(sum(seconds) FILTER (WHERE tenant_id = $2), 0)::bigint AS "tenant!" FROM used"#,
        agency,
        tenant
    )
    .fetch_one(tx.connection())
    .await?;
    Ok(Month { agency_seconds: row.agency, tenant_seconds: row.tenant })
}

/// Calls that the agent was given and that began within the last 60 minutes (their ids say when), counted up to `most`.
/// Those that found no pod do not count.
pub(super) async fn calls_in_an_hour(tx: &mut ScopedTx, agent: Uuid, most: i32) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "calls!" FROM (
               SELECT FROM calls
               WHERE agent_id = $1 AND admitted_at IS NOT NULL AND status NOT IN ('busy', 'rejected')
                 AND id >= voxplane_uuid_at(statement_timestamp() - interval '1 hour') LIMIT $2
           ) AS recent"#,
        agent,
        i64::from(most)
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Adds the seconds of a call that has just ended to the month in which it was answered. One that was refused in words
/// was no conversation.
pub(super) async fn note_end(tx: &mut ScopedTx, call: CallId) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO usage_months (agency_id, tenant_id, month, seconds)
         SELECT agency_id, tenant_id, date_trunc('month', answered_at, 'UTC') AT TIME ZONE 'UTC',
                ceil(extract(epoch FROM greatest(ended_at - answered_at, interval '0')))
         FROM calls WHERE id = $1 AND answered_at IS NOT NULL AND ended_at IS NOT NULL AND admitted_at IS NOT NULL
           AND status NOT IN ('busy', 'rejected')
         ON CONFLICT (agency_id, tenant_id, month) DO UPDATE SET seconds = usage_months.seconds + excluded.seconds",
        call.0
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}
