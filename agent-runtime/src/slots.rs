//! How many calls this pod carries at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// Calls beyond the slots that only speak a refusal; they need no recogniser and no model.
pub const OVERFLOW: u32 = 2;

/// The pod's call slots. Clones share them.
#[derive(Debug, Clone)]
pub struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: u32,
    busy: AtomicU32,
    overflow: AtomicU32,
    draining: AtomicBool,
    freed: Notify,
}

/// One slot in use; dropping it frees the slot, however the call ended.
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    overflow: bool,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSlot {
    /// All are in use.
    #[error("all slots are in use")]
    Full,
    /// No calls are taken any more.
    #[error("the pod drains")]
    Draining,
}

impl Slots {
    /// So many slots, all free.
    pub fn new(total: u32) -> Self {
        let shared = Shared {
            total,
            busy: AtomicU32::new(0),
            overflow: AtomicU32::new(0),
            draining: AtomicBool::new(false),
            freed: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a slot for a conversation, or an overflow slot for a refusal.
    pub fn take(&self, overflow: bool) -> Result<Slot, NoSlot> {
        let shared = &self.shared;
        let (count, limit) = if overflow { (&shared.overflow, OVERFLOW) } else { (&shared.busy, shared.total) };
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < limit).then_some(used + 1));
        if taken.is_err() {
            return Err(NoSlot::Full);
        }
        let slot = Slot { shared: shared.clone(), overflow };
        // After taking, so that whoever starts a drain sees either the slot or the refusal.
        if self.is_draining() { Err(NoSlot::Draining) } else { Ok(slot) }
    }

    /// How many there are.
    pub fn total(&self) -> u32 {
        self.shared.total
    }

    /// Conversations in progress.
    pub fn busy(&self) -> u32 {
        self.shared.busy.load(Ordering::Acquire)
    }

    /// Takes no more calls. Returns false when that was so already.
    pub fn drain(&self) -> bool {
        !self.shared.draining.swap(true, Ordering::AcqRel)
    }

    /// Whether calls are refused because the pod drains.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.load(Ordering::Acquire)
    }

    /// Completes when no call is left.
    pub async fn idle(&self) {
        loop {
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.busy() == 0 && self.shared.overflow.load(Ordering::Acquire) == 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let count = if self.overflow { &self.shared.overflow } else { &self.shared.busy };
        count.fetch_sub(1, Ordering::AcqRel);
        self.shared.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn slots_are_counted_and_freed_by_dropping() {
        let slots = Slots::new(2);
        let first = slots.take(false).unwrap();
        let _second = slots.take(false).unwrap();
        assert_eq!(slots.take(false).unwrap_err(), NoSlot::Full);
        assert!(slots.take(true).is_ok(), "refusals have slots of their own");
        drop(first);
        assert_eq!(slots.busy(), 1);
        assert!(slots.take(false).is_ok());
    }

    #[test]
    fn a_draining_pod_takes_nothing() {
        let slots = Slots::new(2);
        assert!(slots.drain());
        assert!(!slots.drain(), "once");
        assert_eq!(slots.take(false).unwrap_err(), NoSlot::Draining);
        assert_eq!(slots.busy(), 0, "a refused slot is free again");
    }

    #[tokio::test]
    async fn idle_waits_for_the_last_call() {
        let slots = Slots::new(1);
        let slot = slots.take(false).unwrap();
        let waiting = slots.clone();
        let idle = tokio::spawn(async move { waiting.idle().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!idle.is_finished());
        drop(slot);
        tokio::time::timeout(Duration::from_secs(5), idle).await.unwrap().unwrap();
    }
}
