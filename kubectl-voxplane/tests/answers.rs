//! What the commands answer, from objects as a cluster has them.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kubectl_voxplane::call::{self, Platform, Preflight};
use kubectl_voxplane::explain::{self, Explanation};
use kubectl_voxplane::paper::Paper;
use kubectl_voxplane::status::{self, Report};
use kubectl_voxplane::world::{Kind, Scope, World};
use serde::Deserialize as _;
use serde_json::{Value, json};

fn world(fixture: &str) -> World {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{fixture}.yaml"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut world = World::default();
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let object = Value::deserialize(document).unwrap();
        if object["kind"] == "Pod" {
            world.pods.push(serde_json::from_value(object).unwrap());
            continue;
        }
        let objects: &mut Vec<DynamicObject> = match object["kind"].as_str().unwrap() {
            "Agency" => &mut world.agencies,
            "Tenant" => &mut world.tenants,
            "KnowledgeBase" => &mut world.bases,
            "VoiceAgent" => &mut world.agents,
            "PhoneNumber" => &mut world.numbers,
            other => panic!("unknown kind {other}"),
        };
        objects.push(serde_json::from_value(object).unwrap());
    }
    world
}

fn now() -> Timestamp {
    "2026-11-21T11:00:00Z".parse().unwrap()
}

fn platform() -> Platform {
    Platform { sip_address: Some("sip.example.com:5060".to_owned()), api_ready: Some(2) }
}

fn status_text(world: &World, width: Option<usize>) -> String {
    status::render(&Report::of(world, now()), &Paper::plain(width))
}

#[test]
fn status_of_what_is_well() {
    let report = Report::of(&world("healthy"), now());
    assert!(!report.is_broken(), "a paused agent is not broken");
    insta::assert_snapshot!(status_text(&world("healthy"), None));
}

#[test]
fn status_of_what_is_broken_says_it_first_causes_before_consequences() {
    let report = Report::of(&world("broken"), now());
    assert!(report.is_broken());
    let order: Vec<_> = report.broken.iter().map(status::Problem::title).collect();
    assert_eq!(
        order,
        [
            "Pod vx-brightline--shop/voxplane-runtime-7b8f-aaaaa",
            "VoiceAgent vx-brightline--shop/clerk",
            "PhoneNumber vx-brightline--shop/second",
            "PhoneNumber default/lost",
        ],
        "the number that only waits for its agent is no problem of its own"
    );
    insta::assert_snapshot!(status_text(&world("broken"), Some(100)));
}

#[test]
fn status_as_data() {
    insta::assert_yaml_snapshot!(Report::of(&world("broken"), now()));
}

#[test]
fn status_fits_every_width() {
    for fixture in ["healthy", "broken"] {
        for width in 1..140 {
            for line in status_text(&world(fixture), Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn who_may_read_little_sees_what_there_is_and_is_told_what_is_not_shown() {
    let mut world = world("healthy");
    world.narrow(&Scope::of_namespace("vx-brightline--dental-clinic").unwrap());
    world.agencies.clear();
    world.tenants.clear();
    world.pods.clear();
    world.hidden = [Kind::Agency, Kind::Tenant, Kind::Pod].into();
    let report = Report::of(&world, now());
    assert!(!report.is_broken(), "not to be allowed to read something does not make it broken");
    insta::assert_snapshot!(status_text(&world, None));
}

#[test]
fn an_agency_that_is_gone_before_its_things_is_a_problem() {
    let mut world = world("healthy");
    world.agencies.clear();
    let report = Report::of(&world, now());
    assert_eq!(report.broken.first().map(status::Problem::title).as_deref(), Some("Agency brightline"));
}

#[test]
fn pods_stand_below_the_pool_that_they_belong_to() {
    let mut world = world("healthy");
    let mut own = world.pods[0].clone();
    own.metadata.name = Some("voxplane-runtime-night-desk-1".to_owned());
    own.metadata.labels.as_mut().unwrap().extend([
        ("voxplane.dev/pool".to_owned(), "voxplane-runtime-night-desk".to_owned()),
        ("voxplane.dev/busy".to_owned(), "false".to_owned()),
    ]);
    world.pods.push(own);
    let night = world.agents.iter_mut().find(|agent| agent.metadata.name.as_deref() == Some("night-desk")).unwrap();
    night.data["status"]["pool"] = json!("vx-brightline--dental-clinic/voxplane-runtime-night-desk");
    night.data["status"]["slots"] = json!({"ready": 8, "busy": 0});
    let text = status_text(&world, None);
    let tail: Vec<&str> = text.lines().rev().take(4).collect();
    assert!(tail[3].contains("Pool voxplane-runtime ") && tail[3].contains("1 of 4 slots busy"), "{text}");
    assert!(tail[2].contains("Pod voxplane-runtime-5d9c-x2x4v") && tail[2].contains("carries calls"), "{text}");
    assert!(tail[1].contains("Pool voxplane-runtime-night-desk") && tail[1].contains("0 of 8 slots busy"), "{text}");
    assert!(tail[0].contains("Pod voxplane-runtime-night-desk-1") && tail[0].contains("idle"), "{text}");
}

#[test]
fn an_empty_cluster_says_how_to_begin() {
    insta::assert_snapshot!(status_text(&World::default(), None), @"There is nothing here yet. Begin with an Agency; `kubectl explain agency.spec` has its fields.");
}

#[test]
fn a_scope_leaves_out_what_is_not_in_it() {
    let mut narrowed = world("broken");
    narrowed.narrow(&Scope::Agency("brightline".to_owned()));
    assert_eq!(narrowed.numbers.len(), 2, "the number in the namespace default belongs to nobody");
    let mut other = world("broken");
    other.narrow(&Scope::Agency("other".to_owned()));
    assert!(other.agencies.is_empty() && other.tenants.is_empty() && other.agents.is_empty() && other.pods.is_empty());
}

fn explanation(fixture: &str, agent: &str) -> Explanation {
    let world = world(fixture);
    let agent = world.agents.iter().find(|found| found.metadata.name.as_deref() == Some(agent)).unwrap();
    Explanation::of(agent, &world, now())
}

#[test]
fn explain_shows_values_and_where_they_come_from() {
    insta::assert_snapshot!(explain::render(&explanation("healthy", "receptionist"), &Paper::plain(None)));
}

#[test]
fn explain_as_data() {
    let explanation = serde_json::to_value(explanation("healthy", "receptionist")).unwrap();
    let field = |path: &str| {
        let fields = explanation["fields"].as_array().unwrap();
        fields.iter().find(|field| field["path"] == path).unwrap_or_else(|| panic!("no field {path}")).clone()
    };
    let greeting = field("spec.greeting.text");
    assert_eq!((&greeting["source"], &greeting["manager"]), (&json!("spec"), &json!("kubectl")));
    let persona = field("spec.persona");
    assert_eq!((&persona["source"], &persona["manager"]), (&json!("spec"), &json!("voxplane-api")));
    assert_eq!(field("spec.goodbye.message")["source"], "default");
    // Applied, although it equals the default.
    assert_eq!(field("spec.llm.provider")["source"], "spec");
    let fact = |name: &str| {
        let facts = explanation["effective"].as_array().unwrap();
        facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert_eq!(fact("said first")["from"], "tenant spec.compliance.disclosure (spec)");
    assert_eq!(fact("time zone")["from"], "tenant spec.timezone (default)");
    assert_eq!(fact("pods")["value"], "2 pods", "the other agent of the pool asks for more");
    assert_eq!(fact("the caller has finished")["value"], "after 500 ms of silence");
    assert_eq!(fact("said when busy")["from"], "PhoneNumber main spec.overflow.message");
}

#[test]
fn explain_names_the_level_that_decided() {
    let mut world = world("healthy");
    let model = json!({"provider": "openai-compatible", "model": "small", "baseUrl": "https://llm.example.com/v1",
                       "secretRef": {"name": "llm"}});
    world.agencies[0].data["spec"]["defaults"] = json!({"llm": model, "limits": {"maxDurationSeconds": 60},
                                                        "vad": {"preset": "Noisy"}});
    world.tenants[0].data["spec"]["defaults"] = json!({"limits": {"maxDurationSeconds": 90}, "bargeIn": {}});
    let agent = world.agents.iter_mut().find(|agent| agent.metadata.name.as_deref() == Some("receptionist")).unwrap();
    let spec = agent.data["spec"].as_object_mut().unwrap();
    for block in ["llm", "limits", "vad", "tts"] {
        spec.remove(block);
    }
    // As an earlier version of the definitions left it behind: nobody wrote it.
    spec.insert("bargeIn".to_owned(), json!({"enabled": true, "minWords": 2, "minSpeechMs": 500}));
    let agent = agent.clone();
    let explanation = Explanation::of(&agent, &world, now());
    let field = |path: &str| {
        let field = explanation.fields.iter().find(|field| field.path == path).unwrap();
        (field.value.clone(), field.source.as_text())
    };
    assert_eq!(field("spec.llm.model"), (json!("small"), "agency default".to_owned()));
    assert_eq!(field("spec.limits.maxDurationSeconds"), (json!(90), "tenant default".to_owned()));
    assert_eq!(field("spec.tts.voice"), (json!("slt"), "default".to_owned()));
    assert_eq!(field("spec.greeting.text").1, "spec, set by kubectl");
    let data = serde_json::to_value(&explanation).unwrap();
    let fact = |name: &str| data["effective"].as_array().unwrap().iter().find(|fact| fact["name"] == name).unwrap();
    let (value, from) =
        ("openai-compatible small, key from Secret llm of the agency's namespace", "the agency's spec.defaults.llm");
    assert_eq!(*fact("answers"), json!({"name": "answers", "value": value, "from": from}));
    assert_eq!(fact("somebody speaks")["from"], "the agency's spec.defaults.vad.preset Noisy");
    let [shadow] = &explanation.notes[..] else { panic!("{:?}", explanation.notes) };
    assert!(shadow.starts_with("spec.bargeIn was filled in by an earlier version"), "{shadow}");
}

#[test]
fn explain_tells_whether_it_is_open() {
    let mut world = world("healthy");
    let fact = |world: &World, name: &str| {
        let agent = world.agents.iter().find(|agent| agent.metadata.name.as_deref() == Some("receptionist")).unwrap();
        let data = serde_json::to_value(Explanation::of(agent, world, now())).unwrap();
        data["effective"].as_array().unwrap().iter().find(|fact| fact["name"] == name).map(|fact| fact["value"].clone())
    };
    assert_eq!(fact(&world, "business hours"), None);
    // Now is a Saturday.
    world.tenants[0].data["spec"]["businessHours"] = json!({"weekly": [{"day": "Monday"}]});
    world.tenants[0].data["spec"]["defaults"] = json!({"closed": {"message": "We are closed."}});
    assert_eq!(fact(&world, "business hours"), Some(json!("closed now, at 2026-11-21 11:00: weekly Saturday")));
    assert_eq!(fact(&world, "when closed"), Some(json!("says \"We are closed.\" and hangs up")));
}

#[test]
fn explain_says_what_it_may_not_see() {
    let mut world = world("healthy");
    world.agencies.clear();
    let agent = world.agents[0].clone();
    let explanation = Explanation::of(&agent, &world, now());
    assert!(explanation.notes.iter().any(|note| note.starts_with("The agency could not be read")));
}

#[test]
fn explain_survives_fields_of_a_newer_version() {
    let mut world = world("healthy");
    let agent = world.agents.iter_mut().find(|agent| agent.metadata.name.as_deref() == Some("receptionist")).unwrap();
    agent.data["spec"]["stt"]["provider"] = json!("from-the-future");
    agent.data["spec"]["mood"] = json!({"temper": "sunny"});
    let agent = agent.clone();
    let explanation = Explanation::of(&agent, &world, now());
    assert_eq!(explanation.notes.len(), 1);
    assert!(explanation.fields.iter().any(|field| field.path == "spec.mood.temper"));
    assert!(explain::render(&explanation, &Paper::plain(Some(80))).contains("older than the cluster's definitions"));
}

#[test]
fn preflight_of_a_number_that_works() {
    let preflight = Preflight::of("+15550100", &world("healthy"), &platform(), now());
    assert!(preflight.answered);
    assert_eq!(preflight.uri.as_deref(), Some("sip:+15550100@sip.example.com:5060"));
    insta::assert_snapshot!(call::render(&preflight, &Paper::plain(None)));
}

#[test]
fn preflight_of_a_number_whose_agent_is_broken() {
    let preflight = Preflight::of("+15550100", &world("broken"), &Platform::default(), now());
    assert!(!preflight.answered);
    insta::assert_snapshot!(call::render(&preflight, &Paper::plain(Some(100))));
}

#[test]
fn preflight_finds_what_stands_in_the_way() {
    let failed = |change: &dyn Fn(&mut World), platform: &Platform| -> Vec<String> {
        let mut world = world("healthy");
        change(&mut world);
        let preflight = Preflight::of("+15550100", &world, platform, now());
        let failed = preflight.checks.into_iter().filter(|check| check.verdict == call::Verdict::Failed);
        failed.map(|check| check.what).collect()
    };
    let here = platform();
    let set =
        |object: &mut DynamicObject, pointer: &str, value: Value| *object.data.pointer_mut(pointer).unwrap() = value;
    assert!(failed(&|_| {}, &here).is_empty());
    assert_eq!(failed(&|world| set(&mut world.agents[0], "/status/slots/busy", json!(4)), &here), ["slots"]);
    assert_eq!(
        failed(&|world| set(&mut world.numbers[0], "/status/trunkId", json!("")), &here),
        ["trunk of carrier lab"]
    );
    assert_eq!(
        failed(&|world| set(&mut world.tenants[0], "/spec/quotas/concurrentCalls/max", json!(0)), &here),
        ["calls at one time"]
    );
    assert_eq!(failed(&|world| world.numbers.clear(), &here), ["number"]);
    assert_eq!(failed(&|world| world.agents.clear(), &here), ["agent"]);
    let suspended = json!([{"type": "Ready", "status": "False", "reason": "Suspended", "message": "",
        "observedGeneration": 1, "lastTransitionTime": "2026-11-21T10:00:00Z"}]);
    let suspend = |world: &mut World| set(&mut world.tenants[0], "/status/conditions", suspended.clone());
    assert_eq!(failed(&suspend, &here), ["Tenant dental-clinic"]);
    assert_eq!(failed(&|_| {}, &Platform { api_ready: Some(0), ..platform() }), ["API"]);
}

/// The number of the healthy clinic with a squad, one of which is paused.
fn with_squad() -> World {
    let mut world = world("healthy");
    let spec = world.numbers[0].data["spec"].as_object_mut().unwrap();
    spec.remove("agentRef");
    spec.insert(
        "squad".to_owned(),
        json!({"routing": "Priority", "agents": [{"name": "night-desk"}, {"name": "receptionist"}]}),
    );
    world
}

#[test]
fn one_agent_of_a_squad_that_works_is_enough() {
    let verdicts = |world: &World| -> Vec<(String, call::Verdict)> {
        let preflight = Preflight::of("+15550100", world, &platform(), now());
        let of_agents = preflight.checks.into_iter().filter(|check| check.what.starts_with("VoiceAgent"));
        of_agents.map(|check| (check.what, check.verdict)).collect()
    };
    let (night, day) = ("VoiceAgent night-desk".to_owned(), "VoiceAgent receptionist".to_owned());
    let mut world = with_squad();
    assert_eq!(verdicts(&world), [(night.clone(), call::Verdict::Warning), (day.clone(), call::Verdict::Ok)]);
    assert!(Preflight::of("+15550100", &world, &platform(), now()).answered);
    *world.agents[0].data.pointer_mut("/status/slots/busy").unwrap() = json!(4);
    assert_eq!(verdicts(&world), [(night, call::Verdict::Failed), (day, call::Verdict::Ok)]);
    let preflight = Preflight::of("+15550100", &world, &platform(), now());
    assert!(!preflight.answered, "one is paused, the other has no free slot");
}

#[test]
fn who_answers_a_number_is_shown_from_both_sides() {
    let mut world = with_squad();
    assert!(status_text(&world, None).contains("+15550100 → Priority of night-desk, receptionist"));
    world.numbers[0].data["spec"]["schedule"] = json!([{"name": "holiday", "agentRef": {"name": "night-desk"}}]);
    assert!(status_text(&world, None).contains("holiday → night-desk at times"));
    let numbers = |agent: &str| {
        let found = world.agents.iter().find(|one| one.metadata.name.as_deref() == Some(agent)).unwrap();
        Explanation::of(found, &world, now()).numbers.len()
    };
    assert_eq!((numbers("night-desk"), numbers("receptionist")), (1, 1));
    world.agencies[0].data["spec"]["company"] = json!({"name": "Brightline Voice Inc."});
    world.agencies[0].data["spec"]["billing"] = json!({"plan": "growth"});
    let text = status_text(&world, None);
    assert!(text.contains("Brightline Voice Inc.") && text.contains("plan growth"), "{text}");
}
