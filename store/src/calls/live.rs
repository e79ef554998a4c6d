//! Calls as placement and the sweeper see them: without personal data.

use jiff::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CallStatus, Owner};
use crate::{AgencyId, AgentId, CallId, ScopedTx, StoreError, TenantId, timestamp};

/// A call as placement and the sweeper see it: no personal data, no key needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// Its id.
    pub id: CallId,
    /// Whose it is.
    pub agency: AgencyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who answers.
    pub agent: AgentId,
    /// The LiveKit room.
    pub room: String,
    /// Where it stands.
    pub status: CallStatus,
    /// The present epoch.
    pub epoch: i32,
    /// Who has it; none before the first placement.
    pub owner: Option<Owner>,
    /// Whether the owner's lease is valid by the database's clock.
    pub leased: bool,
    /// When the lease ends.
    pub lease_expires_at: Option<Timestamp>,
    /// When it arrived.
    pub created_at: Timestamp,
    /// When it ended; none for live calls.
    pub ended_at: Option<Timestamp>,
    /// It holds a slot of its quotas.
    pub holds_slot: bool,
}

struct LiveRow {
    id: Uuid,
    agency_id: Uuid,
    tenant_id: Uuid,
    agent_id: Uuid,
    room: String,
    status: String,
    epoch: i32,
    owner_pool: Option<String>,
    owner_pod: Option<String>,
    owner_pod_uid: Option<String>,
    session_id: Option<Uuid>,
    leased: bool,
    lease_expires_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    holds_slot: bool,
}

impl TryFrom<LiveRow> for LiveCall {
    type Error = StoreError;

    fn try_from(row: LiveRow) -> Result<Self, StoreError> {
        let owner = match (row.owner_pool, row.owner_pod, row.owner_pod_uid, row.session_id) {
            (Some(pool), Some(pod), Some(pod_uid), Some(session)) => {
                Some(Owner { pool, pod, pod_uid, session: session.into() })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id.into(),
            agency: row.agency_id.into(),
            tenant: row.tenant_id.into(),
            agent: row.agent_id.into(),
            room: row.room,
            status: row.status.parse()?,
            epoch: row.epoch,
            owner,
            leased: row.leased,
            lease_expires_at: timestamp::from_db_opt(row.lease_expires_at)?,
            created_at: timestamp::from_db(row.created_at)?,
            ended_at: timestamp::from_db_opt(row.ended_at)?,
            holds_slot: row.holds_slot,
        })
    }
}

/// Calls without personal data, for [`LiveRow`]. Each condition is a literal, so that the planner sees that the small
/// partial indexes answer it.
macro_rules! select_live {
    ($tx:expr, $condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            LiveRow,
            r#"SELECT id, agency_id, tenant_id, agent_id, room, status, epoch, owner_pool, owner_pod, owner_pod_uid,
                      session_id, coalesce(lease_expires_at > clock_timestamp(), false) AS "leased!",
                      lease_expires_at, created_at, ended_at,
                      (admitted_at IS NOT NULL AND slot_freed_at IS NULL) AS "holds_slot!"
               FROM calls WHERE "#
                + $condition
                + " ORDER BY id"
            $(, $argument)*
        )
        .fetch_all($tx.connection())
        .await?
        .into_iter()
        .map(LiveCall::try_from)
    };
}

/// Every call that has not ended, oldest first.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn live(tx: &mut ScopedTx) -> Result<Vec<LiveCall>, StoreError> {
    select_live!(tx, "ended_at IS NULL").collect()
}

/// Ended calls whose slot was not freed yet: free those whose room LiveKit no longer lists.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn holding_slots(tx: &mut ScopedTx) -> Result<Vec<LiveCall>, StoreError> {
    select_live!(tx, "ended_at IS NOT NULL AND admitted_at IS NOT NULL AND slot_freed_at IS NULL").collect()
}

/// The live call with this id.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn find_live(tx: &mut ScopedTx, call: CallId) -> Result<Option<LiveCall>, StoreError> {
    select_live!(tx, "ended_at IS NULL AND id = $1", call.0).next().transpose()
}

/// The live call in this room.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn find_live_by_room(tx: &mut ScopedTx, room: &str) -> Result<Option<LiveCall>, StoreError> {
    select_live!(tx, "ended_at IS NULL AND room = $1", room).next().transpose()
}

/// The live call of this SIP dialog: a re-INVITE arrives as a second call with the same Call-ID.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn find_live_by_sip_call_id(tx: &mut ScopedTx, sip_call_id: &str) -> Result<Option<LiveCall>, StoreError> {
    select_live!(tx, "ended_at IS NULL AND sip_call_id = $1", sip_call_id).next().transpose()
}
