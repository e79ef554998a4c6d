//! The life of one stream: heartbeats, leases, messages, and what happens when it ends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Streaming;
use tracing::{debug, info, warn};
use voxplane_control::v1::{ApiHeartbeat, RuntimeMessage, api_message, call_refused, runtime_message};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::events::{self, Durability};
use voxplane_store::sessions::{self, Beat};
use voxplane_store::{CallId, StoreError, calls};

use super::hello::credential;
use super::ledger::{self, Entry, Inbox};
use super::registry::{Answer, Pod, call_id};
use super::service::ControlParts;
use super::wire::{count, epoch};
use crate::auth::SessionIdentity;
use crate::placement::LEASE;

/// Both sides send one this often.
pub const HEARTBEAT: Duration = Duration::from_millis(300);
/// Three missed ones end the session.
const SILENCE: Duration = Duration::from_millis(900);
/// A pod that is back by then has lost nothing.
const RECONNECT_GRACE: Duration = Duration::from_millis(700);
/// Leases are renewed, and the database told that the pod is there.
const UPKEEP: Duration = Duration::from_secs(1);
/// Batches that were received before the stream ended are still stored.
const LEDGER_DRAIN: Duration = Duration::from_secs(5);

/// Serves one pod until its stream ends.
pub async fn run(parts: Arc<ControlParts>, pod: Arc<Pod>, inbound: Streaming<RuntimeMessage>, stop: CancellationToken) {
    parts.metrics.runtime_sessions.inc();
    let connected = Connected { parts: &parts, pod: &pod };
    let (entries, queue) = ledger::queue();
    // Both end with this future, however it ends: leases that nobody's stream stands for must run out.
    let ledger = AbortOnDropHandle::new(tokio::spawn(ledger::run(Arc::clone(&parts), Arc::clone(&pod), queue)));
    let upkeep = AbortOnDropHandle::new(tokio::spawn(upkeep(Arc::clone(&parts), Arc::clone(&pod))));
    let reason = listen(&parts, &pod, inbound, &entries, &stop).await;
    let held = pod.leases();
    drop((connected, upkeep, entries));
    info!(pod = pod.info.pod, session = %pod.info.session, reason, calls = held.len(), "a runtime pod is disconnected");
    // When it takes longer the database is away: the pod was not told that these are stored, and sends them again.
    let _ = timeout(LEDGER_DRAIN, ledger).await;
    if let Err(error) = close(&parts, &pod, reason).await {
        debug!(error = %ErrorChain(&error), "the session could not be closed; it is reaped later");
    }
    if !held.is_empty() && !stop.is_cancelled() {
        sleep(RECONNECT_GRACE).await;
        note_lost(&parts, &pod, held).await;
    }
}

/// A pod that calls can be offered to, until this is dropped; also when a bug ends the session.
struct Connected<'a> {
    parts: &'a ControlParts,
    pod: &'a Pod,
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        // Closes the stream: the pod dials again.
        self.pod.ended.cancel();
        self.parts.registry.remove(self.pod.info.session);
        self.parts.metrics.runtime_sessions.dec();
    }
}

/// Until the stream ends; says why it did.
async fn listen(
    parts: &ControlParts,
    pod: &Arc<Pod>,
    mut inbound: Streaming<RuntimeMessage>,
    entries: &Inbox,
    stop: &CancellationToken,
) -> &'static str {
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return "api_stopping",
            () = pod.ended.cancelled() => return "replaced",
            due = beats.tick() => {
                // A replica that stood still heard nobody, which says nothing about the pod.
                heard_at += due.elapsed();
                if heard_at.elapsed() > SILENCE {
                    return "silent";
                }
                pod.send(api_message::Body::Heartbeat(ApiHeartbeat {}));
            }
            message = inbound.message() => match message {
                Ok(Some(RuntimeMessage { body: Some(body) })) => {
                    heard_at = Instant::now();
                    if !handle(parts, pod, body, entries) {
                        return "overloaded";
                    }
                }
                Ok(Some(_)) => heard_at = Instant::now(),
                Ok(None) => return "closed",
                Err(_) => return "broken",
            },
        }
    }
}

/// One message; false ends the session: its queue is full, and the pod keeps what was not acknowledged.
fn handle(parts: &ControlParts, pod: &Arc<Pod>, body: runtime_message::Body, entries: &Inbox) -> bool {
    use runtime_message::Body;
    match body {
        Body::Heartbeat(beat) => pod.heartbeat(beat.busy_slots, &beat.credentials_hash),
        Body::CallAccepted(accepted) => {
            if let Some(call) = call_id(&accepted.call_id) {
                pod.answered(call, accepted.epoch, Answer::Accepted);
            }
        }
        Body::CallRefused(refused) => {
            if let Some(call) = call_id(&refused.call_id) {
                let reason = refused.reason();
                if reason == call_refused::Reason::Draining {
                    pod.drain();
                }
                pod.answered(call, refused.epoch, Answer::Refused(reason, refused.message));
            }
        }
        Body::Events(batch) => return entries.put(Entry::Events(batch.events)),
        Body::CallFinished(finished) => return entries.put(Entry::Finished(finished)),
        Body::CommandResult(result) => return entries.put(Entry::Result(result)),
        Body::DrainStarted(_) => {
            info!(pod = pod.info.pod, "a runtime pod drains");
            pod.drain();
        }
        Body::CredentialRenewal(_) => {
            let identity = SessionIdentity {
                pod_uid: pod.info.pod_uid.clone(),
                pod_name: pod.info.pod.clone(),
                pool: pod.info.pool.to_string(),
            };
            if let Ok(fresh) = credential(&parts.tokens, &identity) {
                pod.send(api_message::Body::SessionCredential(fresh));
            }
        }
        // A second Hello on one stream means nothing.
        Body::Hello(_) => warn!(pod = pod.info.pod, "a pod said Hello twice on one stream"),
    }
    true
}

/// Renews leases and the session's row while the stream lives.
async fn upkeep(parts: Arc<ControlParts>, pod: Arc<Pod>) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match renew(&parts, &pod).await {
            Ok(lost) => {
                for (call, epoch) in lost {
                    warn!(call.id = %call, pod = pod.info.pod, epoch, "a pod lost the lease of a call");
                    pod.lose(call, epoch);
                }
            }
            Err(StoreError::NotFound { .. }) => {
                // Reaped, or replaced through another replica.
                pod.ended.cancel();
                return;
            }
            Err(error) => {
                parts.metrics.error("lease_renewal");
                warn!(pod = pod.info.pod, error = %ErrorChain(&error), "leases could not be renewed; trying again");
            }
        }
    }
}

async fn renew(parts: &ControlParts, pod: &Pod) -> Result<Vec<(CallId, u32)>, StoreError> {
    let (busy, credentials_hash) = pod.report();
    let held: Vec<(CallId, i32)> = pod.leases().into_iter().map(|(call, number)| (call, epoch(number))).collect();
    let mut tx = parts.db.begin(&pod.info.scope()).await?;
    let beat = Beat { busy: count(busy), credentials_hash, draining: pod.is_draining() };
    sessions::beat(&mut tx, pod.info.session, &beat).await?;
    let lost = calls::renew_leases(&mut tx, pod.info.session, &held, LEASE).await?;
    tx.commit().await?;
    // A call may have been offered, answered or finished since the list was made; only what is still held is lost.
    Ok(lost
        .into_iter()
        .map(|(call, number)| (call, u32::try_from(number).unwrap_or_default()))
        .filter(|(call, number)| pod.holds(*call, *number))
        .collect())
}

async fn close(parts: &ControlParts, pod: &Pod, reason: &str) -> Result<(), StoreError> {
    let mut tx = parts.db.begin(&pod.info.scope()).await?;
    sessions::close(&mut tx, pod.info.session, reason).await?;
    tx.commit().await
}

/// Writes down which calls lost their pod. It may still come back while the sweeper waits; a call is not taken over.
async fn note_lost(parts: &ControlParts, pod: &Pod, held: Vec<(CallId, u32)>) {
    if parts.registry.is_connected(&pod.info.pod_uid) {
        return;
    }
    for (call, number) in held {
        let noted = async {
            let mut tx = parts.db.begin(&pod.info.scope()).await?;
            let live = calls::find_live(&mut tx, call).await?;
            let ours = live.is_some_and(|live| {
                live.epoch == epoch(number) && live.owner.is_some_and(|owner| owner.session == pod.info.session)
            });
            if ours {
                let payload = json!({"epoch": number, "pod": pod.info.pod});
                events::record(&mut tx, call, "call.lease_lost", Durability::Soon, payload).await?;
            }
            tx.commit().await?;
            Ok::<_, StoreError>(ours)
        };
        match noted.await {
            Ok(true) => warn!(call.id = %call, pod = pod.info.pod, "a call lost its pod"),
            Ok(false) => {}
            Err(error) => warn!(call.id = %call, error = %ErrorChain(&error), "a lost lease could not be noted"),
        }
    }
}
