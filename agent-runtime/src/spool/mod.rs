//! Ledger events that the API has not acknowledged yet: in memory, and on disk so that a crash of this process loses
//! none.
//!
//! Every call (with its epoch) has one log. Events are numbered here, sent by the control client in order, and dropped
//! when acknowledged. The log is gone when the call is over and everything is acknowledged, its end too: what was sent
//! may be lost with the connection.

mod disk;
mod log;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use voxplane_control::v1::{CallFinished, Durability, Event};

use self::disk::Disk;
pub use self::disk::SpoolError;
use self::log::CallLog;

/// Events of one call kept at most; a call produces a few per second, so this is hours without the API.
const MAX_PENDING: usize = 50_000;
/// Beyond this many waiting events the ones that may be lost are lost.
const MAX_BEST_EFFORT: usize = 5_000;

/// One call of one owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// The call.
    pub call_id: String,
    /// The owner's number.
    pub epoch: u32,
}

/// An event without its number.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When, in microseconds since the Unix epoch.
    pub at_unix_us: i64,
    /// When, on the call clock.
    pub call_us: i64,
    /// Dotted name.
    pub name: &'static str,
    /// How durable it must be.
    pub durability: Durability,
    /// JSON object.
    pub payload_json: String,
}

/// All logs of this process.
#[derive(Debug)]
pub struct Spool {
    logs: Mutex<BTreeMap<CallKey, CallLog>>,
    disk: Option<Disk>,
    unsent: Notify,
    acked: Notify,
}

impl Spool {
    /// A spool that survives this process only with `directory`. Logs found there are sent first.
    ///
    /// # Errors
    /// [`SpoolError`] when the directory cannot be used.
    pub fn open(directory: Option<&Path>) -> Result<Self, SpoolError> {
        let (disk, found) = match directory {
            Some(directory) => {
                let (disk, found) = Disk::open(directory)?;
                (Some(disk), found)
            }
            None => (None, Vec::new()),
        };
        let spool = Self { logs: Mutex::default(), disk, unsent: Notify::new(), acked: Notify::new() };
        for (key, events) in found {
            let count = events.len();
            tracing::info!(call.id = %key.call_id, epoch = key.epoch, count, "events of an earlier process found");
            spool.adopt(&key, events);
        }
        Ok(spool)
    }

    /// The calls of an earlier process ended with it; their owner says so if they did not themselves.
    fn adopt(&self, key: &CallKey, events: Vec<Event>) {
        let over = events
            .iter()
            .rev()
            .find(|event| event.r#type == "call.ended")
            .map(|event| ended_reason(&event.payload_json));
        let last = events.last().cloned();
        self.logs().insert(key.clone(), CallLog::recovered(events));
        if over.is_none() {
            let (at_unix_us, call_us) = last.map_or((0, 0), |event| (event.at_unix_us, event.call_us));
            let payload_json = r#"{"reason":"error"}"#.to_owned();
            let durability = Durability::Soon;
            self.append(key, NewEvent { at_unix_us, call_us, name: "call.ended", durability, payload_json });
        }
        self.finish(key, &over.unwrap_or_else(|| "error".to_owned()));
    }

    /// Adds an event and returns its number; `None` when it was dropped because too many wait.
    pub fn append(&self, key: &CallKey, event: NewEvent) -> Option<u64> {
        let event = {
            let mut logs = self.logs();
            let log = logs.entry(key.clone()).or_default();
            let limit = if event.durability == Durability::BestEffort { MAX_BEST_EFFORT } else { MAX_PENDING };
            if log.pending() >= limit {
                log.note_dropped();
                return None;
            }
            log.append(key, event)
        };
        if let Some(disk) = &self.disk {
            disk.append(key, &event);
        }
        self.unsent.notify_one();
        Some(event.seq)
    }

    /// Whether something waits to be sent on the present connection.
    pub fn has_unsent(&self) -> bool {
        self.logs().values().any(CallLog::has_unsent)
    }

    /// Completes when something may have been added.
    pub async fn changed(&self) {
        self.unsent.notified().await;
    }

    /// The next events to send, marked as sent; events of one call are in order.
    pub fn take_batch(&self, limit: usize) -> Vec<Event> {
        let mut batch = Vec::new();
        for log in self.logs().values_mut() {
            log.take_unsent(limit - batch.len(), &mut batch);
            if batch.len() >= limit {
                break;
            }
        }
        batch
    }

    /// Calls that are over and whose events are all sent, each once per connection.
    pub fn take_finished(&self, limit: usize) -> Vec<CallFinished> {
        let mut logs = self.logs();
        logs.iter_mut().filter_map(|(key, log)| log.take_finished(key)).take(limit).collect()
    }

    /// The API knows that the call is over.
    pub fn acknowledge_finish(&self, key: &CallKey) {
        if let Some(log) = self.logs().get_mut(key) {
            log.acknowledge_finish();
        }
        self.remove_done();
    }

    /// The API has everything up to and including `seq`.
    pub fn acknowledge(&self, key: &CallKey, seq: u64) {
        if let Some(log) = self.logs().get_mut(key) {
            log.acknowledge(seq);
        }
        self.remove_done();
    }

    /// A new connection: what is not acknowledged is sent again.
    pub fn rewind(&self) {
        for log in self.logs().values_mut() {
            log.rewind();
        }
        self.unsent.notify_one();
    }

    /// No event of this call follows.
    pub fn finish(&self, key: &CallKey, reason: &str) {
        self.logs().entry(key.clone()).or_default().finish(reason);
        self.unsent.notify_one();
    }

    /// Waits until an event is acknowledged; false when it was not in time.
    pub async fn acknowledged(&self, key: &CallKey, seq: u64, within: Duration) -> bool {
        let wait = async {
            loop {
                let notified = self.acked.notified();
                tokio::pin!(notified);
                // Registers before looking, so that no acknowledgement slips through in between.
                notified.as_mut().enable();
                if self.logs().get(key).is_none_or(|log| log.is_acknowledged(seq)) {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }

    /// Waits until nothing is left to acknowledge; false when something is.
    pub async fn flushed(&self, within: Duration) -> bool {
        let wait = async {
            loop {
                let notified = self.acked.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                if self.logs().is_empty() {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }

    fn remove_done(&self) {
        let mut done = Vec::new();
        self.logs().retain(|key, log| {
            let keep = !log.is_done();
            if !keep {
                done.push(key.clone());
            }
            keep
        });
        if let Some(disk) = self.disk.as_ref().filter(|_| !done.is_empty()) {
            done.iter().for_each(|key| disk.remove(key));
        }
        self.acked.notify_waiters();
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<CallKey, CallLog>> {
        // A log is consistent between any two statements that can panic.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended_reason(payload: &str) -> String {
    serde_json::from_str::<serde_json::Value>(payload)
        .ok()
        .and_then(|payload| payload.get("reason")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| "error".to_owned())
}

#[cfg(test)]
mod tests;
