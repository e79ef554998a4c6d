//! How pods leave a node that takes no new ones (`kubectl cordon`): one after another, each when another is up in its
//! place. Pure.
//!
//! The Deployment gets one pod more, and the pods on closed nodes are marked as the cheapest to delete. When every pod
//! elsewhere is up, the one more is taken back. The ReplicaSet then deletes a marked pod, which takes no new calls,
//! finishes those it has and goes. So it goes on until none is left there. Nobody deletes a pod here: there are always
//! as many as were asked for.

/// A pod of the pool that its ReplicaSet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whether it is on a closed node, and must leave.
    pub on_closed_node: bool,
    /// Whether the kubelet calls it ready *and* it is connected and takes calls. A ReplicaSet gives up pods that are not
    /// ready before it looks at marks, and of a connection one hears seconds before the kubelet does.
    pub is_up: bool,
    /// Whether it is seen to be marked as the cheapest to delete.
    pub gives_way: bool,
}

/// A pool as it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Pods that were asked for.
    pub wanted: i32,
    /// Whether the Deployment has one more.
    pub has_one_more: bool,
    /// Its pods, without those that are told to go: these still have sessions, but are nowhere any more.
    pub members: Vec<Member>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// No pod is on a closed node.
    Left,
    /// Pods are being made or deleted; what comes next is decided after that.
    Settling,
    /// One pod more is asked for, and not everything elsewhere is up yet.
    Substituting,
    /// One pod more is needed, and there is no room for it.
    NoRoom,
    /// The one more is taken back: a pod on a closed node gives way.
    GivingWay,
}

/// What is decided about a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the Deployment should have one pod more than was asked for.
    pub one_more: bool,
    /// How far it is.
    pub stage: Stage,
    /// Pods on closed nodes that take calls.
    pub leaving: usize,
}

impl Decision {
    /// The same where one pod more may not be possible. Without room nothing is given up: a pod on a closed node is
    /// better than none.
    #[must_use]
    pub fn with_room(self, has_room: bool) -> Self {
        if self.one_more && !has_room { Self { one_more: false, stage: Stage::NoRoom, ..self } } else { self }
    }
}

/// Decides about a pool. `before`: what was decided last, if anything was.
#[must_use]
pub fn decide(view: &View, before: Option<&Decision>) -> Decision {
    let leaving = view.members.iter().filter(|pod| pod.on_closed_node).count();
    let decision = |one_more, stage| Decision { one_more, stage, leaving };
    if leaving == 0 || view.wanted == 0 {
        return decision(false, Stage::Left);
    }
    // What is seen may be older than what was decided; and whoever was refused for lack of room goes on asking.
    if let Some(before) = before.filter(|before| before.one_more != view.has_one_more) {
        return Decision { leaving, ..*before };
    }
    let expected = view.wanted.saturating_add(i32::from(view.has_one_more));
    let is_complete = usize::try_from(expected).is_ok_and(|expected| expected == view.members.len());
    if !view.has_one_more {
        // One at a time: until the one that gives way is gone, there is one too many.
        return if is_complete { decision(true, Stage::Substituting) } else { decision(false, Stage::Settling) };
    }
    let is_safe = |pod: &Member| if pod.on_closed_node { pod.gives_way } else { pod.is_up };
    if is_complete && view.members.iter().all(is_safe) {
        decision(false, Stage::GivingWay)
    } else {
        decision(true, Stage::Substituting)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
