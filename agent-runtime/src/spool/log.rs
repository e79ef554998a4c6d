//! The events of one call: numbered, sent, acknowledged.

use std::collections::VecDeque;

use voxplane_control::v1::{CallFinished, Event};

use super::{CallKey, NewEvent};

/// Unacknowledged events of one call.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    /// Unacknowledged events, oldest first.
    events: VecDeque<Event>,
    /// Number of the newest event.
    last: u64,
    /// Number of the newest event sent on the present connection.
    sent: u64,
    /// Number of the newest acknowledged event.
    acknowledged: u64,
    dropped: u64,
    finished: Option<String>,
    finish_sent: bool,
    finish_acknowledged: bool,
}

impl CallLog {
    /// A log read back from disk.
    pub(super) fn recovered(events: Vec<Event>) -> Self {
        let last = events.last().map_or(0, |event| event.seq);
        let acknowledged = events.first().map_or(0, |event| event.seq.saturating_sub(1));
        Self { events: events.into(), last, sent: acknowledged, acknowledged, ..Self::default() }
    }

    pub(super) fn append(&mut self, key: &CallKey, event: NewEvent) -> Event {
        self.last += 1;
        let event = Event {
            call_id: key.call_id.clone(),
            epoch: key.epoch,
            seq: self.last,
            at_unix_us: event.at_unix_us,
            call_us: event.call_us,
            r#type: event.name.to_owned(),
            durability: event.durability.into(),
            payload_json: event.payload_json,
        };
        self.events.push_back(event.clone());
        event
    }

    pub(super) fn pending(&self) -> usize {
        self.events.len()
    }

    pub(super) fn note_dropped(&mut self) {
        self.dropped += 1;
        if self.dropped.is_power_of_two() {
            tracing::warn!(
                dropped = self.dropped,
                waiting = self.events.len(),
                "events are dropped: the API is away for too long"
            );
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.last || (self.finished.is_some() && !self.finish_sent)
    }

    pub(super) fn take_unsent(&mut self, limit: usize, batch: &mut Vec<Event>) {
        let first = self.events.partition_point(|event| event.seq <= self.sent);
        for event in self.events.range(first..).take(limit) {
            self.sent = event.seq;
            batch.push(event.clone());
        }
    }

    pub(super) fn take_finished(&mut self, key: &CallKey) -> Option<CallFinished> {
        if self.finish_sent || self.sent < self.last {
            return None;
        }
        let reason = self.finished.clone()?;
        self.finish_sent = true;
        Some(CallFinished { call_id: key.call_id.clone(), epoch: key.epoch, reason, last_seq: self.last })
    }

    pub(super) fn acknowledge(&mut self, seq: u64) {
        self.acknowledged = self.acknowledged.max(seq.min(self.last));
        // The API may have stored more on an earlier connection than was sent again on this one.
        self.sent = self.sent.max(self.acknowledged);
        while self.events.front().is_some_and(|event| event.seq <= self.acknowledged) {
            self.events.pop_front();
        }
    }

    pub(super) fn is_acknowledged(&self, seq: u64) -> bool {
        self.acknowledged >= seq
    }

    pub(super) fn rewind(&mut self) {
        self.sent = self.acknowledged;
        self.finish_sent = self.finish_acknowledged;
    }

    pub(super) fn finish(&mut self, reason: &str) {
        self.finished = Some(reason.to_owned());
    }

    pub(super) fn acknowledge_finish(&mut self) {
        self.finish_acknowledged = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.finish_acknowledged && self.acknowledged >= self.last
    }
}
