//! Calls as people see them: with numbers, in pages.

use jiff::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;
use voxplane_platform::redact::Redacted;

use super::{CallStatus, Direction, caller_place, number_place};
use crate::crypto::CallKey;
use crate::{AgencyId, AgentId, CallId, EncryptionError, ScopedTx, StoreError, TenantId, keys, timestamp};

/// The most calls on one page.
const MAX_LIMIT: i64 = 200;

/// A call as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Whose it is.
    pub agency: AgencyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who answers.
    pub agent: AgentId,
    /// Who called whom.
    pub direction: Direction,
    /// Our number; none once the call is erased.
    pub number: Option<Redacted<String>>,
    /// The other party's number; none when withheld or erased.
    pub caller: Option<Redacted<String>>,
    /// The LiveKit room.
    pub room: String,
    /// Where it stands.
    pub status: CallStatus,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// How often it was given to an owner.
    pub epoch: i32,
    /// `<tenant namespace>/<Deployment name>` of the last owner.
    pub pool: Option<String>,
    /// The last owner's pod.
    pub pod: Option<String>,
    /// When it arrived.
    pub created_at: Timestamp,
    /// When a pod answered.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its personal data was erased.
    pub erased: bool,
}

/// Which calls to list; the transaction's scope applies as well.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Calls of this tenant.
    pub tenant: Option<TenantId>,
    /// Calls of this agent.
    pub agent: Option<AgentId>,
    /// Calls that stand here.
    pub status: Option<CallStatus>,
    /// Calls that arrived at this time or later.
    pub from: Option<Timestamp>,
    /// Calls that arrived before this time.
    pub to: Option<Timestamp>,
}

/// Which part of the list, newest first. `limit` is 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// By position; new calls move the pages.
    Offset {
        /// Calls to skip.
        offset: i64,
        /// Calls to return.
        limit: i64,
    },
    /// After the last call of the page before; stable while calls arrive.
    After {
        /// That call; none for the first page.
        cursor: Option<CallId>,
        /// Calls to return.
        limit: i64,
    },
}

/// A page of calls.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPage {
    /// Newest first.
    pub calls: Vec<Call>,
    /// How many calls match in all.
    pub total: i64,
    /// There are more after this page; the last call's id is the cursor.
    pub more: bool,
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    tenant_id: Uuid,
    agent_id: Uuid,
    direction: String,
    number: Vec<u8>,
    caller: Option<Vec<u8>>,
    room: String,
    status: String,
    end_reason: Option<String>,
    epoch: i32,
    owner_pool: Option<String>,
    owner_pod: Option<String>,
    created_at: OffsetDateTime,
    answered_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    wrapped: Option<Vec<u8>>,
}

impl Row {
    fn read(self, tx: &ScopedTx) -> Result<Call, StoreError> {
        let id = CallId(self.id);
        let key = keys::unwrap(tx, id, self.wrapped.as_deref())?;
        let number = key.as_ref().map(|key| open_text(key, &number_place(id), &self.number)).transpose()?;
        let caller = match (&key, &self.caller) {
            (Some(key), Some(caller)) => Some(open_text(key, &caller_place(id), caller)?),
            _ => None,
        };
        Ok(Call {
            id,
            agency: self.agency_id.into(),
            tenant: self.tenant_id.into(),
            agent: self.agent_id.into(),
            direction: self.direction.parse()?,
            number,
            caller,
            room: self.room,
            status: self.status.parse()?,
            end_reason: self.end_reason,
            epoch: self.epoch,
            pool: self.owner_pool,
            pod: self.owner_pod,
            created_at: timestamp::from_db(self.created_at)?,
            answered_at: timestamp::from_db_opt(self.answered_at)?,
            ended_at: timestamp::from_db_opt(self.ended_at)?,
            erased: key.is_none(),
        })
    }
}

fn open_text(key: &CallKey, place: &str, sealed: &[u8]) -> Result<Redacted<String>, StoreError> {
    let text = String::from_utf8(key.open(place, sealed)?).map_err(|_| EncryptionError::Mismatch)?;
    Ok(Redacted::new(text))
}

/// Calls with their keys, for [`Row`]; the macro checks one literal, so the columns can be shared only like this.
macro_rules! select_calls {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT c.id, c.agency_id, c.tenant_id, c.agent_id, c.direction, c.number, c.caller, c.room, c.status,
                    c.end_reason, c.epoch, c.owner_pool, c.owner_pod, c.created_at, c.answered_at, c.ended_at, k.wrapped
             FROM calls c JOIN call_keys k ON k.call_id = c.id "
                + $rest,
            $($argument),+
        )
    };
}

/// The call with this id.
///
/// # Errors
/// [`StoreError::NotFound`] when there is none or the scope may not see it; [`StoreError::Encryption`].
pub async fn get(tx: &mut ScopedTx, call: CallId) -> Result<Call, StoreError> {
    let row = select_calls!("WHERE c.id = $1", call.0)
        .fetch_optional(tx.connection())
        .await?
        .ok_or(StoreError::NotFound { what: "call" })?;
    row.read(tx)
}

/// Calls, newest first.
///
/// # Errors
/// [`StoreError::Invalid`] for a limit or offset out of range; [`StoreError::Encryption`].
pub async fn list(tx: &mut ScopedTx, filter: &CallFilter, page: Page) -> Result<CallPage, StoreError> {
    let (offset, cursor, limit) = match page {
        Page::Offset { offset, limit } => (offset, None, limit),
        Page::After { cursor, limit } => (0, cursor, limit),
    };
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(StoreError::Invalid { field: "limit", message: format!("is {limit}: use 1 to {MAX_LIMIT}") });
    }
    if offset < 0 {
        return Err(StoreError::Invalid { field: "offset", message: format!("is {offset}: use 0 or more") });
    }
    let tenant = filter.tenant.map(Uuid::from);
    let agent = filter.agent.map(Uuid::from);
    let status = filter.status.map(CallStatus::as_str);
    let from = timestamp::to_db_opt("from", filter.from)?;
    let to = timestamp::to_db_opt("to", filter.to)?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "total!" FROM calls
           WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR agent_id = $2)
             AND ($3::text IS NULL OR status = $3)
             AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)"#,
        tenant,
        agent,
        status,
        from,
        to
    )
    .fetch_one(tx.connection())
    .await?;
    // One more than asked for tells whether there is a next page.
    let mut rows = select_calls!(
        "WHERE ($1::uuid IS NULL OR c.tenant_id = $1) AND ($2::uuid IS NULL OR c.agent_id = $2)
           AND ($3::text IS NULL OR c.status = $3)
           AND ($4::timestamptz IS NULL OR c.created_at >= $4) AND ($5::timestamptz IS NULL OR c.created_at < $5)
           AND ($6::uuid IS NULL OR c.id < $6)
         ORDER BY c.id DESC OFFSET $7 LIMIT $8",
        tenant,
        agent,
        status,
        from,
        to,
        cursor.map(Uuid::from),
        offset,
        limit + 1
    )
    .fetch_all(tx.connection())
    .await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let calls = rows.into_iter().map(|row| row.read(tx)).collect::<Result<_, _>>()?;
    Ok(CallPage { calls, total, more })
}
