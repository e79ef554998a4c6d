//! One pod more while pods leave a closed node: what is written, what is said, and what it is not taken for.

use std::time::Instant;

use voxplane_crds::names::PoolId;
use voxplane_crds::tenant::GpuQuota;

use super::*;
use crate::pool::closed_nodes::{Decision, Stage};
use crate::pool::replicas;
use crate::pool::substitutes::Substitute;

const ASKED: Decision = Decision { one_more: true, stage: Stage::Substituting, leaving: 2 };

fn with(mut seen: Observed, substitute: Substitute) -> Observed {
    seen.substitutes.insert(PoolId::pooled_in(NAMESPACE), substitute);
    seen
}

fn deployment(seen: &Observed) -> Deployment {
    build::all(&validate::check(&seen.agents[0], seen).unwrap()).deployment
}

fn programmed(seen: &Observed) -> String {
    let plan = validate::check(&seen.agents[0], seen);
    let status = status::compute(&seen.agents[0], seen, &plan, now());
    voxplane_crds::conditions::find(&status.conditions, types::PROGRAMMED).unwrap().message.clone()
}

#[test]
fn the_deployment_gets_one_pod_more_and_says_how_many_were_asked_for() {
    let three = || seen(vec![agent(NAMESPACE, "a", "{runtime: {replicas: 3}}")]);
    let raised = with(three(), Substitute::Decided(ASKED));
    let made = deployment(&raised);
    assert_eq!(made.spec.as_ref().unwrap().replicas, Some(4));
    assert_eq!((replicas::wanted(&made), replicas::has_one_more(&made)), (Some(3), true));
    assert!(programmed(&raised).contains("2 pods are on nodes that take no new ones"), "{}", programmed(&raised));
    let given_back = Decision { one_more: false, stage: Stage::GivingWay, ..ASKED };
    let made = deployment(&with(three(), Substitute::Decided(given_back)));
    assert_eq!((made.spec.as_ref().unwrap().replicas, replicas::has_one_more(&made)), (Some(3), false));
    assert_eq!(deployment(&three()).metadata.annotations, made.metadata.annotations, "nothing of it stays");
}

#[test]
fn what_is_not_known_changes_nothing() {
    let kept = with(seen(vec![agent(NAMESPACE, "a", "{}")]), Substitute::Kept(true));
    assert_eq!(deployment(&kept).spec.unwrap().replicas, Some(2));
    let none = with(seen(vec![agent(NAMESPACE, "a", "{runtime: {replicas: 0}}")]), Substitute::Kept(true));
    assert_eq!(deployment(&none).spec.unwrap().replicas, Some(0), "a pool that should have none has none");
}

#[test]
fn the_one_more_is_not_taken_for_a_wish() {
    let members = [agent(NAMESPACE, "b", "{}")];
    let mut leaving = agent(NAMESPACE, "a", "{runtime: {placement: Dedicated}}");
    leaving.status.get_or_insert_default().pool = Some(format!("{NAMESPACE}/voxplane-runtime"));
    let mut seen = with(seen([members.to_vec(), vec![leaving]].concat()), Substitute::Decided(ASKED));
    seen.deployment = Some(replicas::tests::deployment(3, Some("2")));
    let made = deployment(&seen);
    assert_eq!((replicas::wanted(&made), made.spec.unwrap().replicas), (Some(2), Some(3)), "two stay two");
    let agents = pool::by_age(&members);
    let scaled = agent(NAMESPACE, "s", "{runtime: {scaling: {mode: Operator, min: 1}}}");
    let quotas = &seen.home.as_ref().unwrap().tenant.spec.quotas;
    let pool = PoolId::pooled_in(NAMESPACE);
    let policy = scaling::policy(&[agents[0], &scaled], &pool, 4, quotas, false).unwrap();
    let deployed = seen.deployment.as_ref().and_then(replicas::wanted);
    let verdict = crate::pool::scalers::Scalers::default().decide(&pool, &policy, deployed, Instant::now());
    assert_eq!(verdict.decision.replicas, 2, "a new leader goes on from what was wanted");
}

#[test]
fn without_a_gpu_for_one_more_the_pods_stay_and_the_agent_says_so() {
    let gpus = |count| {
        let gpu = "{runtime: {replicas: 2, gpu: {count: 1}, scaling: {mode: External, max: 10}}}";
        let mut seen = with(seen(vec![agent(NAMESPACE, "a", gpu)]), Substitute::Decided(ASKED));
        seen.home.as_mut().unwrap().tenant.spec.quotas.gpus =
            vec![GpuQuota { resource_name: "nvidia.com/gpu".to_owned(), count }];
        seen
    };
    assert_eq!(deployment(&gpus(3)).spec.unwrap().replicas, Some(3));
    assert_eq!(deployment(&gpus(2)).spec.unwrap().replicas, Some(2));
    assert!(
        programmed(&gpus(2)).contains("spec.quotas.gpus has no \"nvidia.com/gpu\" left"),
        "{}",
        programmed(&gpus(2))
    );
    let plan = validate::check(&gpus(2).agents[0], &gpus(2)).unwrap();
    let note = events::of_closed_nodes(&plan.pool.closed_nodes.unwrap()).unwrap();
    assert_eq!(note.reason, "NoRoomForSubstitute");
}

#[test]
fn a_closed_node_is_no_domain_of_a_strict_spread() {
    let policies = |runtime: &str| {
        let made = deployment(&seen(vec![agent(NAMESPACE, "a", runtime)]));
        let constraints = made.spec.unwrap().template.spec.unwrap().topology_spread_constraints.unwrap();
        constraints.iter().map(|one| one.node_taints_policy.clone()).collect::<Vec<_>>()
    };
    let honor = Some("Honor".to_owned());
    assert_eq!(policies("{}"), [None], "pods of existing pools are not replaced for it");
    let strict = "{runtime: {topologySpread: {over: Host, whenUnsatisfiable: DoNotSchedule}}}";
    assert_eq!(policies(strict), std::slice::from_ref(&honor));
    let zones = "{runtime: {topologySpread: {over: Zone, whenUnsatisfiable: DoNotSchedule}}}";
    assert_eq!(policies(zones), [honor, None]);
}

#[test]
fn people_hear_what_happens() {
    let reason = |stage| events::of_closed_nodes(&Decision { stage, ..ASKED }).map(|note| note.reason);
    assert_eq!(reason(Stage::Substituting), Some("SubstituteStarted"));
    assert_eq!(reason(Stage::GivingWay), Some("PodGivesWay"));
    assert_eq!(reason(Stage::Left), Some("NodesLeft"));
    assert_eq!(reason(Stage::Settling), None);
}
