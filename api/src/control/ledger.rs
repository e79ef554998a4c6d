//! Stores what pods report, in the order in which they said it, and acknowledges it after the commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use prost::Message as _;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;
use tracing::{error, warn};
use voxplane_control::v1::{
    self as wire, CallFinished, CallFinishedAck, CommandResult, EventAck, api_message, command_result,
};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::calls;
use voxplane_store::commands::{self, CommandState};
use voxplane_store::events::{self, MAX_BATCH, NewEvent};
use voxplane_store::{CallId, CommandId, StoreError};

use super::registry::{Pod, call_id};
use super::service::ControlParts;
use super::wire::{epoch, event};
use crate::lifecycle::{Closing, END_REASONS};
use crate::metrics::{TenantLabel, TurnLabel};

/// One thing to store.
#[derive(Debug)]
pub enum Entry {
    /// Events, possibly of several calls.
    Events(Vec<wire::Event>),
    /// A call is over on this pod.
    Finished(CallFinished),
    /// What became of a command.
    Result(CommandResult),
}

/// Batches waiting for the database, and their size in bytes. One pod must not take the memory that all tenants share.
const QUEUE: usize = 256;
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Where a session puts what its pod reports. Dropping it lets [`run`] end.
#[derive(Debug)]
pub struct Inbox {
    entries: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// Entries on their way into the database, in order.
#[derive(Debug)]
pub struct Queue(mpsc::Receiver<Waiting>);

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    /// Given back when the entry is stored.
    _room: OwnedSemaphorePermit,
}

/// A queue and the way into it.
pub fn queue() -> (Inbox, Queue) {
    let (entries, receiver) = mpsc::channel(QUEUE);
    (Inbox { entries, room: Arc::new(Semaphore::new(QUEUE_BYTES)) }, Queue(receiver))
}

impl Inbox {
    /// Puts an entry into the queue, unless that is full.
    #[must_use]
    pub fn put(&self, entry: Entry) -> bool {
        let bytes = match &entry {
            Entry::Events(events) => events.iter().map(prost::Message::encoded_len).sum(),
            Entry::Finished(finished) => finished.encoded_len(),
            Entry::Result(result) => result.encoded_len(),
        };
        let room =
            u32::try_from(bytes).ok().and_then(|bytes| Arc::clone(&self.room).try_acquire_many_owned(bytes).ok());
        room.is_some_and(|room| self.entries.try_send(Waiting { entry, _room: room }).is_ok())
    }
}

/// Stores entries until the session has ended and the queue is empty.
pub async fn run(parts: Arc<ControlParts>, pod: Arc<Pod>, mut queue: Queue) {
    let mut counted = HashMap::new();
    while let Some(waiting) = queue.0.recv().await {
        match waiting.entry {
            Entry::Events(events) => store(&parts, &pod, &events, &mut counted).await,
            Entry::Finished(finished) => {
                finish(&parts, &pod, &finished, &mut counted).await;
                // Whatever became of it: saying it again would change nothing.
                let CallFinished { call_id, epoch, .. } = finished;
                pod.send(api_message::Body::CallFinishedAck(CallFinishedAck { call_id, epoch }));
            }
            Entry::Result(result) => conclude(&parts, &pod, &result).await,
        }
    }
}

/// Highest event of each (call, epoch) that the metrics have seen: events may be sent again.
type Counted = HashMap<(CallId, u32), u64>;

async fn store(parts: &ControlParts, pod: &Pod, sent: &[wire::Event], counted: &mut Counted) {
    for run in sent.chunk_by(|a, b| a.call_id == b.call_id && a.epoch == b.epoch) {
        let Some(first) = run.first() else { continue };
        let Some(call) = call_id(&first.call_id) else {
            warn!(pod = pod.info.pod, "a pod sent events of something that is no call");
            continue;
        };
        for batch in run.chunks(MAX_BATCH) {
            let events: Vec<NewEvent> = batch.iter().map(event).collect();
            let last = batch.last().map_or(0, |event| event.seq);
            match with_patience(|| append(parts, pod, call, first.epoch, &events)).await {
                Ok(acked) => {
                    count(parts, pod, call, first.epoch, &events, counted);
                    acknowledge(pod, call, first.epoch, acked);
                }
                Err(error) => {
                    // Not this pod's call, or erased: it can never be stored, and must not be sent for ever.
                    parts.metrics.error("ledger");
                    error!(call.id = %call, pod = pod.info.pod, error = %ErrorChain(&error), "events cannot be stored; they are dropped");
                    acknowledge(pod, call, first.epoch, last);
                }
            }
        }
    }
}

fn acknowledge(pod: &Pod, call: CallId, epoch: u32, seq: u64) {
    pod.send(api_message::Body::EventAck(EventAck { call_id: call.to_string(), epoch, seq }));
}

async fn append(
    parts: &ControlParts,
    pod: &Pod,
    call: CallId,
    number: u32,
    events: &[NewEvent],
) -> Result<u64, StoreError> {
    let mut tx = parts.db.begin(&pod.info.scope()).await?;
    let appended = events::append(&mut tx, call, epoch(number), events).await?;
    if !appended.late && events.iter().any(|event| event.r#type == "call.answered") {
        calls::answered(&mut tx, call, epoch(number)).await?;
    }
    tx.commit().await?;
    Ok(u64::try_from(appended.acked_seq).unwrap_or_default())
}

async fn finish(parts: &ControlParts, pod: &Pod, finished: &CallFinished, counted: &mut Counted) {
    let Some(call) = call_id(&finished.call_id) else { return };
    counted.remove(&(call, finished.epoch));
    pod.release(call, finished.epoch);
    let reason = if END_REASONS.contains(&finished.reason.as_str()) { finished.reason.as_str() } else { "error" };
    let closing = Closing {
        call,
        scope: pod.info.scope(),
        epoch: Some(epoch(finished.epoch)),
        reason: reason.to_owned(),
        status: None,
    };
    let closed = with_patience(|| async {
        if owns(parts, pod, call).await? { parts.lifecycle.close(&closing).await } else { Ok(false) }
    });
    if let Err(error) = closed.await {
        parts.metrics.error("call_close");
        error!(call.id = %call, error = %ErrorChain(&error), "a call could not be closed; the sweeper ends it");
    }
}

/// A pod ends its own calls only.
async fn owns(parts: &ControlParts, pod: &Pod, call: CallId) -> Result<bool, StoreError> {
    let mut tx = parts.db.begin(&pod.info.scope()).await?;
    let live = calls::find_live(&mut tx, call).await?;
    Ok(live.and_then(|live| live.owner).is_some_and(|owner| owner.pod_uid == pod.info.pod_uid))
}

async fn conclude(parts: &ControlParts, pod: &Pod, result: &CommandResult) {
    let Ok(command) = result.id.parse::<CommandId>() else { return };
    let state = match result.outcome() {
        command_result::Outcome::Done => CommandState::Done,
        command_result::Outcome::Failed | command_result::Outcome::Unspecified => CommandState::Failed,
        command_result::Outcome::UnknownCall => CommandState::UnknownCall,
        command_result::Outcome::Unsupported => CommandState::Unsupported,
    };
    let stored = with_patience(|| async {
        let mut tx = parts.db.begin(&pod.info.scope()).await?;
        commands::finish(&mut tx, command, state, &result.message).await?;
        tx.commit().await
    });
    if let Err(error) = stored.await {
        warn!(command = %command, error = %ErrorChain(&error), "the result of a command could not be stored");
    }
}

/// Repeats what may succeed later. It ends when the session's owner gives up, which aborts this task.
async fn with_patience<T, F, W>(mut work: W) -> Result<T, StoreError>
where
    W: FnMut() -> F,
    F: Future<Output = Result<T, StoreError>>,
{
    let mut delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        match work().await {
            Err(error) if error.is_retryable() => {
                warn!(error = %ErrorChain(&error), "the ledger waits for the database");
                sleep(delays.next().unwrap_or(Duration::from_secs(2))).await;
            }
            other => return other,
        }
    }
}

/// Metrics from events, each event once.
fn count(parts: &ControlParts, pod: &Pod, call: CallId, epoch: u32, events: &[NewEvent], counted: &mut Counted) {
    let seen = counted.entry((call, epoch)).or_insert(0);
    let tenant = pod.info.tenant.0;
    for event in events {
        let seq = u64::try_from(event.seq).unwrap_or_default();
        if seq <= *seen {
            continue;
        }
        *seen = seq;
        let metrics = &parts.metrics;
        let turn = |role| TurnLabel { tenant_id: tenant.to_string(), role };
        match event.r#type.as_str() {
            "caller.said" => {
                metrics.turns_total.get_or_create(&turn("user")).inc();
            }
            "turn.completed" => {
                metrics.turns_total.get_or_create(&turn("assistant")).inc();
                if let Some(ms) = event.payload.pointer("/latency/total_ms").and_then(Value::as_f64) {
                    metrics.e2e_latency.get_or_create(&TenantLabel::from(tenant)).observe(ms / 1_000.0);
                }
            }
            "barge_in.committed" => {
                metrics.barge_ins_total.get_or_create(&TenantLabel::from(tenant)).inc();
            }
            "provider.failed" => metrics.error("provider"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: usize) -> Entry {
        Entry::Events(vec![wire::Event { payload_json: "x".repeat(bytes), ..wire::Event::default() }])
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_number_and_in_bytes() {
        let (inbox, mut queue) = queue();
        for _ in 0..3 {
            assert!(inbox.put(events(10_000_000)));
        }
        assert!(!inbox.put(events(10_000_000)), "32 MiB are enough");
        assert!(inbox.put(events(10)));
        drop(queue.0.recv().await);
        assert!(inbox.put(events(10_000_000)), "what is stored makes room");
        for _ in 0..QUEUE - 4 {
            assert!(inbox.put(events(1)));
        }
        assert!(!inbox.put(events(1)));
    }
}
