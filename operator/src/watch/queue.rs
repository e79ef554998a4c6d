//! The objects of one kind that need a pass.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ObjectKey;

/// A set of objects, so that an object which changed often waits once. Bounded by the number of objects.
#[derive(Debug, Default)]
pub struct Queue {
    pending: Mutex<BTreeSet<ObjectKey>>,
    more: Notify,
}

impl Queue {
    /// Adds an object.
    pub fn push(&self, key: ObjectKey) {
        if self.lock().insert(key) {
            self.more.notify_one();
        }
    }

    /// Takes an object out, waiting for one. One reader at a time.
    pub async fn next(&self) -> ObjectKey {
        loop {
            if let Some(key) = self.lock().pop_first() {
                return key;
            }
            self.more.notified().await;
        }
    }

    /// How many objects wait.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<ObjectKey>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn an_object_waits_once_and_a_waiting_reader_wakes_up() {
        let queue = Arc::new(Queue::default());
        queue.push(ObjectKey::cluster("a"));
        queue.push(ObjectKey::cluster("a"));
        assert_eq!(queue.depth(), 1);
        assert_eq!(queue.next().await.name, "a");
        let reader = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.next().await }
        });
        tokio::task::yield_now().await;
        queue.push(ObjectKey::cluster("b"));
        assert_eq!(reader.await.unwrap().name, "b");
    }
}
