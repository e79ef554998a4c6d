//! Agents that inherit: whose keys they get, what they may not do with them, and what their pods need.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use voxplane_crds::VoiceAgent;
use voxplane_crds::conditions::{reasons, types};

use super::super::observe::Observed;
use super::super::{credentials, status, validate};
use super::{CLOUD, NAMESPACE, made, secret, seen};
use crate::testing::{agent, condition, now};

const ADDRESS: &str = "https://llm.example.com/v1";

/// What an agency writes to give all its agents a language model.
fn model(address: &str) -> serde_json::Value {
    serde_json::json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": address,
                               "secretRef": {"name": "llm-key"}}})
}

fn inheriting(agents: Vec<VoiceAgent>) -> Observed {
    let mut seen = seen(agents);
    seen.home.as_mut().unwrap().agency.spec.defaults = serde_json::from_value(model(ADDRESS)).unwrap();
    seen.secrets = keys("agency_llm-key", "sk-agency");
    seen
}

fn keys(credential: &str, key: &str) -> BTreeMap<String, Secret> {
    let data = [("api-key", key), ("allowed-endpoints", ADDRESS)];
    let (_, secret) = secret("llm-key", "openai-compatible", &data);
    BTreeMap::from([(credential.to_owned(), secret)])
}

fn names_of_keys(seen: &Observed) -> Vec<String> {
    validate::check(&seen.agents[0], seen).unwrap().pool.keys.into_keys().collect()
}

#[test]
fn an_inherited_key_comes_under_a_name_that_no_tenant_can_write() {
    let mut seen = inheriting(vec![agent(NAMESPACE, "a", "{}"), agent(NAMESPACE, "own", CLOUD)]);
    seen.secrets.extend(keys("llm-key", "sk-tenant"));
    assert_eq!(names_of_keys(&seen), ["agency_llm-key", "llm-key"]);
    let files = credentials::data(&validate::check(&seen.agents[0], &seen).unwrap().pool.keys);
    assert_eq!((&*files["agency_llm-key"].0, &*files["llm-key"].0), (&b"sk-agency"[..], &b"sk-tenant"[..]));
}

#[test]
fn an_agent_with_a_model_of_its_own_does_not_get_the_agencys_key() {
    // The same name of Secret, another address: it is looked for in the tenant's namespace, where there is none.
    let redirected = CLOUD.replace("llm.example.com", "evil.example.com");
    let seen = inheriting(vec![agent(NAMESPACE, "a", &redirected)]);
    assert_eq!(names_of_keys(&seen), Vec::<String>::new());
    let plan = validate::check(&seen.agents[0], &seen);
    let status = status::compute(&seen.agents[0], &seen, &plan, now());
    assert_eq!(condition(&status, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
}

#[test]
fn a_default_that_sends_a_key_where_its_secret_does_not_allow_it_is_refused() {
    let mut seen = inheriting(vec![agent(NAMESPACE, "a", "{}")]);
    let tenant = &mut seen.home.as_mut().unwrap().tenant;
    tenant.spec.defaults = serde_json::from_value(model("https://evil.example.com/v1")).unwrap();
    let problem = validate::check(&seen.agents[0], &seen).unwrap().unresolved.unwrap();
    assert_eq!(problem.reason, reasons::REF_NOT_PERMITTED);
    let (field, address) = ("the tenant's spec.defaults.llm.secretRef", "the tenant's spec.defaults.llm.baseUrl");
    assert!(problem.message.starts_with(field) && problem.message.contains(address), "{}", problem.message);
    assert_eq!(names_of_keys(&seen), Vec::<String>::new());
}

#[test]
fn a_missing_secret_of_the_agency_names_the_agencys_field() {
    let mut seen = inheriting(vec![agent(NAMESPACE, "a", "{}")]);
    seen.secrets.clear();
    let problem = validate::check(&seen.agents[0], &seen).unwrap().unresolved.unwrap();
    assert_eq!(
        problem.message,
        "the agency's spec.defaults.llm.secretRef: there is no Secret \"llm-key\" in the agency's namespace"
    );
}

#[test]
fn what_agents_inherit_restarts_no_pod_until_calls_may_last_longer() {
    let plain = made(vec![agent(NAMESPACE, "a", "{}")]).deployment;
    let deployment = |defaults: serde_json::Value| {
        let mut seen = seen(vec![agent(NAMESPACE, "a", "{}")]);
        seen.home.as_mut().unwrap().tenant.spec.defaults = serde_json::from_value(defaults).unwrap();
        super::build::all(&validate::check(&seen.agents[0], &seen).unwrap()).deployment
    };
    let spoken = serde_json::json!({"greeting": {"text": "Hi"}, "tts": {"voice": "rms"}, "language": "de-DE",
                                    "limits": {"maxDurationSeconds": 1_900}});
    assert!(deployment(spoken) == plain);
    let longer = deployment(serde_json::json!({"limits": {"maxDurationSeconds": 7_200}}));
    let grace = longer.spec.unwrap().template.spec.unwrap().termination_grace_period_seconds.unwrap();
    assert!(grace > 7_200);
}

#[test]
fn the_agent_that_answers_when_it_is_closed_must_exist() {
    let day = agent(NAMESPACE, "day", "{closed: {agentRef: {name: night}}}");
    let unresolved = |agents| {
        let seen = seen(agents);
        validate::check(&seen.agents[0], &seen).unwrap().unresolved
    };
    let problem = unresolved(vec![day.clone()]).unwrap();
    assert_eq!(problem.reason, reasons::REF_NOT_FOUND);
    assert_eq!(problem.message, "spec.closed.agentRef: there is no VoiceAgent \"night\" in this namespace");
    assert!(unresolved(vec![day, agent(NAMESPACE, "night", "{}")]).is_none());
}
