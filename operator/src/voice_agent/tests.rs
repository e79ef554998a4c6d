//! The pool that is made for a tenant's agents, the keys it gets, and what is said about an agent.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use proptest::prelude::*;
use uuid::Uuid;
use voxplane_crds::conditions::{reasons, types};
use voxplane_crds::{VoiceAgent, labels};

use super::observe::Observed;
use super::{build, credentials, events, membership, pool, scaling, scheduling, status, validate};
use crate::config::{PullPolicy, RuntimeSettings};
use crate::identity::Identity;
use crate::pool::PoolReport;
use crate::testing::{agent, condition, home, now};

mod canary;
mod closed_nodes;
mod inheritance;
mod placement;
mod pods;

const NAMESPACE: &str = "vx-brightline--dental-clinic";

fn seen(agents: Vec<VoiceAgent>) -> Observed {
    Observed {
        home: Ok(home("brightline", "dental-clinic")),
        identity: Some(Identity::Registered(Uuid::from_u128(0xc))),
        agents,
        secrets: BTreeMap::new(),
        missing_knowledge: Vec::new(),
        deployment: None,
        report: None,
        canary: None,
        former: None,
        scaling: None,
        substitutes: BTreeMap::new(),
        database_problem: None,
        runtime: RuntimeSettings {
            image: "voxplane/agent-runtime:dev".to_owned(),
            pull_policy: PullPolicy::Never,
            control_url: "https://voxplane-api.voxplane-system.svc:9443".to_owned(),
            livekit_probe_url: Some("ws://livekit:7880".to_owned()),
        },
    }
}

fn made(agents: Vec<VoiceAgent>) -> build::Desired {
    let seen = seen(agents);
    build::all(&validate::check(&seen.agents[0], &seen).unwrap())
}

fn secret(name: &str, provider: &str, data: &[(&str, &str)]) -> (String, Secret) {
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(labels::PROVIDER.to_owned(), provider.to_owned())].into()),
            ..ObjectMeta::default()
        },
        type_: Some(labels::CREDENTIALS_SECRET_TYPE.to_owned()),
        data: Some(
            data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect(),
        ),
        ..Secret::default()
    };
    (name.to_owned(), secret)
}

const CLOUD: &str = "{llm: {provider: openai-compatible, model: m, baseUrl: 'https://llm.example.com/v1', \
                     secretRef: {name: llm-key}}}";

fn llm_key(endpoints: &str) -> BTreeMap<String, Secret> {
    BTreeMap::from([secret("llm-key", "openai-compatible", &[("api-key", "sk-1"), ("allowed-endpoints", endpoints)])])
}

#[test]
fn everything_that_is_made() {
    insta::assert_yaml_snapshot!(made(vec![agent(NAMESPACE, "receptionist", "{}")]));
}

#[test]
fn the_pool_serves_the_most_demanding_agent() {
    let small = agent(NAMESPACE, "small", "{runtime: {replicas: 1, callsPerReplica: 8}}");
    let large = agent(NAMESPACE, "large", "{runtime: {replicas: 3}, limits: {maxDurationSeconds: 7200}}");
    let shape = pool::shape(&[&small, &large], &home("brightline", "dental-clinic"), "platform");
    assert_eq!((shape.replicas, shape.calls_per_replica, shape.image.as_str()), (3, 8, "platform"));
    assert!(shape.grace_seconds >= 7200 + pool::DRAIN_MARGIN_SECONDS);
}

#[test]
fn what_an_agent_says_restarts_no_pod() {
    let plain = made(vec![agent(NAMESPACE, "a", "{}")]).deployment;
    let talkative = agent(
        NAMESPACE,
        "a",
        "{greeting: {text: Hi}, prompt: {system: Be kind}, persona: p, paused: true, language: de-DE, \
         goodbye: {message: Bye}, vad: {preset: Noisy}, stt: {options: {phrases: [yes]}}, \
         limits: {maxDurationSeconds: 1900}}",
    );
    assert!(made(vec![talkative]).deployment == plain);
    let mut with_keys = seen(vec![agent(NAMESPACE, "a", CLOUD)]);
    with_keys.secrets = llm_key("https://llm.example.com/v1");
    let desired = build::all(&validate::check(&with_keys.agents[0], &with_keys).unwrap());
    assert!(desired.deployment.spec == plain.spec, "keys rotate by file");
    assert!(desired.credentials.data.unwrap().contains_key("llm-key"));
}

#[test]
fn two_images_cannot_share_a_pool_and_the_older_agent_wins() {
    let mut older = agent(NAMESPACE, "z", "{runtime: {image: 'r:1'}}");
    older.metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time("2026-01-01T00:00:00Z".parse().unwrap()));
    let younger = agent(NAMESPACE, "a", "{runtime: {image: 'r:2'}}");
    let seen = seen(vec![younger.clone(), older.clone()]);
    assert_eq!(validate::check(&younger, &seen).unwrap_err().reason, reasons::INVALID);
    assert_eq!(validate::check(&older, &seen).unwrap().pool.shape.image, "r:1");
}

#[test]
fn a_secret_is_used_only_if_it_is_meant_to_be_and_its_key_goes_nowhere_else() {
    let (home, agent) = (home("brightline", "dental-clinic"), agent(NAMESPACE, "a", CLOUD));
    let settings = home.effective(&agent);
    let reason = |secrets: &BTreeMap<String, Secret>| {
        credentials::permitted(&settings, secrets).map_err(|problem| problem.reason)
    };
    assert_eq!(reason(&BTreeMap::new()).unwrap_err(), reasons::REF_NOT_FOUND);
    assert!(reason(&llm_key("https://other.example.com/v1\nhttps://llm.example.com/v1/\n")).is_ok());
    assert_eq!(reason(&llm_key("https://llm.example.com/v10")).unwrap_err(), reasons::REF_NOT_PERMITTED);
    assert_eq!(reason(&llm_key("")).unwrap_err(), reasons::REF_NOT_PERMITTED);
    let mut opaque = llm_key("https://llm.example.com/v1");
    opaque.get_mut("llm-key").unwrap().type_ = Some("Opaque".to_owned());
    assert_eq!(reason(&opaque).unwrap_err(), reasons::REF_NOT_PERMITTED);
    let (name, other) =
        secret("llm-key", "flite", &[("api-key", "k"), ("allowed-endpoints", "https://llm.example.com/v1")]);
    assert_eq!(reason(&BTreeMap::from([(name, other)])).unwrap_err(), reasons::REF_NOT_PERMITTED);
}

#[test]
fn one_agents_missing_secret_takes_no_keys_from_the_others() {
    let good = agent(NAMESPACE, "good", CLOUD);
    let bad = agent(NAMESPACE, "bad", &CLOUD.replace("llm-key", "missing"));
    let mut seen = seen(vec![good, bad.clone()]);
    seen.secrets = llm_key("https://llm.example.com/v1");
    let plan = validate::check(&bad, &seen);
    let valid = plan.as_ref().unwrap();
    assert!(credentials::data(&valid.pool.keys).contains_key("llm-key"));
    let status = status::compute(&bad, &seen, &plan, now());
    assert_eq!(condition(&status, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::REF_NOT_FOUND.into()));
}

#[test]
fn the_hash_changes_with_every_part_of_the_set_and_hides_it() {
    let (home, agent) = (home("brightline", "dental-clinic"), agent(NAMESPACE, "a", CLOUD));
    let spec = home.effective(&agent);
    let hash = |secrets: &BTreeMap<String, Secret>| credentials::hash(&credentials::permitted(&spec, secrets).unwrap());
    let base = hash(&llm_key("https://llm.example.com/v1"));
    assert_ne!(base, hash(&llm_key("https://llm.example.com/v1\nhttps://b.example.com")));
    let rotated = secret(
        "llm-key",
        "openai-compatible",
        &[("api-key", "sk-2"), ("allowed-endpoints", "https://llm.example.com/v1")],
    );
    assert_ne!(base, hash(&BTreeMap::from([rotated])));
    assert_eq!(base.len(), 32);
    assert!(!format!("{:?}", credentials::permitted(&spec, &llm_key("https://llm.example.com/v1"))).contains("sk-1"));
}

fn ready(agent: &VoiceAgent, seen: &Observed) -> (String, String) {
    condition(&status::compute(agent, seen, &validate::check(agent, seen), now()), types::READY)
}

#[test]
fn an_agent_is_ready_when_a_connected_pod_has_its_keys() {
    let agent = agent(NAMESPACE, "a", "{}");
    let mut seen = seen(vec![agent.clone()]);
    assert_eq!(ready(&agent, &seen), ("False".into(), reasons::WAITING_FOR_PODS.into()));
    seen.deployment = Some(Deployment {
        status: Some(DeploymentStatus { replicas: Some(1), ready_replicas: Some(1), ..DeploymentStatus::default() }),
        ..Deployment::default()
    });
    assert_eq!(ready(&agent, &seen), ("False".into(), reasons::WAITING_FOR_PODS.into()));
    let hash = credentials::hash(&credentials::KeySet::new());
    let connected = |hash: String| PoolReport {
        slots: 4,
        busy: 1,
        by_credentials_hash: BTreeMap::from([(hash, 1)]),
        ..PoolReport::default()
    };
    seen.report = Some(connected("of-older-keys".to_owned()));
    assert_eq!(ready(&agent, &seen), ("False".into(), reasons::WAITING_FOR_CREDENTIALS.into()));
    seen.report = Some(connected(hash.clone()));
    assert_eq!(ready(&agent, &seen), ("True".into(), reasons::READY.into()));

    let status = status::compute(&agent, &seen, &validate::check(&agent, &seen), now());
    assert_eq!(status.slots.map(|slots| (slots.ready, slots.busy)), Some((4, 1)));
    assert_eq!((status.replicas, status.ready_replicas, status.credentials_acknowledged), (1, 1, 1));
    assert_eq!(status.credentials_hash, Some(hash));
    assert_eq!(status.pool.as_deref(), Some("vx-brightline--dental-clinic/voxplane-runtime"));
    assert_eq!(
        status.selector.as_deref(),
        Some(
            "voxplane.dev/agency=brightline,voxplane.dev/component=runtime,voxplane.dev/pool=voxplane-runtime,\
             voxplane.dev/tenant=dental-clinic"
        )
    );
}

#[test]
fn pausing_suspension_and_missing_knowledge_are_visible() {
    let paused = agent(NAMESPACE, "a", "{paused: true}");
    assert_eq!(ready(&paused, &seen(vec![paused.clone()])), ("False".into(), reasons::PAUSED.into()));
    let mut suspended = seen(vec![paused.clone()]);
    suspended.home.as_mut().unwrap().tenant.spec.suspended = true;
    assert_eq!(ready(&paused, &suspended), ("False".into(), reasons::SUSPENDED.into()));
    let mut ignorant = seen(vec![paused.clone()]);
    ignorant.missing_knowledge = vec!["faq".to_owned()];
    assert_eq!(ready(&paused, &ignorant), ("False".into(), reasons::REF_NOT_FOUND.into()));
    let mut blind = seen(vec![agent(NAMESPACE, "b", "{}")]);
    blind.database_problem = Some("connection refused".to_owned());
    assert_eq!(ready(&blind.agents[0].clone(), &blind), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
}

proptest! {
    #[test]
    fn every_object_of_a_pool_lies_in_its_tenants_namespace(
        agency in "[a-z0-9](-?[a-z0-9]){0,9}",
        tenant in "[a-z0-9](-?[a-z0-9]){0,14}",
        replicas in 0..=100_i32,
        calls in 1..=100_i32,
        longest in 10..=14_400_i32,
    ) {
        let namespace = voxplane_crds::names::tenant_namespace(&agency, &tenant);
        let spec = format!("{{runtime: {{replicas: {replicas}, callsPerReplica: {calls}}}, \
                            limits: {{maxDurationSeconds: {longest}}}}}");
        let mut seen = seen(vec![agent(&namespace, "a", &spec)]);
        seen.home = Ok(home(&agency, &tenant));
        let desired = build::all(&validate::check(&seen.agents[0], &seen).unwrap());
        let metas = [
            &desired.account.metadata,
            &desired.credentials.metadata,
            &desired.disruption_budget.metadata,
            &desired.deployment.metadata,
        ];
        for meta in metas {
            prop_assert_eq!(meta.namespace.as_deref(), Some(namespace.as_str()));
            let own = meta.labels.as_ref().unwrap();
            prop_assert_eq!(own.get(labels::AGENCY), Some(&agency));
            prop_assert_eq!(own.get(labels::TENANT), Some(&tenant));
        }
        let spec = desired.deployment.spec.unwrap();
        let pod = spec.template.metadata.unwrap().labels.unwrap();
        for (key, value) in spec.selector.match_labels.unwrap() {
            prop_assert_eq!(pod.get(&key), Some(&value));
        }
        // No pod of another tenant can match the disruption budget.
        let budget = desired.disruption_budget.spec.unwrap().selector.unwrap().match_labels.unwrap();
        prop_assert_eq!(budget.get(labels::AGENCY), Some(&agency));
        prop_assert_eq!(budget.get(labels::TENANT), Some(&tenant));
        prop_assert!(spec.template.spec.unwrap().termination_grace_period_seconds.unwrap() > i64::from(longest));
    }
}
