//! Nodes are closed under calls, in virtual time, against the real decision. Around it: a Deployment and its ReplicaSet,
//! a scheduler, kubelets, calls that come all the time, an operator that sees everything a little late.
//!
//! What must hold at every moment: no call is refused, there is at most one pod more, and as many pods take calls as
//! were asked for.

use std::collections::BTreeSet;

use super::*;

/// From scheduling to a connected pod.
const CONNECTS_AFTER: u64 = 12;
/// From scheduling to a pod that the kubelet calls ready.
const READY_AFTER: u64 = 15;
/// A pod that is told to go has a session for a while even if it has no calls.
const LINGERS: u64 = 4;
/// The operator looks this often.
const TICK: u64 = 2;
const CALLS_PER_POD: usize = 8;
/// Often enough that no pod has a moment without a call.
const CALL_EVERY: u64 = 10;
const CALL_SECONDS: u64 = 100;

#[derive(Clone, Debug)]
struct Pod {
    node: Option<usize>,
    scheduled_at: u64,
    cost: i32,
    told_to_go_at: Option<u64>,
    /// The seconds at which its calls end.
    calls: Vec<u64>,
}

impl Pod {
    fn is_active(&self) -> bool {
        self.told_to_go_at.is_none()
    }

    fn is_connected(&self, second: u64) -> bool {
        self.node.is_some() && second >= self.scheduled_at + CONNECTS_AFTER
    }

    fn is_ready(&self, second: u64) -> bool {
        self.node.is_some() && second >= self.scheduled_at + READY_AFTER
    }

    fn takes_calls(&self, second: u64) -> bool {
        self.is_active() && self.is_connected(second)
    }
}

/// What the operator writes, and what it remembers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Deployment {
    replicas: i32,
    wanted: Option<i32>,
}

struct World {
    second: u64,
    pods: Vec<Pod>,
    closed: BTreeSet<usize>,
    nodes: usize,
    /// Accelerators that the tenant was granted; every pod takes one, also while it only finishes its calls.
    gpus: Option<usize>,
    deployment: Deployment,
    /// The Deployment as the operator's watch has it: a tick behind.
    cached: Deployment,
    asked: i32,
    before: Option<Decision>,
    /// Nothing is decided then, and nothing written.
    operator_is_away: bool,
    /// No pod is connected then, as far as the operator can tell.
    api_is_away: bool,
    calls_come: bool,
    made: usize,
    refused: usize,
    /// Most pods at a time beside those that were asked for.
    most_more: i32,
    /// Fewest pods that took calls.
    fewest: usize,
}

impl World {
    /// A pool with all its pods on the first nodes, up for long.
    fn new(nodes: usize, on: &[usize]) -> Self {
        let pod =
            |node: &usize| Pod { node: Some(*node), scheduled_at: 0, cost: 0, told_to_go_at: None, calls: vec![] };
        let replicas = i32::try_from(on.len()).unwrap();
        let deployment = Deployment { replicas, wanted: None };
        Self {
            second: 100,
            pods: on.iter().map(pod).collect(),
            closed: BTreeSet::new(),
            nodes,
            gpus: None,
            deployment,
            cached: deployment,
            asked: replicas,
            before: None,
            operator_is_away: false,
            api_is_away: false,
            calls_come: true,
            made: 0,
            refused: 0,
            most_more: 0,
            fewest: on.len(),
        }
    }

    fn active(&self) -> Vec<usize> {
        (0..self.pods.len()).filter(|index| self.pods[*index].is_active()).collect()
    }

    fn left_on(&self, node: usize) -> usize {
        self.pods.iter().filter(|pod| pod.is_active() && pod.node == Some(node)).count()
    }

    /// As `kubectl drain` would find it, with the pods that finish their calls.
    fn is_empty(&self, node: usize) -> bool {
        self.pods.iter().all(|pod| pod.node != Some(node))
    }

    fn calls(&mut self) {
        let second = self.second;
        for pod in &mut self.pods {
            pod.calls.retain(|ends| *ends > second);
        }
        self.pods.retain(|pod| pod.told_to_go_at.is_none_or(|at| !pod.calls.is_empty() || second < at + LINGERS));
        if self.calls_come && second.is_multiple_of(CALL_EVERY) && !self.api_is_away {
            let free = self.pods.iter_mut().filter(|pod| pod.takes_calls(second) && pod.calls.len() < CALLS_PER_POD);
            match free.min_by_key(|pod| pod.calls.len()) {
                Some(pod) => pod.calls.push(second + CALL_SECONDS),
                None => self.refused += 1,
            }
        }
    }

    /// Nodes that are open, the emptiest first; a ReplicaSet that makes and deletes in Kubernetes' order.
    fn cluster(&mut self) {
        let second = self.second;
        for index in 0..self.pods.len() {
            if self.pods[index].node.is_none() {
                let open = (0..self.nodes).filter(|node| !self.closed.contains(node));
                let on = |node: usize| self.pods.iter().filter(|pod| pod.node == Some(node)).count();
                let node = open.min_by_key(|node| on(*node));
                (self.pods[index].node, self.pods[index].scheduled_at) = (node, second);
            }
        }
        let mut active = self.active();
        let replicas = usize::try_from(self.deployment.replicas).unwrap();
        for _ in active.len()..replicas {
            if self.gpus.is_none_or(|gpus| self.pods.len() < gpus) {
                self.made += 1;
                self.pods.push(Pod { node: None, scheduled_at: 0, cost: 0, told_to_go_at: None, calls: vec![] });
            }
        }
        active.sort_by_key(|index| {
            let pod = &self.pods[*index];
            (pod.node.is_some(), pod.is_ready(second), pod.cost, std::cmp::Reverse(pod.scheduled_at))
        });
        for index in active.iter().take(active.len().saturating_sub(replicas)) {
            self.pods[*index].told_to_go_at = Some(second);
        }
    }

    fn view(&self) -> View {
        let member = |pod: &Pod| Member {
            on_closed_node: pod.node.is_some_and(|node| self.closed.contains(&node)),
            is_up: !self.api_is_away && pod.is_ready(self.second) && pod.is_connected(self.second),
            gives_way: pod.cost < 0,
        };
        let has_one_more = self.cached.wanted.is_some();
        View {
            wanted: self.cached.wanted.unwrap_or(self.cached.replicas),
            has_one_more,
            members: self.pods.iter().filter(|pod| pod.is_active()).map(member).collect(),
        }
    }

    fn operator(&mut self) {
        if self.operator_is_away {
            return;
        }
        let decision = decide(&self.view(), self.before.as_ref());
        self.before = Some(decision);
        let closed = self.closed.clone();
        for pod in &mut self.pods {
            pod.cost = if pod.node.is_some_and(|node| closed.contains(&node)) { -1000 } else { 0 };
        }
        self.cached = self.deployment;
        let needed = usize::try_from(self.asked).unwrap() + 1;
        let decision = decision.with_room(self.gpus.is_none_or(|gpus| needed <= gpus));
        self.deployment = Deployment {
            replicas: self.asked + i32::from(decision.one_more),
            wanted: decision.one_more.then_some(self.asked),
        };
    }

    /// Another process leads: it remembers nothing, and finds the Deployment as it is.
    fn change_leader(&mut self) {
        (self.before, self.cached) = (None, self.deployment);
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second += 1;
            self.calls();
            self.cluster();
            if self.second.is_multiple_of(TICK) {
                self.operator();
            }
            let active = i32::try_from(self.active().len()).unwrap();
            self.most_more = self.most_more.max(active - self.asked);
            let up = self.pods.iter().filter(|pod| pod.takes_calls(self.second)).count();
            self.fewest = self.fewest.min(up);
        }
    }

    /// What holds whatever happens.
    fn nobody_noticed(&self) {
        assert_eq!(self.refused, 0, "callers were refused");
        assert!(self.most_more <= 1, "{} more at a time", self.most_more);
        assert!(self.fewest >= usize::try_from(self.asked).unwrap(), "only {} pods took calls", self.fewest);
    }
}

#[test]
fn a_closed_node_with_busy_pods_empties_under_constant_traffic() {
    let mut world = World::new(3, &[0, 0, 0, 1]);
    world.run(300);
    assert!(world.pods.iter().all(|pod| !pod.calls.is_empty()), "no pod ever has a moment without a call");
    world.closed.insert(0);
    world.run(90);
    assert_eq!(world.left_on(0), 0, "every pod there takes no more calls");
    world.run(CALL_SECONDS + LINGERS);
    assert!(world.is_empty(0), "and kubectl drain ends");
    assert_eq!((world.made, world.deployment), (3, Deployment { replicas: 4, wanted: None }));
    world.nobody_noticed();
}

#[test]
fn without_substitutes_such_a_node_never_empties() {
    let mut world = World::new(3, &[0, 0, 0, 1]);
    world.run(300);
    world.closed.insert(0);
    world.operator_is_away = true;
    world.run(3_600);
    assert_eq!(world.left_on(0), 3, "the simulation shows what is missing without the decision");
}

#[test]
fn a_pool_of_one_whose_node_is_closed_first_always_has_a_pod() {
    let mut world = World::new(2, &[0]);
    world.calls_come = false;
    world.closed.insert(0);
    world.run(60);
    assert!(world.is_empty(0), "idle pods go at once");
    assert_eq!(world.made, 1);
    world.nobody_noticed();
}

/// `kubectl drain` closes the node and evicts idle pods in the same moment: no operator is as fast. That is why the
/// documentation says to close first and wait.
#[test]
fn an_idle_pod_that_is_evicted_at_once_leaves_a_gap_that_nobody_can_close() {
    let mut world = World::new(2, &[0]);
    world.calls_come = false;
    world.closed.insert(0);
    world.pods[0].told_to_go_at = Some(world.second);
    world.run(60);
    assert_eq!((world.fewest, world.left_on(0)), (0, 0));
    assert_eq!((world.made, world.deployment.replicas), (1, 1), "the ReplicaSet has replaced it, and once is enough");
}

#[test]
fn with_room_for_one_more_it_comes_to_an_end() {
    let mut world = World::new(2, &[0, 0, 0]);
    world.gpus = Some(4);
    world.run(100);
    world.closed.insert(0);
    world.run(4 * (CALL_SECONDS + 60));
    assert!(world.is_empty(0), "each waits for the GPU of the one before");
    assert_eq!(world.made, 3);
    world.nobody_noticed();
}

#[test]
fn without_room_the_pods_stay_until_there_is_some() {
    let mut world = World::new(2, &[0, 0]);
    world.gpus = Some(2);
    world.closed.insert(0);
    world.run(600);
    assert_eq!((world.left_on(0), world.made), (2, 0));
    world.gpus = Some(3);
    world.run(600);
    assert!(world.is_empty(0));
    world.nobody_noticed();
}

#[test]
fn a_cluster_without_another_node_keeps_its_pods() {
    let mut world = World::new(1, &[0, 0]);
    world.closed.insert(0);
    world.run(600);
    assert_eq!((world.left_on(0), world.made), (2, 1), "the substitute waits for a node");
    world.nodes = 2;
    world.run(600);
    assert!(world.is_empty(0));
    world.nobody_noticed();
}

#[test]
fn the_leader_may_change_at_any_moment() {
    for moment in 0..80 {
        let mut world = World::new(2, &[0, 0]);
        world.run(200);
        world.closed.insert(0);
        world.run(moment);
        world.operator_is_away = true;
        world.run(25);
        world.operator_is_away = false;
        world.change_leader();
        world.run(400);
        assert!(world.is_empty(0), "after {moment} s");
        assert_eq!(world.made, 2, "after {moment} s: nothing was thrown away and made again");
        world.nobody_noticed();
    }
}

#[test]
fn while_the_api_is_away_nothing_is_given_up() {
    for moment in 0..80 {
        let mut world = World::new(2, &[0, 0]);
        world.run(200);
        world.closed.insert(0);
        world.run(moment);
        world.api_is_away = true;
        world.run(2);
        let active = world.active().len();
        world.run(300);
        assert!(world.active().len() >= active, "after {moment} s");
        world.api_is_away = false;
        world.run(400);
        assert!(world.is_empty(0), "after {moment} s");
        world.nobody_noticed();
    }
}

#[test]
fn a_node_that_is_opened_again_at_any_moment_leaves_as_many_pods_as_before() {
    for moment in 0..80 {
        let mut world = World::new(2, &[0, 0]);
        world.run(200);
        world.closed.insert(0);
        world.run(moment);
        world.closed.remove(&0);
        world.run(300);
        assert_eq!(world.active().len(), 2, "after {moment} s");
        assert_eq!(world.deployment, Deployment { replicas: 2, wanted: None });
        assert!(world.pods.iter().all(|pod| pod.cost == 0));
        world.nobody_noticed();
    }
}

#[test]
fn two_nodes_closed_one_after_another_empty_both() {
    for moment in 0..80 {
        let mut world = World::new(3, &[0, 0]);
        world.run(200);
        world.closed.insert(0);
        world.run(moment);
        world.closed.insert(1);
        world.run(800);
        assert!(world.is_empty(0) && world.is_empty(1), "after {moment} s");
        assert_eq!(world.left_on(2), 2);
        world.nobody_noticed();
    }
}
