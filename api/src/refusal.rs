//! As what a refused call ends.
//!
//! The ledger knows: the placement that gave a call to a pod says whether the pod was to refuse it. So it does not matter
//! who ends the call, or over which session: a pod that says again that it is done may speak to a replica that never
//! offered it anything.

use serde_json::Value;
use voxplane_store::calls::CallStatus;
use voxplane_store::{CallId, ScopedTx, StoreError, events};

use crate::placement::RefusalReason;

/// The event that gives a call to a pod.
pub const PLACED: &str = "call.placed";
/// Its field that is there when the pod is to refuse the call.
const REFUSED_AS: &str = "refused_as";

/// The final status of a call that is refused.
pub fn status(reason: RefusalReason) -> CallStatus {
    if reason.is_busy() { CallStatus::Busy } else { CallStatus::Rejected }
}

/// Notes in a placement that the pod is to refuse the call.
pub fn note(placed: &mut Value, reason: RefusalReason) {
    placed[REFUSED_AS] = status(reason).as_str().into();
}

/// The final status of a call if its last placement was to refuse it.
///
/// # Errors
/// The store's.
pub async fn of(tx: &mut ScopedTx, call: CallId) -> Result<Option<CallStatus>, StoreError> {
    let placements = events::of_type(tx, call, PLACED).await?;
    // By their numbers: the clocks of replicas differ.
    let last = placements.into_iter().filter(|event| event.epoch == 0).max_by_key(|event| event.seq);
    let refused_as = last.and_then(|event| event.payload).and_then(|placed| placed.get(REFUSED_AS).cloned());
    Ok(refused_as.as_ref().and_then(Value::as_str).and_then(|status| status.parse().ok()))
}
