use serde_json::{Value, json};
use voxplane_crds::{AgencySpec, TenantSpec, VoiceAgentSpec, effective};

use super::*;

fn compiled(agent: Value) -> Result<wire::CallConfig, Vec<Fault>> {
    let (agency, tenant) = (AgencySpec::default(), TenantSpec::default());
    let agent: VoiceAgentSpec = serde_json::from_value(agent).unwrap();
    let settings = effective(&agency, &tenant, &agent);
    let values = Values::of(("maple", &tenant), ("a", &agent), "2026-11-30T09:05:00Z".parse().unwrap());
    let stt = wire::SttConfig { phrases: settings.stt.value.options.phrases.clone(), ..wire::SttConfig::default() };
    let mut config = wire::CallConfig { stt: Some(stt), ..wire::CallConfig::default() };
    add(&mut config, agent.flow.as_ref().unwrap(), &Names::of(&agent), &values, &settings)?;
    Ok(config)
}

/// A flow of every kind of node.
fn agent() -> Value {
    json!({
        "variables": [{"name": "clinic", "value": "Maple Street"}, {"name": "plan", "value": "silver"}],
        "greeting": {"text": "Hello there."},
        "goodbye": {"message": "Goodbye from us.", "phrases": ["bye"]},
        "flow": {"start": "hello", "nodes": [
            {"id": "hello", "greet": {"next": "main"}},
            {"id": "main", "menu": {"text": "{{ clinic }}: hours or plan?", "otherwise": "talk", "options": [
                {"key": "1", "phrases": ["hours"], "next": "name"}, {"key": "2", "phrases": ["plan"], "next": "gold"}],
                "noInput": {"text": "Hello?", "next": "end"}}},
            {"id": "name", "listen": {"text": "Your name?", "variable": "caller", "next": "sure", "otherwise": "end"}},
            {"id": "sure", "listen": {"text": "{{ caller }} of {{ clinic }}?", "kind": "YesNo", "variable": "sure",
                                      "next": "decide", "otherwise": "end"}},
            {"id": "gold", "set": {"variables": [{"name": "plan", "value": "gold"}], "next": "end"}},
            {"id": "decide", "condition": {"branches": [
                {"when": "sure == \"yes\" && plan == \"silver\" && call.time < \"12:00\"", "next": "end"}],
                "otherwise": "talk"}},
            {"id": "talk", "agent": {"instructions": "Plan {{ plan }}.", "maxTurns": 3, "next": "end"}},
            {"id": "end", "hangup": {}},
        ]},
    })
}

fn node<'a>(config: &'a wire::CallConfig, id: &str) -> &'a Wire {
    let nodes = &config.flow.as_ref().unwrap().nodes;
    nodes.iter().find(|node| node.id == id).and_then(|node| node.step.as_ref()).unwrap()
}

fn words(text: Option<&wire::FlowText>) -> String {
    let part = |part: &wire::FlowTextPart| match part.part.clone().unwrap() {
        wire::flow_text_part::Part::Words(words) => words,
        wire::flow_text_part::Part::Variable(name) => format!("<{name}>"),
    };
    text.unwrap().parts.iter().map(part).collect()
}

#[test]
fn what_stays_is_put_in_and_what_changes_travels() {
    let config = compiled(agent()).unwrap();
    let Wire::Menu(menu) = node(&config, "main") else { panic!("no menu") };
    let ask = menu.ask.as_ref().unwrap();
    assert_eq!(words(ask.text.as_ref()), "Maple Street: hours or plan?");
    assert_eq!((ask.timeout_ms, ask.retries), (6_000, 2));
    let (silent, wrong) = (ask.no_input.as_ref().unwrap(), ask.no_match.as_ref().unwrap());
    assert_eq!((words(silent.text.as_ref()).as_str(), silent.next.as_str()), ("Hello?", "end"));
    assert_eq!((words(wrong.text.as_ref()).as_str(), wrong.next.as_str()), ("I did not understand that.", "talk"));
    let Wire::Listen(sure) = node(&config, "sure") else { panic!("no question") };
    assert_eq!(words(sure.ask.as_ref().unwrap().text.as_ref()), "<caller> of Maple Street?");
    assert_eq!(sure.yes_phrases[0], "yes");
    let Wire::Agent(talk) = node(&config, "talk") else { panic!("no model") };
    assert_eq!(words(talk.instructions.as_ref()), "Plan <plan>.", "the flow may change it");

    let variables: Vec<_> = config.variables.iter().map(|one| (one.name.as_str(), one.value.as_str())).collect();
    assert_eq!(variables, [("call.time", "09:05"), ("plan", "silver")], "only what is looked at, or may change");
}

#[test]
fn inherited_texts_greet_and_take_leave() {
    let config = compiled(agent()).unwrap();
    let Wire::Say(hello) = node(&config, "hello") else { panic!("no greeting") };
    assert_eq!((words(hello.text.as_ref()).as_str(), hello.greeting), ("Hello there.", true));
    let Wire::HangUp(end) = node(&config, "end") else { panic!("no end") };
    assert_eq!(words(end.text.as_ref()), "Goodbye from us.");
}

#[test]
fn the_words_for_closed_hours_take_the_place_of_the_greeting_or_come_first() {
    let mut flow = compiled(agent()).unwrap().flow.unwrap();
    greet_with(&mut flow, "We are closed.".into());
    assert_eq!((flow.start.as_str(), flow.nodes.len()), ("hello", 8));
    let mut silent = agent();
    silent["flow"]["nodes"][0] =
        json!({"id": "hello", "set": {"variables": [{"name": "a", "value": "b"}], "next": "main"}});
    let mut flow = compiled(silent).unwrap().flow.unwrap();
    greet_with(&mut flow, "We are closed.".into());
    let config = wire::CallConfig { flow: Some(flow.clone()), ..wire::CallConfig::default() };
    let Wire::Say(first) = node(&config, &flow.start) else { panic!("no greeting") };
    assert_eq!((words(first.text.as_ref()).as_str(), first.next.as_str()), ("We are closed.", "hello"));
}

#[test]
fn a_recogniser_of_phrases_learns_those_of_the_flow() {
    let phrases = |agent: Value| compiled(agent).unwrap().stt.unwrap().phrases;
    assert!(phrases(agent()).is_empty(), "the model talks about anything, so anything is listened to");
    let mut listed = agent();
    listed["stt"] = json!({"options": {"phrases": ["Hours", "how much is it"]}});
    let listed = phrases(listed);
    assert_eq!(listed[..4], ["Hours", "how much is it", "plan", "yes"]);
    let menu = json!({"flow": {"start": "m", "nodes": [
        {"id": "m", "menu": {"text": "?", "options": [{"phrases": ["hours"], "next": "e"}], "otherwise": "e"}},
        {"id": "e", "hangup": {}}]}});
    assert_eq!(phrases(menu), ["hours"], "nothing else counts, so nothing else is listened to");
}

#[test]
fn a_flow_with_a_fault_is_no_flow() {
    let mut broken = agent();
    broken["flow"]["nodes"][6]["agent"]["instructions"] = "Plan {{ plna }}.".into();
    let faults = compiled(broken).unwrap_err();
    assert!(
        faults[0].to_string().starts_with("spec.flow.nodes[talk].agent.instructions: there is no variable \"plna\"")
    );
}
