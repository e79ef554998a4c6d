//! An image that is tried on a share of the calls: its pods, its place beside the pool, what is said about it.

use voxplane_crds::names::PoolId;
use voxplane_crds::tenant::GpuQuota;

use super::super::observe::Tried;
use super::*;

const TRIED: &str = "{runtime: {placement: Dedicated, image: 'r:1', replicas: 5, canary: {image: 'r:2', percent: 25}}, llm: {provider: \
     openai-compatible, model: m, baseUrl: 'https://llm.example.com/v1', secretRef: {name: llm-key}}}";

fn tried(runtime: &str) -> Observed {
    let mut seen = seen(vec![agent(NAMESPACE, "night", runtime)]);
    seen.secrets = llm_key("https://llm.example.com/v1");
    seen.canary = Some(Tried::default());
    seen
}

fn all(seen: &Observed) -> build::Desired {
    build::all(&validate::check(&seen.agents[0], seen).unwrap())
}

fn said(seen: &Observed) -> (String, voxplane_crds::VoiceAgentStatus) {
    let plan = validate::check(&seen.agents[0], seen);
    let status = status::compute(&seen.agents[0], seen, &plan, now());
    let programmed = voxplane_crds::conditions::find(&status.conditions, types::PROGRAMMED).unwrap();
    (programmed.message.clone(), status)
}

#[test]
fn a_canary_is_a_pool_of_its_own_with_the_same_keys_under_the_same_guard_rails() {
    let desired = all(&tried(TRIED));
    let canary = desired.canary.as_ref().unwrap();
    let name = |meta: &ObjectMeta| meta.name.clone().unwrap();
    assert_eq!(name(&canary.deployment.metadata), "voxplane-canary-night");
    assert_eq!(name(&canary.account.metadata), "voxplane-canary-night", "the API reads the pool from it");
    assert_eq!(name(&canary.credentials.metadata), "voxplane-canary-night-credentials");
    assert_eq!(canary.credentials.data, desired.credentials.data, "its pods get the same calls");
    let of = |deployment: &Deployment| {
        let spec = deployment.spec.clone().unwrap();
        let pod = spec.template.spec.unwrap();
        (spec.replicas.unwrap(), pod.containers[0].image.clone().unwrap(), spec.selector.match_labels.unwrap())
    };
    let ((pods, image, selector), (tried_pods, tried_image, tried_selector)) =
        (of(&desired.deployment), of(&canary.deployment));
    assert_eq!((pods, image.as_str(), tried_pods, tried_image.as_str()), (5, "r:1", 2, "r:2"));
    assert_ne!(selector, tried_selector, "neither Deployment selects the other's pods");
    let budget = desired.disruption_budget.spec.unwrap().selector.unwrap().match_labels.unwrap();
    let pod = canary.deployment.spec.clone().unwrap().template.metadata.unwrap().labels.unwrap();
    let unmet: Vec<_> = budget.iter().filter(|(key, value)| pod.get(*key) != Some(*value)).collect();
    assert_eq!(unmet, [(&labels::BUSY.to_owned(), &"true".to_owned())], "only calls are missing");
}

#[test]
fn trying_an_image_replaces_no_pod_of_the_pool() {
    let without = tried(&TRIED.replace(", canary: {image: 'r:2', percent: 25}", ""));
    let plain = all(&without);
    assert!(plain.canary.is_none());
    assert!(plain.deployment == all(&tried(TRIED)).deployment);
}

#[test]
fn the_canary_stays_while_it_is_asked_for_and_drains_afterwards() {
    let canary = PoolId::canary_in(NAMESPACE, "night");
    let needed = |spec: &str| membership::needed(&[agent(NAMESPACE, "night", spec)]).contains(&canary);
    assert!(needed(TRIED));
    let promoted = TRIED.replace(", canary: {image: 'r:2', percent: 25}", "").replace("r:1", "r:2");
    assert!(!needed(&promoted), "its pods finish their calls while the pool takes over the image");
    let asked = agent(NAMESPACE, "night", TRIED);
    assert!(membership::may_use(&asked, "voxplane-canary-night") && !membership::may_use(&asked, "voxplane-canary"));
    let member = membership::members(&[&asked], &canary);
    assert_eq!(member.len(), 1, "its shape is the agent's");
}

#[test]
fn an_image_cannot_be_tried_on_a_pool_that_others_share() {
    let pooled = tried("{runtime: {canary: {image: 'r:2'}}}");
    let problem = validate::check(&pooled.agents[0], &pooled).unwrap_err();
    assert_eq!(problem.reason, reasons::INVALID);
    assert!(problem.message.contains("spec.runtime.canary") && problem.message.contains("Dedicated"));
    assert_eq!(membership::canary(&pooled.agents[0]), None);
}

#[test]
fn the_status_shows_both_and_says_where_the_share_goes_meanwhile() {
    let mut seen = tried(TRIED);
    let (message, status) = said(&seen);
    assert!(message.contains("its share of the calls goes to the other pods"), "{message}");
    let canary = status.canary.unwrap();
    assert_eq!((canary.pool.as_str(), canary.slots), ("vx-brightline--dental-clinic/voxplane-canary-night", None));
    seen.canary.as_mut().unwrap().report = Some(PoolReport { slots: 8, busy: 1, ..PoolReport::default() });
    let (message, status) = said(&seen);
    assert!(!message.contains("canary"), "{message}");
    let canary = status.canary.unwrap();
    assert_eq!((canary.image.as_str(), canary.slots.map(|slots| (slots.ready, slots.busy))), ("r:2", Some((8, 1))));
    assert_eq!(status.pool.as_deref(), Some("vx-brightline--dental-clinic/voxplane-runtime-night"));
    let same = said(&tried(&TRIED.replace("r:2", "r:1"))).0;
    assert!(same.contains("leave it out"), "{same}");
}

#[test]
fn the_gpus_of_a_canary_count() {
    let surges = |count| {
        let mut seen = tried(&TRIED.replace("replicas: 5,", "replicas: 5, gpu: {count: 1},"));
        seen.home.as_mut().unwrap().tenant.spec.quotas.gpus =
            vec![GpuQuota { resource_name: "nvidia.com/gpu".to_owned(), count }];
        let valid = validate::check(&seen.agents[0], &seen).unwrap();
        (valid.pool.shape.surges, valid.canary.unwrap().shape.surges)
    };
    assert_eq!(surges(8), (true, true), "five, two that are tried, and one more");
    assert_eq!(surges(7), (false, false));
}
