//! The memory behind pods that leave closed nodes: what was decided about every pool that has some, and what was said
//! about it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use voxplane_crds::labels;
use voxplane_crds::names::PoolId;

use super::closed_nodes::{Decision, Member, Stage, View, decide};
use super::{PoolReport, busy, pods, replicas};
use crate::watch::Stores;

/// What is decided about the pools that have pods on closed nodes.
#[derive(Debug, Default)]
pub struct Substitutes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// None: nodes, pods and sessions have not all been seen since this process leads.
    decided: Option<HashMap<PoolId, Decision>>,
    /// What people were told last.
    told: HashMap<PoolId, Stage>,
}

/// What holds for one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitute {
    /// Nothing is known yet: as many pods as are deployed, one more or not.
    Kept(bool),
    /// This was decided.
    Decided(Decision),
}

impl Substitute {
    /// The decision where one pod more may not be possible; none while nothing is known.
    #[must_use]
    pub fn decision(self, has_room: bool) -> Option<Decision> {
        match self {
            Self::Kept(_) => None,
            Self::Decided(decision) => Some(decision.with_room(has_room)),
        }
    }

    /// Whether the Deployment should have one pod more than was asked for.
    #[must_use]
    pub fn one_more(self, has_room: bool) -> bool {
        match self {
            Self::Kept(has_one_more) => has_one_more,
            Self::Decided(decision) => decision.with_room(has_room).one_more,
        }
    }
}

impl Substitutes {
    /// Decides about the pools in `views`, which are all that have pods on closed nodes or one pod more. Returns those
    /// about which something else was decided than before.
    pub fn decide(&self, views: &BTreeMap<PoolId, View>) -> Vec<PoolId> {
        let mut known = self.lock();
        let before = known.decided.take().unwrap_or_default();
        let now: HashMap<PoolId, Decision> =
            views.iter().map(|(pool, view)| (pool.clone(), decide(view, before.get(pool)))).collect();
        let pools: BTreeSet<&PoolId> = before.keys().chain(now.keys()).collect();
        let changed = pools.into_iter().filter(|pool| before.get(*pool) != now.get(*pool)).cloned().collect();
        known.decided = Some(now);
        changed
    }

    /// What holds for a pool with this Deployment; `None`: nothing out of the ordinary.
    #[must_use]
    pub fn of(&self, pool: &PoolId, deployment: Option<&Deployment>) -> Option<Substitute> {
        match &self.lock().decided {
            Some(decided) => decided.get(pool).copied().map(Substitute::Decided),
            None => deployment.filter(|found| replicas::has_one_more(found)).map(|_| Substitute::Kept(true)),
        }
    }

    /// Whether people should hear how far it is. Of passes that run at the same time only one is told so.
    pub fn is_news(&self, pool: &PoolId, stage: Stage) -> bool {
        let mut known = self.lock();
        match stage {
            Stage::Settling => false,
            Stage::Left => known.told.remove(pool).is_some(),
            stage => known.told.insert(pool.clone(), stage) != Some(stage),
        }
    }

    /// Forgets what was said about a pool that is gone.
    pub fn forget(&self, pool: &PoolId) {
        self.lock().told.remove(pool);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a pod is on a closed node and must leave it.
#[must_use]
pub fn is_on_closed_node(pod: &Pod, closed: &HashSet<String>) -> bool {
    pods::is_active(pod) && pods::must_leave(pod).is_some_and(|node| closed.contains(node))
}

/// The pools that have pods on closed nodes, or one pod more, as the watches and `reports` have them.
#[must_use]
pub fn views(
    stores: &Stores,
    closed: &HashSet<String>,
    reports: &HashMap<PoolId, PoolReport>,
) -> BTreeMap<PoolId, View> {
    let mut pools: BTreeSet<PoolId> = BTreeSet::new();
    let deployments = stores.deployments.state();
    let with_one_more = deployments.iter().filter(|deployment| replicas::has_one_more(deployment));
    pools.extend(with_one_more.filter_map(|found| pool_id(&found.namespace()?, &found.name_any())));
    if !closed.is_empty() {
        let pods = stores.pods.state();
        let leaving = pods.iter().filter(|pod| is_on_closed_node(pod, closed));
        pools.extend(leaving.filter_map(|pod| pool_id(&pod.namespace()?, pod.labels().get(labels::POOL)?)));
    }
    let view = |pool: PoolId| {
        let deployment = stores.deployment(&pool)?;
        let found = stores.pods.within(pool.namespace());
        let members = found.iter().map(|pod| &**pod).filter(|pod| is_of(pod, &pool));
        let view = view_of(&deployment, members, closed, reports.get(&pool));
        Some((pool, view))
    };
    pools.into_iter().filter_map(view).collect()
}

fn pool_id(namespace: &str, deployment: &str) -> Option<PoolId> {
    PoolId::parse(&format!("{namespace}/{deployment}"))
}

fn is_of(pod: &Pod, pool: &PoolId) -> bool {
    pod.labels().get(labels::POOL).is_some_and(|name| name == pool.deployment())
}

/// A pool as it is seen.
fn view_of<'a>(
    deployment: &Deployment,
    pods: impl Iterator<Item = &'a Pod>,
    closed: &HashSet<String>,
    report: Option<&PoolReport>,
) -> View {
    let takes_calls = |pod: &Pod| {
        let sessions = report.into_iter().flat_map(|report| &report.pods);
        sessions.filter(|session| session.takes_calls).any(|session| Some(&session.uid) == pod.metadata.uid.as_ref())
    };
    let member = |pod: &Pod| Member {
        on_closed_node: is_on_closed_node(pod, closed),
        is_up: pods::is_ready(pod) && takes_calls(pod),
        gives_way: busy::gives_way(pod),
    };
    View {
        wanted: replicas::wanted(deployment).unwrap_or_default(),
        has_one_more: replicas::has_one_more(deployment),
        members: pods.filter(|pod| pods::is_active(pod)).map(member).collect(),
    }
}

#[cfg(test)]
mod tests;
