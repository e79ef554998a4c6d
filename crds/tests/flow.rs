//! Flows that can be followed, and what is said about those that cannot.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use voxplane_crds::flow::{self, graph};
use voxplane_crds::variables::Names;
use voxplane_crds::voice_agent::Flow;
use voxplane_crds::{AgencySpec, TenantSpec, VoiceAgent, VoiceAgentSpec, effective, texts};

fn check(start: &str, nodes: &[Value]) -> Vec<String> {
    let flow: Flow = serde_json::from_value(json!({"start": start, "nodes": nodes})).unwrap();
    let agent: VoiceAgentSpec =
        serde_json::from_value(json!({"variables": [{"name": "plan", "value": "silver"}]})).unwrap();
    flow::check(&flow, &Names::of(&agent)).iter().map(ToString::to_string).collect()
}

fn say(id: &str, text: &str, next: &str) -> Value {
    json!({"id": id, "say": {"text": text, "next": next}})
}

fn listen(id: &str, variable: &str, next: &str, otherwise: &str) -> Value {
    json!({"id": id, "listen": {"text": "?", "variable": variable, "next": next, "otherwise": otherwise}})
}

fn menu(id: &str, options: Value, otherwise: &str) -> Value {
    json!({"id": id, "menu": {"text": "?", "options": options, "otherwise": otherwise}})
}

fn decide(id: &str, when: &str, next: &str, otherwise: &str) -> Value {
    json!({"id": id, "condition": {"branches": [{"when": when, "next": next}], "otherwise": otherwise}})
}

fn hangup(id: &str) -> Value {
    json!({"id": id, "hangup": {}})
}

#[track_caller]
fn told(faults: &[String], expected: &str) {
    assert!(faults.iter().any(|fault| fault.contains(expected)), "expected `{expected}` in {faults:#?}");
}

#[test]
fn a_flow_that_can_be_followed() {
    let nodes = [
        say("hello", "Hello from {{ tenant.name }}", "m"),
        menu("m", json!([{"key": "1", "next": "name"}, {"phrases": ["goodbye"], "next": "end"}]), "m"),
        listen("name", "caller", "known", "end"),
        decide("known", "caller == \"Anna\" && plan != \"gold\"", "thanks", "m"),
        say("thanks", "Thank you, {{ caller }}.", "end"),
        hangup("end"),
    ];
    assert_eq!(check("hello", &nodes), Vec::<String>::new());
}

#[test]
fn ways_that_lead_nowhere_are_named() {
    told(&check("start", &[hangup("end")]), "spec.flow.start: there is no node \"start\": add one, or use one of end");
    let nodes = [menu("m", json!([{"key": "1", "next": "x"}]), "end"), hangup("end")];
    told(&check("m", &nodes), "spec.flow.nodes[m].menu.options[0].next: there is no node \"x\"");
    let mut retry = menu("m", json!([{"key": "1", "next": "end"}]), "end");
    retry["menu"]["noInput"] = json!({"next": "y"});
    told(&check("m", &[retry, hangup("end")]), "spec.flow.nodes[m].menu.noInput.next: there is no node \"y\"");
    let nodes = [say("a", "Hi", "end"), hangup("end"), hangup("left")];
    told(&check("a", &nodes), "spec.flow.nodes[left].hangup: no way leads here");
}

#[test]
fn a_circle_needs_somebody_to_ask() {
    let turning = [say("a", "Hi", "b"), decide("b", "plan == \"x\"", "end", "a"), hangup("end")];
    told(&check("a", &turning), "is a circle in which the caller is never asked");
    told(&check("a", &turning), "a → b → a");
    let itself = [say("a", "Hi", "a")];
    told(&check("a", &itself), "a → a is a circle");
    let asking = [say("a", "Hi", "m"), menu("m", json!([{"key": "1", "next": "a"}]), "a")];
    assert_eq!(check("a", &asking), Vec::<String>::new());
}

#[test]
fn what_a_menu_cannot_tell_apart_is_named() {
    let twice = menu("m", json!([{"key": "1", "next": "e"}, {"key": "1", "next": "e"}]), "e");
    told(
        &check("m", &[twice, hangup("e")]),
        "spec.flow.nodes[m].menu.options[1].key: key 1 already chooses options[0]",
    );
    let alike = json!([{"phrases": ["opening hours"], "next": "e"}, {"phrases": ["Opening, hours!"], "next": "e"}]);
    told(&check("m", &[menu("m", alike, "e"), hangup("e")]), "already chooses options[0]: say it in other words");
    let empty = menu("m", json!([{"phrases": ["?!"], "next": "e"}]), "e");
    told(&check("m", &[empty, hangup("e")]), "has no words: remove it");
    let mut yes = listen("l", "sure", "e", "e");
    yes["listen"]["kind"] = "YesNo".into();
    yes["listen"]["noPhrases"] = json!(["right"]);
    told(&check("l", &[yes, hangup("e")]), "spec.flow.nodes[l].listen.noPhrases: \"right\" means yes too");
}

#[test]
fn a_variable_is_known_and_has_a_value_before_it_is_used() {
    let nodes = [say("a", "Hello {{ caler }}", "end"), hangup("end")];
    told(&check("a", &nodes), "spec.flow.nodes[a].say.text: there is no variable \"caler\"");
    let nodes = [decide("a", "plan = \"x\"", "end", "end"), hangup("end")];
    told(&check("a", &nodes), "spec.flow.nodes[a].condition.branches[0].when: this is no CEL expression");
    // Answered, it has a value; not answered, it has none.
    let nodes = [listen("l", "caller", "b", "b"), say("b", "Hello {{ caller }}", "end"), hangup("end")];
    told(&check("l", &nodes), "spec.flow.nodes[b].say.text: \"caller\" has no value on every way that leads here");
    let nodes = [listen("l", "caller", "b", "end"), say("b", "Hello {{ caller }}", "end"), hangup("end")];
    assert_eq!(check("l", &nodes), Vec::<String>::new());
    let nodes = [listen("l", "plan", "b", "b"), say("b", "Plan {{ plan }}", "end"), hangup("end")];
    assert_eq!(check("l", &nodes), Vec::<String>::new(), "spec.variables gives it one");
    let nodes = [listen("l", "tenant", "end", "end"), hangup("end")];
    told(&check("l", &nodes), "\"tenant\" has a meaning of its own");
}

#[test]
fn so_many_phrases_cannot_be_told_apart() {
    let mut nodes: Vec<_> = (0..40)
        .map(|n| {
            let phrases: Vec<_> = (0..8).map(|p| format!("word {n} {p}")).collect();
            menu(&format!("m{n}"), json!([{"phrases": phrases, "next": format!("m{}", n + 1)}]), "m0")
        })
        .collect();
    nodes.push(hangup("m40"));
    told(&check("m0", &nodes), "it listens for 320 phrases: at most 300 can be told apart");
}

#[test]
fn there_are_no_more_branches_than_every_call_can_read() {
    let branches: Vec<_> = (0..12).map(|n| json!({"when": format!("plan == \"{n}\""), "next": "end"})).collect();
    let mut nodes: Vec<_> = (0..9)
        .map(
            |n| json!({"id": format!("c{n}"), "condition": {"branches": branches, "otherwise": format!("c{}", n + 1)}}),
        )
        .collect();
    nodes.push(hangup("c9"));
    nodes.push(hangup("end"));
    told(&check("c0", &nodes), "its conditions have 108 branches together: at most 100");
}

fn refused(node: &Value) -> String {
    let spec = json!({"flow": {"start": "a", "nodes": [node]}});
    let object =
        json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent", "metadata": {"name": "a"}, "spec": spec});
    let agent: VoiceAgent = serde_json::from_value(object).unwrap();
    agent.validate_cel().err().map(|errors| errors.to_string()).unwrap_or_default()
}

#[test]
fn the_definition_refuses_what_it_can_see() {
    for good in [
        hangup("a"),
        listen("a", "caller", "b", "b"),
        json!({"id": "a", "agent": {}}),
        json!({"id": "a", "agent": {"maxTurns": 2, "next": "b"}}),
        json!({"id": "a", "agent": {"phrases": ["done"], "next": "b"}}),
        menu("a", json!([{"key": "1", "next": "b"}, {"phrases": ["one"], "next": "b"}]), "b"),
    ] {
        assert_eq!(refused(&good), "", "{good}");
    }
    for (bad, words) in [
        (json!({"id": "a"}), "a node is exactly one of"),
        (json!({"id": "a", "hangup": {}, "say": {"text": "x", "next": "b"}}), "a node is exactly one of"),
        (json!({"id": "a", "agent": {"next": "b"}}), "`next` is reached by `phrases` or `maxTurns`"),
        (json!({"id": "a", "agent": {"maxTurns": 2}}), "`next` is reached by `phrases` or `maxTurns`"),
        (menu("a", json!([{"next": "b"}]), "b"), "an option is chosen by a `key`, by `phrases`, or by either"),
        (
            json!({"id": "a", "set": {"variables": [{"name": "call", "value": "x"}], "next": "b"}}),
            "a meaning of its own",
        ),
        (
            json!({"id": "a", "listen": {"text": "?", "variable": "x", "minLength": 5, "maxLength": 4, "next": "b", "otherwise": "b"}}),
            "`minLength` is at most `maxLength`",
        ),
        (
            json!({"id": "a", "listen": {"text": "?", "variable": "x", "kind": "Digits", "maxLength": 40, "next": "b", "otherwise": "b"}}),
            "at most 32 digits",
        ),
        (
            json!({"id": "a", "listen": {"text": "?", "variable": "x", "yesPhrases": ["aye"], "next": "b", "otherwise": "b"}}),
            "belong to the kind `YesNo`",
        ),
    ] {
        assert!(refused(&bad).contains(words), "{bad}: {}", refused(&bad));
    }
}

/// Nothing is wrong with a VoiceAgent that people are shown.
fn is_well(file: &str, yaml: &str) {
    let agent: VoiceAgent = serde_yaml_ng::from_str(yaml).unwrap();
    agent.validate_cel().unwrap_or_else(|errors| panic!("{file}: {errors}"));
    let names = Names::of(&agent.spec);
    let (agency, tenant) = (AgencySpec::default(), TenantSpec::default());
    let mut faults = texts::check(&effective(&agency, &tenant, &agent.spec), &names);
    faults.extend(agent.spec.flow.iter().flat_map(|flow| flow::check(flow, &names)));
    assert!(faults.is_empty(), "{file}: {faults:#?}");
}

#[test]
fn the_samples_and_the_page_about_flows_can_be_followed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut flows = 0;
    for scenario in fs::read_dir(root.join("manifests/samples")).unwrap() {
        for file in fs::read_dir(scenario.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            if text.contains("kind: VoiceAgent\n") {
                is_well(&path.display().to_string(), &text);
                flows += usize::from(text.contains("\n  flow:"));
            }
        }
    }
    assert!(flows > 0, "no sample has a flow");
    let page = fs::read_to_string(root.join("docs/flows.md")).unwrap();
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    is_well("docs/flows.md", yaml);
}

/// Any graph of a few nodes.
fn flows() -> impl Strategy<Value = Flow> {
    let id = || (0..6_u8).prop_map(|n| format!("n{n}"));
    let node = (0..5_u8, id(), id(), id()).prop_map(|(kind, id, a, b)| match kind {
        0 => say(&id, "Hi", &a),
        1 => listen(&id, "x", &a, &b),
        2 => menu(&id, json!([{"key": "1", "next": a}]), &b),
        3 => decide(&id, "plan == \"x\"", &a, &b),
        _ => hangup(&id),
    });
    prop::collection::vec(node, 1..8)
        .prop_map(|nodes| serde_json::from_value(json!({"start": "n0", "nodes": nodes})).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// In a flow without faults every step exists, and no way without a question is longer than the flow: what the engine
    /// relies on.
    #[test]
    fn a_flow_without_faults_always_comes_to_rest(flow in flows()) {
        let agent: VoiceAgentSpec =
            serde_json::from_value(json!({"variables": [{"name": "plan", "value": ""}]})).unwrap();
        let faults = flow::check(&flow, &Names::of(&agent));
        if !faults.is_empty() {
            return Ok(());
        }
        for node in &flow.nodes {
            let mut ahead = vec![(node, 0)];
            while let Some((node, steps)) = ahead.pop() {
                prop_assert!(steps <= flow.nodes.len(), "{} turns in a circle", node.id);
                if steps > 0 && graph::waits(node) {
                    continue;
                }
                for edge in graph::edges(node) {
                    let next = flow.nodes.iter().find(|one| one.id == edge.to);
                    prop_assert!(next.is_some(), "{} leads nowhere", node.id);
                    ahead.extend(next.map(|next| (next, steps + 1)));
                }
            }
        }
    }
}
