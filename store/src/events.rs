//! The ledger: what happened in a call, in the order of its writers, encrypted.
//!
//! Epoch 0 belongs to the API ([`record`]); every later epoch to the owner it was given to, which numbers its events
//! from 1 without gaps and repeats them until they are acknowledged ([`append`]).

mod transcript;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use transcript::{Line, LineKind, Speaker, transcript};

use crate::crypto::CallKey;
use crate::text_enum::text_enum;
use crate::{CallId, EncryptionError, ScopedTx, StoreError, keys, timestamp};

/// The most events in one [`append`], or read by one [`list`].
pub const MAX_BATCH: usize = 1000;
/// The largest payload, in bytes of JSON.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
const MAX_TYPE_BYTES: usize = 64;

text_enum! {
    /// What is promised about an event.
    Durability {
        /// Acknowledged before the effect it announces happens.
        BeforeEffect => "before_effect",
        /// On its way within 200 ms.
        Soon => "soon",
        /// May be lost with the pod.
        BestEffort => "best_effort",
    }
}

/// An event to store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its number within (call, epoch), from 1.
    pub seq: i64,
    /// The writer's wall clock.
    pub at: Timestamp,
    /// Microseconds since the writer joined the room.
    pub call_us: i64,
    /// Dotted name, e.g. `caller.said`.
    pub r#type: String,
    /// What is promised about it.
    pub durability: Durability,
    /// A JSON object; its shape belongs to the type. May hold personal data: stored encrypted.
    pub payload: Value,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its call.
    pub call: CallId,
    /// 0 for the API, else the owner's epoch.
    pub epoch: i32,
    /// Its number within (call, epoch).
    pub seq: i64,
    /// The writer's wall clock.
    pub at: Timestamp,
    /// Microseconds since the writer joined the room; 0 for the API.
    pub call_us: i64,
    /// Dotted name.
    pub r#type: String,
    /// What was promised about it.
    pub durability: Durability,
    /// The decrypted payload; none once the call is erased.
    pub payload: Option<Value>,
}

impl Event {
    /// The place of this event in [`list`].
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.at, epoch: self.epoch, seq: self.seq }
    }
}

/// A place in the list of a call's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The event's time.
    pub at: Timestamp,
    /// Its epoch.
    pub epoch: i32,
    /// Its number.
    pub seq: i64,
}

/// The outcome of [`append`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Every event up to and including this one is stored (after the commit): acknowledge it.
    pub acked_seq: i64,
    /// The epoch is not the call's present one: the events are history and must change no state.
    pub late: bool,
}

/// Stores events of one owner. Idempotent: events already stored are skipped. Gaps are not acknowledged.
///
/// # Errors
/// [`StoreError::NotFound`] when the call was never given this epoch; [`StoreError::Invalid`] names the bad event;
/// [`StoreError::Encryption`] when the call was erased.
pub async fn append(tx: &mut ScopedTx, call: CallId, epoch: i32, events: &[NewEvent]) -> Result<Appended, StoreError> {
    check_batch(events)?;
    let ledger = lock_epoch(tx, call, epoch).await?;
    let acked_seq = if events.is_empty() { ledger.acked_seq } else { insert(tx, call, epoch, &ledger, events).await? };
    Ok(Appended { acked_seq, late: epoch != ledger.current_epoch })
}

/// Stores an event of the API itself, in epoch 0, and returns its number.
///
/// # Errors
/// As [`append`].
pub async fn record(
    tx: &mut ScopedTx,
    call: CallId,
    r#type: &str,
    durability: Durability,
    payload: Value,
) -> Result<i64, StoreError> {
    let ledger = lock_epoch(tx, call, 0).await?;
    let event = NewEvent {
        seq: ledger.acked_seq + 1,
        at: Timestamp::now(),
        call_us: 0,
        r#type: r#type.to_owned(),
        durability,
        payload,
    };
    let events = [event];
    check_batch(&events)?;
    insert(tx, call, 0, &ledger, &events).await
}

/// The row that writers of one epoch queue for.
struct Ledger {
    agency: Uuid,
    tenant: Uuid,
    acked_seq: i64,
    current_epoch: i32,
}

async fn lock_epoch(tx: &mut ScopedTx, call: CallId, epoch: i32) -> Result<Ledger, StoreError> {
    sqlx::query_as!(
        Ledger,
        r#"SELECT e.agency_id AS agency, e.tenant_id AS tenant, e.acked_seq, c.epoch AS current_epoch
           FROM call_epochs e JOIN calls c ON c.id = e.call_id
           WHERE e.call_id = $1 AND e.epoch = $2 FOR UPDATE OF e"#,
        call.0,
        epoch
    )
    .fetch_optional(tx.connection())
    .await?
    .ok_or(StoreError::NotFound { what: "call with this epoch" })
}

async fn insert(
    tx: &mut ScopedTx,
    call: CallId,
    epoch: i32,
    ledger: &Ledger,
    events: &[NewEvent],
) -> Result<i64, StoreError> {
    let key = keys::require(tx, call).await?;
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let ats = events.iter().map(|event| timestamp::to_db("at", event.at)).collect::<Result<Vec<_>, _>>()?;
    let call_us: Vec<i64> = events.iter().map(|event| event.call_us).collect();
    let types: Vec<String> = events.iter().map(|event| event.r#type.clone()).collect();
    let durabilities: Vec<String> = events.iter().map(|event| event.durability.to_string()).collect();
    let payloads: Vec<Vec<u8>> = events
        .iter()
        .map(|event| key.seal(&place(call, epoch, event.seq), event.payload.to_string().as_bytes()))
        .collect();
    sqlx::query!(
        "INSERT INTO call_events (call_id, epoch, agency_id, tenant_id, seq, at, call_us, type, durability, payload)
         SELECT $1, $2, $3, $4, e.seq, e.at, e.call_us, e.type, e.durability, e.payload
         FROM unnest($5::bigint[], $6::timestamptz[], $7::bigint[], $8::text[], $9::text[], $10::bytea[])
             AS e(seq, at, call_us, type, durability, payload)
         ON CONFLICT (call_id, epoch, seq) DO NOTHING",
        call.0,
        epoch,
        ledger.agency,
        ledger.tenant,
        &seqs,
        &ats,
        &call_us,
        &types,
        &durabilities,
        &payloads
    )
    .execute(tx.connection())
    .await?;
    advance(tx, call, epoch, ledger.acked_seq).await
}

/// Moves the acknowledged number to the end of the gapless run that starts after it.
async fn advance(tx: &mut ScopedTx, call: CallId, epoch: i32, acked: i64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE call_epochs SET acked_seq = coalesce((
               SELECT max(run.seq) FROM (
                   SELECT seq, row_number() OVER (ORDER BY seq) AS position FROM call_events
                   WHERE call_id = $1 AND epoch = $2 AND seq > $3
               ) run WHERE run.seq - run.position = $3
           ), $3)
           WHERE call_id = $1 AND epoch = $2 RETURNING acked_seq"#,
        call.0,
        epoch,
        acked
    )
    .fetch_one(tx.connection())
    .await?)
}

fn check_batch(events: &[NewEvent]) -> Result<(), StoreError> {
    let invalid = |field, message| Err(StoreError::Invalid { field, message });
    if events.len() > MAX_BATCH {
        return invalid("events", format!("{} at once: send at most {MAX_BATCH}", events.len()));
    }
    for event in events {
        if event.seq < 1 {
            return invalid("seq", format!("is {}: numbers start at 1", event.seq));
        }
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
        if event.r#type.is_empty() || event.r#type.len() > MAX_TYPE_BYTES || !event.r#type.chars().all(word) {
            return invalid("type", format!("of event {} must be a dotted lower-case name", event.seq));
        }
        if !event.payload.is_object() {
            return invalid("payload", format!("of event {} must be a JSON object", event.seq));
        }
        if event.payload.to_string().len() > MAX_PAYLOAD_BYTES {
            return invalid("payload", format!("of event {} is larger than {MAX_PAYLOAD_BYTES} bytes", event.seq));
        }
    }
    Ok(())
}

fn place(call: CallId, epoch: i32, seq: i64) -> String {
    format!("call/{call}/event/{epoch}/{seq}")
}

fn open_payload(key: &CallKey, place: &str, sealed: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(&key.open(place, sealed)?).map_err(|_| EncryptionError::Mismatch.into())
}

/// The events of a call in the order of their times, after `after`, at most `limit` (1 to 1000) of them. Late events
/// of a lost owner may still appear before a place that was read already.
///
/// # Errors
/// [`StoreError::NotFound`] when the scope may not see the call; [`StoreError::Invalid`], [`StoreError::Encryption`].
pub async fn list(
    tx: &mut ScopedTx,
    call: CallId,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    if !(1..=MAX_BATCH as i64).contains(&limit) {
        return Err(StoreError::Invalid { field: "limit", message: format!("is {limit}: use 1 to {MAX_BATCH}") });
    }
    read(tx, call, after, limit, None).await
}

/// The events of one type, in the order of their times, at most [`MAX_BATCH`] of them.
///
/// # Errors
/// As [`list`].
pub async fn of_type(tx: &mut ScopedTx, call: CallId, r#type: &str) -> Result<Vec<Event>, StoreError> {
    read(tx, call, None, MAX_BATCH as i64, Some(&[r#type.to_owned()])).await
}

/// [`list`], of these types only.
async fn read(
    tx: &mut ScopedTx,
    call: CallId,
    after: Option<Cursor>,
    limit: i64,
    types: Option<&[String]>,
) -> Result<Vec<Event>, StoreError> {
    let key = keys::get(tx, call).await?;
    let rows = sqlx::query!(
        "SELECT epoch, seq, at, call_us, type, durability, payload FROM call_events
         WHERE call_id = $1 AND ($2::timestamptz IS NULL OR (at, epoch, seq) > ($2, $3::integer, $4::bigint))
           AND ($6::text[] IS NULL OR type = ANY ($6))
         ORDER BY at, epoch, seq LIMIT $5",
        call.0,
        timestamp::to_db_opt("after", after.map(|after| after.at))?,
        after.map(|after| after.epoch),
        after.map(|after| after.seq),
        limit,
        types
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = place(call, row.epoch, row.seq);
            Ok(Event {
                call,
                epoch: row.epoch,
                seq: row.seq,
                at: timestamp::from_db(row.at)?,
                call_us: row.call_us,
                r#type: row.r#type,
                durability: row.durability.parse()?,
                payload: key.as_ref().map(|key| open_payload(key, &place, &row.payload)).transpose()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> NewEvent {
        NewEvent {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            call_us: 0,
            r#type: "caller.said".to_owned(),
            durability: Durability::Soon,
            payload: json!({"text": "hello"}),
        }
    }

    #[test]
    fn bad_events_are_refused_by_field() {
        type Change = fn(&mut NewEvent);
        let cases: [(&str, Change); 6] = [
            ("seq", |event| event.seq = 0),
            ("type", |event| event.r#type.clear()),
            ("type", |event| event.r#type = "Caller Said".to_owned()),
            ("type", |event| event.r#type = "a".repeat(65)),
            ("payload", |event| event.payload = json!("text")),
            ("payload", |event| event.payload = json!({"text": "x".repeat(MAX_PAYLOAD_BYTES)})),
        ];
        for (expected, change) in cases {
            let mut event = event();
            change(&mut event);
            match check_batch(&[event]) {
                Err(StoreError::Invalid { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert!(check_batch(&[event()]).is_ok());
        assert!(check_batch(&vec![event(); MAX_BATCH + 1]).is_err());
    }
}
