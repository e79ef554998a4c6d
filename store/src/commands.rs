//! What people ask of running calls: rows, so that they survive a restart; woken by NOTIFY and polled as well; sent by
//! the replica that owns the stream; idempotent by id.

use std::time::Duration;

use serde_json::Value;

use crate::listen::{Channel, announce};
use crate::text_enum::text_enum;
use crate::{CallId, CommandId, EncryptionError, ScopedTx, SessionId, StoreError, keys};

/// The most commands one [`claim_for`] returns.
const MAX_CLAIM: i64 = 50;

/// A command to a live call.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCommand {
    /// Chosen by who asks.
    pub id: CommandId,
    /// The call.
    pub call: CallId,
    /// What to do, e.g. `hang_up` or `say`.
    pub kind: String,
    /// A JSON object. May hold personal data: stored encrypted.
    pub payload: Value,
    /// How long it makes sense to do it.
    pub expires_in: Duration,
}

/// A command to send on a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Its id: the runtime answers a repeated one without doing it again.
    pub id: CommandId,
    /// The call.
    pub call: CallId,
    /// The call's present epoch.
    pub epoch: i32,
    /// What to do.
    pub kind: String,
    /// The decrypted payload.
    pub payload: Value,
}

text_enum! {
    /// Where a command stands.
    CommandState {
        /// Nobody has it yet.
        Pending => "pending",
        /// A runtime pod has it.
        Sent => "sent",
        /// Done.
        Done => "done",
        /// Tried without success.
        Failed => "failed",
        /// The call is over or nobody has it.
        UnknownCall => "unknown_call",
        /// The runtime does not know this kind.
        Unsupported => "unsupported",
        /// Nobody did it in time.
        Expired => "expired",
    }
}

impl CommandState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sent)
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandStatus {
    /// The call.
    pub call: CallId,
    /// What was asked.
    pub kind: String,
    /// Where it stands.
    pub state: CommandState,
    /// What the runtime said about it.
    pub message: Option<String>,
}

fn place(command: CommandId) -> String {
    format!("command/{command}")
}

/// Stores a command and wakes the replicas when the transaction commits. Returns false when it was stored before.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the call has ended or the id is another call's.
pub async fn enqueue(tx: &mut ScopedTx, command: &NewCommand) -> Result<bool, StoreError> {
    let call = sqlx::query!(
        r#"SELECT agency_id, tenant_id, ended_at IS NOT NULL AS "ended!" FROM calls WHERE id = $1 FOR SHARE"#,
        command.call.0
    )
    .fetch_optional(tx.connection())
    .await?
    .ok_or(StoreError::NotFound { what: "call" })?;
    if let Some(known) = find(tx, command.id).await? {
        return if known.call == command.call {
            Ok(false)
        } else {
            Err(StoreError::Conflict { what: "the command id is in use for another call".into() })
        };
    }
    if call.ended {
        return Err(StoreError::Conflict { what: "the call has ended".into() });
    }
    let payload =
        keys::require(tx, command.call).await?.seal(&place(command.id), command.payload.to_string().as_bytes());
    let stored = sqlx::query!(
        "INSERT INTO call_commands (id, call_id, agency_id, tenant_id, kind, payload, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
         ON CONFLICT (id) DO NOTHING",
        command.id.0,
        command.call.0,
        call.agency_id,
        call.tenant_id,
        command.kind,
        payload,
        command.expires_in.as_secs_f64()
    )
    .execute(tx.connection())
    .await?;
    announce(tx, Channel::Commands, command.call).await?;
    Ok(stored.rows_affected() > 0)
}

/// Takes the open commands for calls that a session owns, oldest first. A command goes to a session once; when its
/// call gets another session it is taken again. The scope must see the session's calls.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Encryption`].
pub async fn claim_for(tx: &mut ScopedTx, session: SessionId) -> Result<Vec<Command>, StoreError> {
    let mut rows = sqlx::query!(
        "UPDATE call_commands m SET state = 'sent', session_id = $1, sent_at = clock_timestamp()
         FROM (
             SELECT o.id, c.epoch, k.wrapped FROM call_commands o
             JOIN calls c ON c.id = o.call_id JOIN call_keys k ON k.call_id = c.id
             WHERE c.session_id = $1 AND c.ended_at IS NULL AND o.finished_at IS NULL
               AND o.expires_at > clock_timestamp() AND o.session_id IS DISTINCT FROM $1
             ORDER BY o.created_at, o.id LIMIT $2 FOR UPDATE OF o SKIP LOCKED
         ) open
         WHERE m.id = open.id
         RETURNING m.id, m.call_id, m.kind, m.payload, m.created_at, open.epoch, open.wrapped",
        session.0,
        MAX_CLAIM
    )
    .fetch_all(tx.connection())
    .await?;
    rows.sort_by_key(|row| (row.created_at, row.id));
    rows.into_iter()
        .map(|row| {
            let (id, call) = (CommandId(row.id), CallId(row.call_id));
            let key = keys::unwrap(tx, call, row.wrapped.as_deref())?.ok_or(EncryptionError::Destroyed)?;
            let payload = serde_json::from_slice(&key.open(&place(id), &row.payload)?)
                .map_err(|_| StoreError::Corrupt { what: "a command's payload" })?;
            Ok(Command { id, call, epoch: row.epoch, kind: row.kind, payload })
        })
        .collect()
}

/// Stores what became of a command. Returns false when it was finished before.
///
/// # Errors
/// [`StoreError::Invalid`] when the state is not final, [`StoreError::NotFound`].
pub async fn finish(
    tx: &mut ScopedTx,
    command: CommandId,
    state: CommandState,
    message: &str,
) -> Result<bool, StoreError> {
    if !state.is_final() {
        return Err(StoreError::Invalid { field: "state", message: format!("{state} does not finish a command") });
    }
    let changed = sqlx::query!(
        "UPDATE call_commands SET state = $2, message = nullif($3, ''), finished_at = clock_timestamp()
         WHERE id = $1 AND finished_at IS NULL",
        command.0,
        state.as_str(),
        message
    )
    .execute(tx.connection())
    .await?;
    if changed.rows_affected() > 0 {
        return Ok(true);
    }
    get(tx, command).await.map(|_| false)
}

/// Finishes commands whose time is over; returns how many. For the sweeper.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn expire(tx: &mut ScopedTx) -> Result<u64, StoreError> {
    let changed = sqlx::query!(
        "UPDATE call_commands SET state = 'expired', finished_at = clock_timestamp()
         WHERE finished_at IS NULL AND expires_at <= clock_timestamp()"
    )
    .execute(tx.connection())
    .await?;
    Ok(changed.rows_affected())
}

/// Where a command stands.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn get(tx: &mut ScopedTx, command: CommandId) -> Result<CommandStatus, StoreError> {
    find(tx, command).await?.ok_or(StoreError::NotFound { what: "command" })
}

async fn find(tx: &mut ScopedTx, command: CommandId) -> Result<Option<CommandStatus>, StoreError> {
    sqlx::query!("SELECT call_id, kind, state, message FROM call_commands WHERE id = $1", command.0)
        .fetch_optional(tx.connection())
        .await?
        .map(|row| {
            Ok(CommandStatus {
                call: row.call_id.into(),
                kind: row.kind,
                state: row.state.parse()?,
                message: row.message,
            })
        })
        .transpose()
}
