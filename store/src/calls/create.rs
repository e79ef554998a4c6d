//! The beginning of a call.

use voxplane_platform::redact::Redacted;

use super::{CallStatus, Direction, caller_place, number_place};
use crate::{AgencyId, AgentId, CallId, ScopedTx, StoreError, TenantId, keys};

/// What is known of a call when it arrives.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Ours, from [`CallId::new`].
    pub id: CallId,
    /// The agency the number belongs to.
    pub agency: AgencyId,
    /// The tenant the number belongs to.
    pub tenant: TenantId,
    /// The agent that answers the number.
    pub agent: AgentId,
    /// Our number, E.164; stored encrypted.
    pub number: Redacted<String>,
    /// The other party's number as the carrier gave it, none when withheld; stored encrypted.
    pub caller: Option<Redacted<String>>,
    /// The LiveKit room.
    pub room: String,
    /// The SIP Call-ID, none for calls that did not come by SIP.
    pub sip_call_id: Option<String>,
    /// Who called whom.
    pub direction: Direction,
}

/// Stores a new call with status `queued`, its key, and an empty ledger.
///
/// # Errors
/// [`StoreError::Conflict`] with `room` or `sip_call_id` when a live call has the same: the offer is a duplicate.
/// [`StoreError::NotFound`] when the agent is not registered with this tenant and agency.
pub async fn create(tx: &mut ScopedTx, call: NewCall) -> Result<(), StoreError> {
    if call.id.0.get_version_num() != 7 {
        return Err(StoreError::Invalid { field: "call id", message: "must be a uuidv7".to_owned() });
    }
    sqlx::query!("SELECT voxplane_ensure_event_partition($1)", call.id.0).fetch_one(tx.connection()).await?;
    let (id, agency, tenant) = (call.id, call.agency, call.tenant);
    let (key, wrapped) = keys::generate(tx, id)?;
    let number = key.seal(&number_place(id), call.number.expose().as_bytes());
    let caller = call.caller.as_ref().map(|caller| key.seal(&caller_place(id), caller.expose().as_bytes()));
    sqlx::query!(
        "INSERT INTO calls (id, agency_id, tenant_id, agent_id, direction, number, caller, room, sip_call_id, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        agency.0,
        tenant.0,
        call.agent.0,
        call.direction.as_str(),
        number,
        caller,
        call.room,
        call.sip_call_id,
        CallStatus::Queued.as_str()
    )
    .execute(tx.connection())
    .await
    .map_err(explain)?;
    keys::store(tx, id, agency, tenant, wrapped).await?;
    // Epoch 0 is the API's own part of the ledger.
    sqlx::query!(
        "INSERT INTO call_epochs (call_id, epoch, agency_id, tenant_id) VALUES ($1, 0, $2, $3)",
        id.0,
        agency.0,
        tenant.0
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn explain(error: sqlx::Error) -> StoreError {
    let constraint = match &error {
        sqlx::Error::Database(database) => database.constraint().map(str::to_owned),
        _ => None,
    };
    match constraint.as_deref() {
        Some("calls_live_room_key") => StoreError::Conflict { what: "room".into() },
        Some("calls_live_sip_call_id_key") => StoreError::Conflict { what: "sip_call_id".into() },
        Some("calls_agent_fk") => StoreError::NotFound { what: "voice agent of this tenant" },
        _ => error.into(),
    }
}
