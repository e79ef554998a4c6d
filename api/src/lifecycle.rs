//! The end of a call: room gone, row closed, slot free, in this order.

use std::sync::Arc;

use serde_json::json;
use tracing::{info, warn};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::calls::{self, Call, CallStatus};
use voxplane_store::events::{self, Durability};
use voxplane_store::{CallId, Db, Scope, StoreError};

use crate::livekit::Rooms;
use crate::metrics::{CallLabel, DirectionLabel, Metrics};
use crate::refusal;

/// A call to be closed.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The call.
    pub call: CallId,
    /// A scope that sees it.
    pub scope: Scope,
    /// Close it only at this epoch: an earlier owner's news is history.
    pub epoch: Option<i32>,
    /// Its end reason.
    pub reason: String,
    /// Its final status; `None`: what a refusal in its ledger says, or else the reason.
    pub status: Option<CallStatus>,
}

/// Ends calls.
#[derive(Debug)]
pub struct Lifecycle {
    db: Db,
    rooms: Arc<Rooms>,
    metrics: Metrics,
}

impl Lifecycle {
    /// Ends calls in this database and LiveKit.
    pub fn new(db: Db, rooms: Arc<Rooms>, metrics: Metrics) -> Self {
        Self { db, rooms, metrics }
    }

    /// Closes a call. Its slot is freed when LiveKit confirms that the room is gone, by the sweeper if not now. Returns
    /// whether this closed it.
    ///
    /// # Errors
    /// The store's; nothing is lost, the sweeper ends calls without an owner.
    pub async fn close(&self, closing: &Closing) -> Result<bool, StoreError> {
        let mut tx = self.db.begin(&closing.scope).await?;
        let call = calls::get(&mut tx, closing.call).await?;
        drop(tx);
        if call.ended_at.is_some() || closing.epoch.is_some_and(|epoch| epoch != call.epoch) {
            return Ok(false);
        }
        let room_gone = match self.rooms.delete(&call.room).await {
            Ok(()) => true,
            Err(error) => {
                warn!(call.id = %closing.call, error = %ErrorChain(&error), "the room could not be deleted; the sweeper does it");
                false
            }
        };
        let mut tx = self.db.begin(&closing.scope).await?;
        let known = match closing.status {
            Some(status) => Some(status),
            None => refusal::of(&mut tx, closing.call).await?,
        };
        let status = known.unwrap_or_else(|| status_of(&closing.reason, call.status));
        let ended = calls::end(&mut tx, closing.call, &closing.reason, status, closing.epoch).await?;
        if ended {
            let payload = json!({"reason": closing.reason, "status": status.as_str()});
            events::record(&mut tx, closing.call, "call.closed", Durability::Soon, payload).await?;
            if room_gone {
                calls::free_slot(&mut tx, closing.call).await?;
            }
        }
        tx.commit().await?;
        if ended {
            self.count(&call, status);
            info!(call.id = %closing.call, reason = closing.reason, status = status.as_str(), "a call ended");
        }
        Ok(ended)
    }

    fn count(&self, call: &Call, status: CallStatus) {
        let (tenant_id, direction) = (call.tenant.to_string(), call.direction.as_str());
        let label = CallLabel { tenant_id: tenant_id.clone(), direction, status: status.as_str() };
        self.metrics.calls_total.get_or_create(&label).inc();
        if let Some(answered) = call.answered_at {
            let seconds = jiff::Timestamp::now().duration_since(answered).as_secs_f64();
            self.metrics.call_duration.get_or_create(&DirectionLabel { tenant_id, direction }).observe(seconds);
        }
    }
}

/// The final status that an end reason means, given where the call stood.
pub fn status_of(reason: &str, stood: CallStatus) -> CallStatus {
    let answered = stood == CallStatus::InProgress;
    match reason {
        "refused" => CallStatus::Rejected,
        "caller_hung_up" if !answered => CallStatus::Cancelled,
        "goodbye" | "agent_hung_up" | "caller_hung_up" | "silence" | "max_duration" | "command" | "flow_ended"
        | "drained" => CallStatus::Completed,
        _ => CallStatus::Failed,
    }
}

/// End reasons a runtime may give; another word is an error of the runtime's.
pub const END_REASONS: [&str; 12] = [
    "goodbye",
    "agent_hung_up",
    "caller_hung_up",
    "silence",
    "max_duration",
    "error",
    "refused",
    "command",
    "flow_ended",
    "drained",
    "lease_lost",
    "transport_lost",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_their_statuses() {
        use CallStatus::{Cancelled, Completed, Failed, InProgress, Rejected, Ringing};
        let rows = [
            ("goodbye", InProgress, Completed),
            ("agent_hung_up", InProgress, Completed),
            ("caller_hung_up", InProgress, Completed),
            ("caller_hung_up", Ringing, Cancelled),
            ("silence", InProgress, Completed),
            ("max_duration", InProgress, Completed),
            ("command", InProgress, Completed),
            ("flow_ended", InProgress, Completed),
            ("drained", InProgress, Completed),
            ("refused", Ringing, Rejected),
            ("error", InProgress, Failed),
            ("lease_lost", InProgress, Failed),
            ("transport_lost", InProgress, Failed),
        ];
        for (reason, stood, expected) in rows {
            assert_eq!(status_of(reason, stood), expected, "{reason} while {stood}");
        }
        assert!(END_REASONS.iter().all(|reason| rows.iter().any(|row| row.0 == *reason)));
    }
}
