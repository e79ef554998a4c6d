//! The owner's side of the published track.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::{CallClock, Position};
use crate::pacer::{EnqueueError, Flushed, Pacer, UtteranceId};

/// Speaks into the room through a published track.
///
/// Speech waits as 48 kHz mono PCM until its 20 ms frame is due;
/// [`RoomEvent::Playout`](crate::RoomEvent::Playout) tells how far it is. Every method returns at once
/// and may be called from any thread; clones share the track.
#[derive(Debug, Clone)]
pub struct Speaker {
    shared: Arc<Shared>,
    track: Arc<str>,
}

/// What the room's task and the speakers share.
#[derive(Debug)]
pub(super) struct Shared {
    pacer: Mutex<Pacer>,
    changed: Notify,
    clock: CallClock,
}

impl Shared {
    pub(super) fn new(clock: CallClock) -> Arc<Self> {
        Arc::new(Self { pacer: Mutex::default(), changed: Notify::new(), clock })
    }

    pub(super) fn pacer(&self) -> MutexGuard<'_, Pacer> {
        // Nothing in the pacer can be left half done by a panic that would matter more than going on.
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when speech was added or its state changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Speaker {
    pub(super) fn new(shared: Arc<Shared>, track: String) -> Self {
        Self { shared, track: track.into() }
    }

    /// Our track (`TR_…`).
    pub fn track(&self) -> &str {
        &self.track
    }

    /// Adds 48 kHz mono speech to an utterance. Utterances are spoken in the order of their first samples.
    ///
    /// # Errors
    /// [`EnqueueError::Full`] when two minutes of speech wait, [`EnqueueError::Finished`] after [`Speaker::finish`].
    pub fn enqueue(&self, utterance: UtteranceId, pcm: &[i16]) -> Result<(), EnqueueError> {
        self.change(|pacer| pacer.enqueue(utterance, pcm))
    }

    /// Says that an utterance gets no more samples.
    pub fn finish(&self, utterance: UtteranceId) {
        self.change(|pacer| pacer.finish(utterance));
    }

    /// Drops all speech that has not been sent; at most the frame being encoded still leaves. Ends ducking and pausing.
    pub fn flush(&self) -> Vec<Flushed> {
        self.change(Pacer::flush)
    }

    /// Lowers speech by 18 dB, or brings it back, over 10 ms.
    pub fn set_ducked(&self, ducked: bool) {
        self.change(|pacer| pacer.set_ducked(ducked));
    }

    /// Holds speech back, or goes on where it stopped.
    pub fn set_paused(&self, paused: bool) {
        self.change(|pacer| pacer.set_paused(paused));
    }

    /// How many samples of an utterance had been sent before `until`.
    ///
    /// Pass the caller's speech onset less the path delay (130 ms SIP, 40 ms WebRTC) to learn what they had heard.
    pub fn sent_before(&self, utterance: UtteranceId, until: Position) -> u64 {
        self.shared.pacer().sent_before(utterance, until)
    }

    /// Samples that wait to be sent, at 48 kHz.
    pub fn queued(&self) -> usize {
        self.shared.pacer().queued()
    }

    /// The call's clock.
    pub fn clock(&self) -> CallClock {
        self.shared.clock
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pacer) -> T) -> T {
        let result = change(&mut self.shared.pacer());
        self.shared.changed.notify_one();
        result
    }
}
