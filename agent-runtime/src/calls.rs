//! The calls of this pod: taking them, finding them, letting them go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc::{self, error::TrySendError};
use voxplane_control::v1::{
    CallAccepted, CallRefused, Command, CommandResult, LiveCall, StartCall, call_refused::Reason,
    command_result::Outcome, runtime_message::Body,
};
use voxplane_platform::shutdown::Tasks;

use crate::call::{self, Deps, Message, Refusal};
use crate::control_client::{CallHost, Outgoing};
use crate::slots::{NoSlot, Slots};
use crate::spool::CallKey;

/// Messages that may wait for one call.
const INBOX: usize = 64;

/// The calls of this pod. Clones share them.
#[derive(Clone)]
pub struct Calls {
    shared: Arc<Shared>,
}

struct Shared {
    deps: Arc<Deps>,
    slots: Slots,
    tasks: Tasks,
    outgoing: Outgoing,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    calls: HashMap<String, Entry>,
    /// When a drain ends, once it has begun.
    finish_by: Option<Instant>,
}

struct Entry {
    epoch: u32,
    inbox: mpsc::Sender<Message>,
}

impl Calls {
    /// No calls yet. They run on `tasks` and answer through `outgoing`.
    pub fn new(deps: Arc<Deps>, slots: Slots, tasks: Tasks, outgoing: Outgoing) -> Self {
        Self { shared: Arc::new(Shared { deps, slots, tasks, outgoing, live: Mutex::default() }) }
    }

    /// Takes no more calls and tells those in progress when they have to be over.
    pub fn finish_by(&self, at: Instant) {
        self.shared.slots.drain();
        let mut live = self.shared.live();
        live.finish_by = Some(at);
        for entry in live.calls.values() {
            entry.tell(Message::Drain { finish_by: at });
        }
    }
}

impl CallHost for Calls {
    fn start(&self, call: StartCall) {
        // Taking a call reads files; the connection's heartbeats must not wait for that.
        let shared = self.shared.clone();
        self.shared.tasks.spawn("call", Box::pin(shared.take(call)));
    }

    fn command(&self, command: Command) {
        let id = command.id.clone();
        let key = CallKey { call_id: command.call_id.clone(), epoch: command.epoch };
        let told = self.shared.tell(&key, Message::Command(command));
        if !told {
            self.shared.answer(Body::CommandResult(CommandResult {
                id,
                outcome: Outcome::UnknownCall.into(),
                message: "the call is not on this pod".to_owned(),
            }));
        }
    }

    fn lease_lost(&self, key: &CallKey) {
        self.shared.tell(key, Message::LeaseLost);
    }

    fn drain(&self, reason: &str) {
        if self.shared.slots.drain() {
            tracing::info!(reason, "the API asked this pod to drain: no more calls are taken");
        }
    }

    fn live_calls(&self) -> Vec<LiveCall> {
        let live = self.shared.live();
        live.calls.iter().map(|(id, entry)| LiveCall { call_id: id.clone(), epoch: entry.epoch }).collect()
    }
}

impl Shared {
    /// Accepts or refuses, and when accepted runs the call to its end.
    async fn take(self: Arc<Self>, start: StartCall) {
        let key = CallKey { call_id: start.call_id.clone(), epoch: start.epoch };
        let accepted = self.slot_for(&start).and_then(|slot| {
            let call = call::prepare(start, &self.deps)?;
            let inbox = self.register(&key)?;
            Ok((slot, call, inbox))
        });
        let (_slot, call, inbox) = match accepted {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let (reason, message) = (refusal.reason, &refusal.message);
                tracing::info!(call.id = %key.call_id, ?reason, message, "call refused");
                return self.answer(Body::CallRefused(CallRefused {
                    call_id: key.call_id,
                    epoch: key.epoch,
                    reason: refusal.reason.into(),
                    message: refusal.message,
                }));
            }
        };
        let registration = Registration { shared: self.clone(), key: key.clone() };
        self.answer(Body::CallAccepted(CallAccepted { call_id: key.call_id.clone(), epoch: key.epoch }));
        let reason = call::run(call, self.deps.clone(), self.outgoing.clone(), inbox).await;
        drop(registration);
        self.deps.spool.finish(&key, reason);
    }

    fn slot_for(&self, start: &StartCall) -> Result<crate::slots::Slot, Refusal> {
        self.slots.take(!start.refusal_message.is_empty()).map_err(|error| {
            let reason = match error {
                NoSlot::Full => Reason::NoSlot,
                NoSlot::Draining => Reason::Draining,
            };
            Refusal { reason, message: error.to_string() }
        })
    }

    fn register(&self, key: &CallKey) -> Result<mpsc::Receiver<Message>, Refusal> {
        let (sender, inbox) = mpsc::channel(INBOX);
        let mut live = self.live();
        if let Some(known) = live.calls.get(&key.call_id) {
            if known.epoch >= key.epoch {
                let message = format!("the call is on this pod already with epoch {}", known.epoch);
                return Err(Refusal { reason: Reason::Duplicate, message });
            }
            known.tell(Message::LeaseLost);
        }
        if let Some(finish_by) = live.finish_by {
            let _ = sender.try_send(Message::Drain { finish_by });
        }
        live.calls.insert(key.call_id.clone(), Entry { epoch: key.epoch, inbox: sender });
        Ok(inbox)
    }

    fn tell(&self, key: &CallKey, message: Message) -> bool {
        let live = self.live();
        live.calls.get(&key.call_id).filter(|entry| entry.epoch == key.epoch).is_some_and(|entry| entry.tell(message))
    }

    fn answer(&self, body: Body) {
        if self.outgoing.try_send(body).is_err() {
            tracing::warn!("an answer to the API is dropped: too many wait for the connection");
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn tell(&self, message: Message) -> bool {
        match self.inbox.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(message)) => {
                tracing::warn!(message = message.kind(), "a call does not take its messages: this one is dropped");
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

/// Takes the call off the list, however it ended.
struct Registration {
    shared: Arc<Shared>,
    key: CallKey,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut live = self.shared.live();
        if live.calls.get(&self.key.call_id).is_some_and(|entry| entry.epoch == self.key.epoch) {
            live.calls.remove(&self.key.call_id);
        }
    }
}
