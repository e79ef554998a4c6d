use serde_json::{Value, json};

use super::super::PodReport;
use super::super::replicas::tests::deployment;
use super::*;

fn pod(name: &str, node: &str, going: bool, ready: bool) -> Pod {
    let mut metadata = json!({"name": name, "uid": name, "annotations": {busy::DELETION_COST: "-1000"}});
    if going {
        metadata["deletionTimestamp"] = json!("2026-07-01T12:00:00Z");
    }
    let ready = if ready { "True" } else { "False" };
    let pod: Value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [], "nodeName": node},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    });
    serde_json::from_value(pod).unwrap()
}

fn connected(names: &[&str]) -> PoolReport {
    let session =
        |name: &&str| PodReport { name: (*name).to_owned(), uid: (*name).to_owned(), busy: 1, takes_calls: true };
    PoolReport { pods: names.iter().map(session).collect(), ..PoolReport::default() }
}

fn closed() -> HashSet<String> {
    HashSet::from(["closed".to_owned()])
}

fn seen(deployment: &Deployment, pods: &[Pod], report: Option<&PoolReport>) -> View {
    view_of(deployment, pods.iter(), &closed(), report)
}

fn stage(deployed: &Deployment, pods: &[Pod], report: &PoolReport) -> Stage {
    decide(&seen(deployed, pods, Some(report)), None).stage
}

#[test]
fn a_substitute_counts_when_the_kubelet_calls_it_ready_and_it_is_connected() {
    let raised = deployment(2, Some("1"));
    let pods = |ready| [pod("old", "closed", false, true), pod("new", "open", false, ready)];
    assert_eq!(stage(&raised, &pods(false), &connected(&["old", "new"])), Stage::Substituting, "not ready yet");
    assert_eq!(stage(&raised, &pods(true), &connected(&["old"])), Stage::Substituting, "not connected yet");
    assert_eq!(stage(&raised, &pods(true), &connected(&["old", "new"])), Stage::GivingWay);
    let mut draining = connected(&["old", "new"]);
    draining.pods[1].takes_calls = false;
    assert_eq!(stage(&raised, &pods(true), &draining), Stage::Substituting, "it takes no calls");
}

#[test]
fn a_pod_that_is_told_to_go_is_not_elsewhere_although_it_has_a_session() {
    let raised = deployment(2, Some("1"));
    let pods = [pod("old", "closed", false, true), pod("new", "open", true, true)];
    let view = seen(&raised, &pods, Some(&connected(&["old", "new"])));
    assert_eq!(view.members.len(), 1);
    assert_eq!(decide(&view, None).stage, Stage::Substituting);
    let gone = [pod("old", "closed", true, true), pod("new", "open", false, true)];
    assert_eq!(stage(&deployment(1, None), &gone, &connected(&["old", "new"])), Stage::Left, "nor on the closed node");
}

#[test]
fn nobody_connected_is_nobody_up() {
    let pods = [pod("old", "closed", false, true), pod("new", "open", false, true)];
    let view = seen(&deployment(2, Some("1")), &pods, None);
    assert!(decide(&view, None).one_more, "while the API is away the one more stays");
}

#[test]
fn a_new_leader_keeps_the_one_more_until_it_has_seen_nodes_pods_and_sessions() {
    let (new_leader, pool) = (Substitutes::default(), PoolId::pooled("a", "t"));
    let (raised, plain) = (deployment(4, Some("3")), deployment(3, None));
    assert_eq!(new_leader.of(&pool, Some(&raised)), Some(Substitute::Kept(true)));
    assert_eq!(new_leader.of(&pool, Some(&plain)), None);
    assert!(Substitute::Kept(true).one_more(false), "whatever the quota says: it exists");
    let pods = [pod("1", "closed", false, true), pod("2", "open", false, true), pod("3", "open", false, true)];
    let view = seen(&raised, &pods, Some(&connected(&["1", "2", "3"])));
    new_leader.decide(&BTreeMap::from([(pool.clone(), view)]));
    let decided = new_leader.of(&pool, Some(&raised)).unwrap();
    assert!(matches!(decided, Substitute::Decided(Decision { one_more: true, stage: Stage::Substituting, .. })));
    new_leader.decide(&BTreeMap::new());
    assert_eq!(new_leader.of(&pool, Some(&raised)), None, "now it is known that nothing is left to do");
}

#[test]
fn only_pools_about_which_something_else_is_decided_are_looked_at_again() {
    let (substitutes, pool) = (Substitutes::default(), PoolId::pooled("a", "t"));
    let views = |pods: &[Pod]| {
        let view = seen(&deployment(1, None), pods, Some(&connected(&["old"])));
        BTreeMap::from([(pool.clone(), view)])
    };
    let old = [pod("old", "closed", false, true)];
    let only = std::slice::from_ref(&pool);
    assert_eq!(substitutes.decide(&views(&old)), only);
    assert!(substitutes.decide(&views(&old)).is_empty());
    assert_eq!(substitutes.decide(&BTreeMap::new()), only, "the node was opened");
    assert!(substitutes.decide(&BTreeMap::new()).is_empty());
}

#[test]
fn people_hear_of_every_step_once() {
    let (substitutes, pool) = (Substitutes::default(), PoolId::pooled("a", "t"));
    let heard = |stage| substitutes.is_news(&pool, stage);
    assert!(!heard(Stage::Left), "nothing happened");
    assert!(heard(Stage::Substituting) && !heard(Stage::Substituting));
    assert!(heard(Stage::GivingWay) && !heard(Stage::Settling) && !heard(Stage::GivingWay));
    assert!(heard(Stage::Left) && !heard(Stage::Left));
}
