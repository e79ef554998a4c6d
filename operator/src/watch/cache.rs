//! The objects of one kind as a watch has seen them, also by namespace: most questions are about one tenant, and looking
//! through everything for its answer would cost as much again with every tenant.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::reflector::{self, Lookup, ObjectRef, Store, store::Writer};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

/// Objects that a cache can hold.
pub trait Cached:
    Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + Debug + Send + Sync + 'static
{
}

impl<K> Cached for K where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + Debug + Send + Sync + 'static
{
}

type Names = Arc<RwLock<HashMap<String, BTreeSet<String>>>>;

/// The reading half. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache<K: Cached> {
    store: Store<K>,
    names: Names,
}

/// The writing half.
#[derive(Debug)]
pub struct CacheWriter<K: Cached> {
    writer: Writer<K>,
    store: Store<K>,
    names: Names,
    /// The names of a list that is not complete yet.
    listed: HashMap<String, BTreeSet<String>>,
}

/// An empty cache and the half that fills it.
#[must_use]
pub fn cache<K: Cached>() -> (Cache<K>, CacheWriter<K>) {
    let (store, writer) = reflector::store();
    let names = Names::default();
    let cache = Cache { store: store.clone(), names: Arc::clone(&names) };
    (cache, CacheWriter { writer, store, names, listed: HashMap::new() })
}

impl<K: Cached> Deref for Cache<K> {
    type Target = Store<K>;

    fn deref(&self) -> &Store<K> {
        &self.store
    }
}

impl<K: Cached> Cache<K> {
    /// The cache without namespaces.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Everything in one namespace, by name.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Vec<Arc<K>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let names = names.get(namespace).into_iter().flatten();
        names.filter_map(|name| self.store.get(&ObjectRef::new(name).within(namespace))).collect()
    }

    /// Names of everything in one namespace.
    #[must_use]
    pub fn names_within(&self, namespace: &str) -> Vec<String> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(namespace).into_iter().flatten().cloned().collect()
    }

    /// The namespaces that hold something.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl<K: Cached> CacheWriter<K> {
    /// The object as it is known until now.
    #[must_use]
    pub fn known(&self, object: &K) -> Option<Arc<K>> {
        self.store.get(&object.to_object_ref(()))
    }

    /// Takes note of what a watch saw.
    pub fn apply(&mut self, event: &Event<K>) {
        // The objects first: a name without its object is passed over, an object without its name would be overlooked
        // only until this function returns, and its change is announced after that.
        self.writer.apply_watcher_event(event);
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => add(&mut self.listed, object),
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                *self.names.write().unwrap_or_else(PoisonError::into_inner) = listed;
            }
            Event::Apply(object) => add(&mut self.names.write().unwrap_or_else(PoisonError::into_inner), object),
            Event::Delete(object) => remove(&mut self.names.write().unwrap_or_else(PoisonError::into_inner), object),
        }
    }
}

fn add(names: &mut HashMap<String, BTreeSet<String>>, object: &impl Resource) {
    let meta = object.meta();
    names.entry(meta.namespace.clone().unwrap_or_default()).or_default().insert(object.name_any());
}

fn remove(names: &mut HashMap<String, BTreeSet<String>>, object: &impl Resource) {
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    if let Some(within) = names.get_mut(&namespace) {
        within.remove(&object.name_any());
        if within.is_empty() {
            names.remove(&namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{agent, guarded};
    use crate::watch::Guarded;
    use voxplane_crds::VoiceAgent;

    fn object(namespace: &str, name: &str) -> Guarded<VoiceAgent> {
        (*guarded(agent(namespace, name, "{}"))).clone()
    }

    #[test]
    fn a_namespace_has_what_the_watch_saw_there_also_after_a_new_list() {
        let (cache, mut writer) = cache::<Guarded<VoiceAgent>>();
        let names = |namespace: &str| cache.within(namespace).iter().map(|one| one.name_any()).collect::<Vec<_>>();
        writer.apply(&Event::Init);
        for (namespace, name) in [("a", "2"), ("a", "1"), ("b", "3")] {
            writer.apply(&Event::InitApply(object(namespace, name)));
        }
        assert!(names("a").is_empty(), "the list is not complete");
        writer.apply(&Event::InitDone);
        assert_eq!((names("a"), names("b")), (vec!["1".to_owned(), "2".to_owned()], vec!["3".to_owned()]));
        writer.apply(&Event::Apply(object("b", "4")));
        writer.apply(&Event::Delete(object("a", "1")));
        assert_eq!((names("a"), cache.names_within("b")), (vec!["2".to_owned()], vec!["3".to_owned(), "4".to_owned()]));
        writer.apply(&Event::Init);
        writer.apply(&Event::InitApply(object("b", "4")));
        writer.apply(&Event::InitDone);
        assert_eq!((names("a"), names("b"), cache.namespaces()), (vec![], vec!["4".to_owned()], vec!["b".to_owned()]));
    }
}
