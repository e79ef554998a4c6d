//! Which pool an agent's calls run on, how they move to another, and by which rules pools are scaled.

use std::time::Instant;

use voxplane_crds::names::PoolId;

use super::super::observe::Former;
use super::*;
use crate::pool::samples::Sample;
use crate::pool::scalers::Scalers;
use crate::pool::scaling::{Headroom, Reason};

const OWN: &str = "{runtime: {placement: Dedicated, replicas: 2, callsPerReplica: 3}}";

fn served_by(mut agent: VoiceAgent, pool: &str) -> VoiceAgent {
    agent.status.get_or_insert_default().pool = Some(format!("{NAMESPACE}/{pool}"));
    agent
}

fn report(slots: i32) -> Option<PoolReport> {
    let by_credentials_hash = BTreeMap::from([(credentials::hash(&credentials::KeySet::new()), 1)]);
    Some(PoolReport { slots, by_credentials_hash, ..PoolReport::default() })
}

fn deployed() -> Option<Deployment> {
    Some(Deployment::default())
}

#[test]
fn a_dedicated_agent_has_a_pool_of_its_own_under_the_same_guard_rails() {
    let mut seen = seen(vec![agent(NAMESPACE, "night", OWN), agent(NAMESPACE, "day", "{runtime: {replicas: 5}}")]);
    let own = build::all(&validate::check(&seen.agents[0], &seen).unwrap());
    seen.agents.reverse();
    let shared = build::all(&validate::check(&seen.agents[0], &seen).unwrap());
    assert_eq!(own.deployment.metadata.name.as_deref(), Some("voxplane-runtime-night"));
    assert_eq!(own.account.metadata.name.as_deref(), Some("voxplane-runtime-night"), "the API reads the pool from it");
    assert_eq!(own.credentials.metadata.name.as_deref(), Some("voxplane-runtime-night-credentials"));
    let spec = own.deployment.spec.as_ref().unwrap();
    assert_eq!(spec.replicas, Some(2));
    assert_eq!(shared.deployment.spec.as_ref().unwrap().replicas, Some(5), "and takes no part in the shared one");
    let pod = spec.template.spec.as_ref().unwrap();
    assert_eq!(pod.service_account_name.as_deref(), Some("voxplane-runtime-night"));
    let env = |name: &str| pod.containers[0].env.iter().flatten().find(|one| one.name == name)?.value.clone();
    assert_eq!(env("VOXPLANE_POOL").as_deref(), Some("vx-brightline--dental-clinic/voxplane-runtime-night"));
    assert_eq!(env("VOXPLANE_SLOTS").as_deref(), Some("3"));
    // No Deployment selects the other's pods; the disruption budget and the network policies select both's.
    let labels_of = |desired: &build::Desired| {
        desired.deployment.spec.as_ref().unwrap().template.metadata.as_ref().unwrap().labels.clone().unwrap()
    };
    let selects = |desired: &build::Desired, pod: &BTreeMap<String, String>| {
        let selector = desired.deployment.spec.as_ref().unwrap().selector.match_labels.clone().unwrap();
        selector.iter().all(|(key, value)| pod.get(key) == Some(value))
    };
    assert!(selects(&own, &labels_of(&own)) && selects(&shared, &labels_of(&shared)));
    assert!(!selects(&own, &labels_of(&shared)) && !selects(&shared, &labels_of(&own)));
    assert!(own.disruption_budget == shared.disruption_budget);
    let budget = own.disruption_budget.spec.clone().unwrap().selector.unwrap().match_labels.unwrap();
    for pod in [labels_of(&own), labels_of(&shared)] {
        let unmet: Vec<_> = budget.iter().filter(|(key, value)| pod.get(*key) != Some(*value)).collect();
        assert_eq!(unmet, [(&labels::BUSY.to_owned(), &"true".to_owned())], "only calls are missing");
        assert_eq!(pod[labels::COMPONENT], labels::COMPONENT_RUNTIME);
    }
}

#[test]
fn calls_move_when_the_new_pool_is_ready_and_not_before() {
    let agent = served_by(agent(NAMESPACE, "night", OWN), "voxplane-runtime");
    let mut seen = seen(vec![agent.clone()]);
    let shared = PoolId::pooled_in(NAMESPACE);
    seen.former = Some(Former { id: shared.clone(), deployment: deployed(), report: report(4) });
    let serving = |seen: &Observed| {
        let plan = validate::check(&agent, seen);
        let status = status::compute(&agent, seen, &plan, now());
        let name = status.pool.clone().unwrap().split_once('/').unwrap().1.to_owned();
        (name, ready(&agent, seen).0, status)
    };
    for slots in [None, Some(0), Some(3), Some(5)] {
        seen.report = slots.and_then(report);
        let (pool, ready, status) = serving(&seen);
        assert_eq!((pool.as_str(), ready.as_str()), ("voxplane-runtime", "True"), "{slots:?} of 6 slots");
        assert_eq!(status.slots.map(|slots| slots.ready), Some(4), "the slots that calls can have");
        let programmed = voxplane_crds::conditions::find(&status.conditions, types::PROGRAMMED).unwrap();
        assert!(programmed.message.contains("of 6 call slots"), "{}", programmed.message);
    }
    let kept = build::all(&validate::check(&agent, &seen).unwrap());
    let left = kept.credentials_left.expect("the pool that still takes calls keeps its keys");
    assert_eq!(left.metadata.name.as_deref(), Some("voxplane-runtime-credentials"));
    assert_eq!(left.metadata.labels.unwrap()[labels::POOL], "voxplane-runtime");
    assert!(membership::needed(&seen.agents).contains(&shared), "and is not taken down");

    seen.report = report(6);
    seen.database_problem = Some("away".to_owned());
    assert_eq!(serving(&seen).0, "voxplane-runtime", "nothing moves on old numbers");
    seen.database_problem = None;
    let (pool, ready, status) = serving(&seen);
    assert_eq!((pool.as_str(), ready.as_str()), ("voxplane-runtime-night", "True"));
    let notes = events::notes(&agent, &seen, &status);
    assert_eq!(notes.iter().map(|note| note.reason).collect::<Vec<_>>(), ["PoolChanged"]);
    let mut moved = agent;
    moved.status = Some(status);
    assert_eq!(membership::former(&moved), None);
    assert!(!membership::needed([&moved]).contains(&shared), "now it may finish its calls and go");
}

#[test]
fn an_agent_that_leaves_takes_its_wishes_along_and_leaves_its_keys_until_it_has_gone() {
    let leaving = served_by(
        agent(NAMESPACE, "a", &CLOUD.replacen('{', "{runtime: {placement: Dedicated, callsPerReplica: 9}, ", 1)),
        "voxplane-runtime",
    );
    let staying = served_by(agent(NAMESPACE, "b", "{runtime: {replicas: 2}}"), "voxplane-runtime");
    let mut seen = seen(vec![staying.clone(), leaving]);
    seen.deployment = Some(
        serde_json::from_value(serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "voxplane-runtime"},
            "spec": {"replicas": 3, "selector": {}, "template": {}},
        }))
        .unwrap(),
    );
    seen.secrets = llm_key("https://llm.example.com/v1");
    let shared = validate::check(&staying, &seen).unwrap().pool;
    assert_eq!((shared.shape.calls_per_replica, shared.shape.replicas), (4, 3), "no smaller while it is being left");
    assert!(credentials::data(&shared.keys).contains_key("llm-key"), "its calls still run here");
    seen.agents[1].status.as_mut().unwrap().pool = Some(format!("{NAMESPACE}/voxplane-runtime-a"));
    let shared = validate::check(&staying, &seen).unwrap().pool;
    assert!(!credentials::data(&shared.keys).contains_key("llm-key"), "and now nowhere near it");
    assert_eq!(shared.shape.replicas, 2);
}

#[test]
fn a_status_cannot_point_anywhere_else() {
    for stranger in ["voxplane-runtime-other", "something", ""] {
        assert_eq!(membership::former(&served_by(agent(NAMESPACE, "a", "{}"), stranger)), None, "{stranger}");
    }
    let mut foreign = agent(NAMESPACE, "a", "{}");
    foreign.status.get_or_insert_default().pool = Some("vx-other--tenant/voxplane-runtime-a".to_owned());
    assert_eq!(membership::former(&foreign), None);
}

fn policy(seen: &Observed) -> Option<crate::pool::scaling::Policy> {
    let agents = pool::by_age(&seen.agents);
    let quotas = &seen.home.as_ref().unwrap().tenant.spec.quotas;
    let suspended = seen.home.as_ref().unwrap().suspension().is_some();
    scaling::policy(&agents, &PoolId::pooled_in(NAMESPACE), 4, quotas, suspended)
}

#[test]
fn the_operator_scales_only_where_it_is_told_to() {
    assert_eq!(policy(&seen(vec![agent(NAMESPACE, "a", "{}")])), None);
    assert_eq!(policy(&seen(vec![agent(NAMESPACE, "a", "{runtime: {scaling: {max: 9}}}")])), None, "External");
    let own = "{runtime: {placement: Dedicated, scaling: {mode: Operator}}}";
    assert_eq!(policy(&seen(vec![agent(NAMESPACE, "a", own)])), None, "not this pool");
    let plain = policy(&seen(vec![agent(NAMESPACE, "a", "{runtime: {scaling: {mode: Operator}}}")])).unwrap();
    assert_eq!((plain.min, plain.max, plain.warm_minimum, plain.headroom), (1, 10, 1, Headroom::Percent(25)));
    assert_eq!(plain.ceiling().0, 3, "ten calls of the tenant fit on three pods");
}

#[test]
fn a_shared_pool_takes_the_largest_wish() {
    let shared = policy(&seen(vec![
        agent(
            NAMESPACE,
            "a",
            "{runtime: {scaling: {mode: Operator, min: 2, max: 4, headroomSlots: 3, warmMinimum: 0}}}",
        ),
        agent(NAMESPACE, "b", "{paused: true, runtime: {scaling: {mode: Operator, max: 6, stabilisationSeconds: 60}}}"),
    ]))
    .unwrap();
    assert_eq!((shared.min, shared.max, shared.warm_minimum, shared.headroom), (2, 6, 1, Headroom::Slots(3)));
    assert_eq!(shared.stabilisation.as_secs(), 300);
    assert!(shared.is_open);
    let mixed = policy(&seen(vec![
        agent(NAMESPACE, "a", "{paused: true, runtime: {scaling: {mode: Operator}}}"),
        agent(NAMESPACE, "b", "{paused: true, runtime: {replicas: 3}}"),
    ]))
    .unwrap();
    assert_eq!((mixed.min, mixed.is_open), (3, false), "who writes a number gets it");
}

#[test]
fn the_deployment_gets_what_was_decided_and_the_agent_says_why() {
    let agent = agent(NAMESPACE, "a", "{runtime: {replicas: 1, scaling: {mode: Operator}}}");
    let mut seen = seen(vec![agent.clone()]);
    let (scalers, pool, start) = (Scalers::default(), PoolId::pooled_in(NAMESPACE), Instant::now());
    let policy = policy(&seen).unwrap();
    scalers.decide(&pool, &policy, Some(1), start);
    scalers.record(&pool, Sample { busy: 4, slots: 4, is_complete: true }, start);
    seen.scaling = Some(scalers.decide(&pool, &policy, Some(1), start));
    let plan = validate::check(&agent, &seen);
    let deployment = build::all(plan.as_ref().unwrap()).deployment;
    assert_eq!(deployment.spec.unwrap().replicas, Some(2));
    let status = status::compute(&agent, &seen, &plan, now());
    let scaling = status.scaling.clone().unwrap();
    assert_eq!((scaling.desired, scaling.current, scaling.reason.as_str()), (2, 0, Reason::MoreCalls.as_str()));
    let notes = events::notes(&agent, &seen, &status);
    assert_eq!(notes[0].reason, "ScaledUp");
    assert!(notes[0].message.contains("from 1 to 2 pods") && notes[0].message.contains("4 calls"), "{notes:?}");
    seen.scaling = Some(scalers.decide(&pool, &policy, Some(1), start));
    assert!(events::notes(&agent, &seen, &status).is_empty(), "said once");
}
