//! What was applied, so that the same is not applied again: every agent of a tenant builds the same pool, and a pass that
//! finds nothing new should ask nothing of the API server.
//!
//! Kinds that are not watched are looked at again after a while, because somebody may have changed them: by their
//! metadata ([`Mark`]), which is a read, and applied only if somebody wrote more than a status. That is every five minutes, and not at once by a
//! watch, for three reasons. A watch over all tenants needs the right to list quotas, RoleBindings and network policies of
//! the whole cluster, Secrets even with their contents, while the operator has rights in namespaces it made only. None of
//! the roles that we give to people may write these kinds, so who changed one is an administrator of the cluster, who
//! has other ways. And a ResourceQuota is written by the cluster with every pod that comes and goes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::kind::RESYNC;

/// A little less than the time between two passes without a change, so that each of them looks.
const LOOK_AGAIN: Duration = Duration::from_secs(RESYNC.as_secs() - 10);

/// Names an object: kind, namespace (empty for one without), name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppliedKey {
    /// Plural name of the kind.
    pub plural: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl AppliedKey {
    /// The key of an object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        let meta = object.meta();
        Self {
            plural: K::plural(&()).into_owned(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}

/// A digest of what was described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content([u8; 16]);

impl Content {
    /// Of an object as it would be sent. `None`: it cannot be written down, and is applied every time.
    pub fn of(desired: &impl Serialize) -> Option<Self> {
        Some(Self(digest(desired)?))
    }
}

/// By what it is known that nobody has changed an object, though its status was written: the cluster writes those of
/// quotas and disruption budgets all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    version: String,
    /// Who wrote what of it and when, without the status; `None`: the API server does not say.
    hands: Option<[u8; 16]>,
}

impl Mark {
    /// Of an object as the API server gave it; its metadata is enough.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Option<Self> {
        let entries = meta.managed_fields.iter().flatten();
        let hands: Vec<_> =
            entries.filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty()).collect();
        let hands = if hands.is_empty() { None } else { digest(&(&meta.uid, hands)) };
        Some(Self { version: meta.resource_version.clone()?, hands })
    }

    /// Whether the object is as it was then.
    #[must_use]
    pub fn is_as(&self, then: &Self) -> bool {
        self.version == then.version || (self.hands.is_some() && self.hands == then.hands)
    }
}

fn digest(value: &impl Serialize) -> Option<[u8; 16]> {
    let text = serde_json::to_vec(value).ok()?;
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(text)[..16]);
    Some(short)
}

/// What to do about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was applied like this, not long ago.
    Nothing,
    /// It was applied like this some time ago, and had this mark then.
    Look(Mark),
    /// It was not, or differently.
    Apply,
}

#[derive(Clone, Debug)]
struct Entry {
    content: Content,
    mark: Mark,
    generation: Option<i64>,
    seen: Instant,
}

/// What this process has applied. One for all controllers. Bounded by the objects that exist.
#[derive(Debug, Default)]
pub struct Applied {
    known: Mutex<HashMap<AppliedKey, Entry>>,
}

impl Applied {
    /// What to do to have the object be like `content`, if nobody watches its kind.
    #[must_use]
    pub fn step(&self, key: &AppliedKey, content: Content, now: Instant) -> Step {
        match self.lock().get(key) {
            Some(entry) if entry.content != content => Step::Apply,
            Some(entry) if now.saturating_duration_since(entry.seen) < LOOK_AGAIN => Step::Nothing,
            Some(entry) => Step::Look(entry.mark.clone()),
            None => Step::Apply,
        }
    }

    /// Whether a watched object still is as it was applied. `generation`: what the watch has seen, none if it has seen no
    /// such object. A cache that is behind is no reason to apply again: what it has not seen yet leads to another pass,
    /// and an object that goes is forgotten.
    #[must_use]
    pub fn stands(&self, key: &AppliedKey, content: Content, generation: Option<i64>) -> bool {
        let known = self.lock();
        let entry = known.get(key).filter(|entry| entry.content == content);
        entry.is_some_and(|entry| generation.is_none() || generation <= entry.generation)
    }

    /// It was applied, and this came of it.
    pub fn put(&self, key: AppliedKey, content: Content, mark: Mark, generation: Option<i64>, now: Instant) {
        self.lock().insert(key, Entry { content, mark, generation, seen: now });
    }

    /// It was looked at, and nobody had changed it.
    pub fn unchanged(&self, key: &AppliedKey, now: Instant) {
        if let Some(entry) = self.lock().get_mut(key) {
            entry.seen = now;
        }
    }

    /// It went, or was changed otherwise.
    pub fn forget(&self, key: &AppliedKey) {
        self.lock().remove(key);
    }

    /// The namespace went with everything in it, or was made a moment ago.
    pub fn forget_namespace(&self, namespace: &str) {
        self.lock().retain(|key, _| key.namespace != namespace);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppliedKey, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(namespace: &str) -> AppliedKey {
        AppliedKey { plural: "limitranges".to_owned(), namespace: namespace.to_owned(), name: "voxplane".to_owned() }
    }

    fn mark(version: &str) -> Mark {
        Mark { version: version.to_owned(), hands: None }
    }

    #[test]
    fn a_status_that_was_written_is_no_change_and_a_hand_is() {
        let marked = |version: &str, hands: &[(&str, &str, &str)]| {
            let hands = hands.iter().map(|(manager, time, subresource)| {
                json!({"manager": manager, "operation": "Update", "time": time, "subresource": subresource})
            });
            let meta = json!({"uid": "u", "resourceVersion": version, "managedFields": hands.collect::<Vec<_>>()});
            Mark::of(&serde_json::from_value(meta).unwrap()).unwrap()
        };
        let ours = ("voxplane-operator", "2026-01-01T00:00:00Z", "");
        let applied = marked("7", &[ours]);
        assert!(marked("7", &[ours]).is_as(&applied));
        assert!(marked("8", &[ours, ("controller", "2026-01-01T00:00:09Z", "status")]).is_as(&applied));
        assert!(!marked("8", &[ours, ("kubectl-edit", "2026-01-01T00:00:09Z", "")]).is_as(&applied));
        assert!(!marked("8", &[("voxplane-operator", "2026-01-01T00:00:09Z", "")]).is_as(&applied));
        assert!(!marked("8", &[]).is_as(&applied) && !mark("8").is_as(&mark("7")), "who wrote it is not known");
    }

    fn content(value: i32) -> Content {
        Content::of(&json!({"value": value})).unwrap()
    }

    #[test]
    fn the_same_is_applied_once_and_looked_at_again_after_a_while() {
        let (applied, start) = (Applied::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(applied.step(&key("a"), content(1), at(0)), Step::Apply);
        applied.put(key("a"), content(1), mark("7"), None, at(0));
        assert_eq!(applied.step(&key("a"), content(1), at(60)), Step::Nothing);
        assert_eq!(applied.step(&key("a"), content(2), at(60)), Step::Apply, "it should be another now");
        assert_eq!(applied.step(&key("b"), content(1), at(60)), Step::Apply, "another object");
        assert_eq!(applied.step(&key("a"), content(1), at(300)), Step::Look(mark("7")));
        applied.unchanged(&key("a"), at(300));
        assert_eq!(applied.step(&key("a"), content(1), at(500)), Step::Nothing);
    }

    #[test]
    fn what_went_is_applied_again() {
        let (applied, now) = (Applied::default(), Instant::now());
        applied.put(key("a"), content(1), mark("7"), None, now);
        applied.put(key("b"), content(1), mark("8"), None, now);
        applied.forget_namespace("a");
        assert_eq!(applied.step(&key("a"), content(1), now), Step::Apply);
        assert_eq!(applied.step(&key("b"), content(1), now), Step::Nothing);
        applied.forget(&key("b"));
        assert_eq!(applied.step(&key("b"), content(1), now), Step::Apply);
    }

    #[test]
    fn a_watched_object_stands_until_the_watch_shows_a_later_generation() {
        let (applied, now) = (Applied::default(), Instant::now());
        assert!(!applied.stands(&key("a"), content(1), Some(1)), "made before this process started");
        applied.put(key("a"), content(1), mark("7"), Some(2), now);
        assert!(applied.stands(&key("a"), content(1), Some(2)));
        assert!(applied.stands(&key("a"), content(1), Some(1)) && applied.stands(&key("a"), content(1), None));
        assert!(!applied.stands(&key("a"), content(1), Some(3)), "somebody changed it");
        assert!(!applied.stands(&key("a"), content(2), Some(2)), "it should be another now");
    }
}
