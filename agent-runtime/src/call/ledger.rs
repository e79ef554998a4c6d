//! The call's events on their way to the API.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use voxplane_control::v1::Durability;
use voxplane_media::clock::CallClock;
use voxplane_session::LedgerEvent;

use crate::spool::{CallKey, NewEvent, Spool};

/// Records the events of one call.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    spool: Arc<Spool>,
    key: CallKey,
    clock: CallClock,
}

impl Ledger {
    /// A ledger whose clock starts now.
    pub(super) fn new(spool: Arc<Spool>, key: CallKey) -> Self {
        Self { spool, key, clock: CallClock::start() }
    }

    /// The call clock.
    pub(super) fn clock(&self) -> CallClock {
        self.clock
    }

    /// Records an event and returns its number.
    pub(super) fn record(&self, name: &'static str, durability: Durability, payload_json: String) -> Option<u64> {
        let at_unix_us = Timestamp::now().as_microsecond();
        let call_us = self.clock.now().micros();
        self.spool.append(&self.key, NewEvent { at_unix_us, call_us, name, durability, payload_json })
    }

    /// Records what the engine says.
    pub(super) fn record_event(&self, event: &LedgerEvent) -> Option<u64> {
        let payload = match serde_json::to_string(event) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::error!(%error, event = event.name(), "an event cannot be written as JSON");
                return None;
            }
        };
        let durability = match event.durability() {
            voxplane_session::Durability::BeforeEffect => Durability::BeforeEffect,
            voxplane_session::Durability::Soon => Durability::Soon,
            voxplane_session::Durability::BestEffort => Durability::BestEffort,
        };
        self.record(event.name(), durability, payload)
    }

    /// Waits until the API has stored an event.
    pub(super) async fn stored(&self, seq: u64, within: Duration) -> bool {
        self.spool.acknowledged(&self.key, seq, within).await
    }
}
