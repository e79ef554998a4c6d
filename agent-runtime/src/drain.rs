//! Stopping without cutting anyone off: no more calls, those in progress end by themselves, events are handed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::calls::Calls;
use crate::metrics::Metrics;
use crate::slots::Slots;
use crate::spool::Spool;

/// Kept for hanging up, handing over events and exiting.
const MARGIN: Duration = Duration::from_secs(10);
/// Calls that are left when their time is over hang up by themselves; removing a leg takes this long at most.
const HANG_UP: Duration = Duration::from_secs(4);
/// The API gets this long to acknowledge the last events.
const FLUSH: Duration = Duration::from_secs(5);

/// Waits until every call has ended, at most for `grace`, and every event is acknowledged. A caller is never left in a
/// silent room: each call says goodbye in time, and hangs up when its time is over.
pub async fn drain(calls: &Calls, slots: &Slots, spool: &Arc<Spool>, metrics: &Metrics, grace: Duration) {
    let limit = Instant::now() + grace.saturating_sub(MARGIN);
    tracing::info!(calls = slots.busy(), grace_s = grace.as_secs(), "draining: no more calls are taken");
    calls.finish_by(limit);
    if tokio::time::timeout_at(limit.into(), slots.idle()).await.is_err() {
        let left = slots.busy();
        tracing::warn!(calls = left, "the time of the drain is over: these calls are hung up on");
        metrics.cut_by_drain(left);
        if tokio::time::timeout(HANG_UP, slots.idle()).await.is_err() {
            let left = slots.busy();
            tracing::error!(calls = left, "these calls do not end; the API removes their callers");
        }
    }
    if !spool.flushed(FLUSH).await {
        tracing::warn!(
            "events are left that the API has not acknowledged; they are lost with this pod unless it restarts"
        );
    }
}
