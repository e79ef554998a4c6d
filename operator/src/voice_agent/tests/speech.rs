//! Agents whose texts or flows make no sense.

use voxplane_crds::conditions::{reasons, types};

use super::super::{status, validate};
use super::{NAMESPACE, seen};
use crate::testing::{agent, condition, now};

#[test]
fn a_text_that_names_an_unknown_variable_is_told_with_field_and_name() {
    let mut seen = seen(vec![agent(NAMESPACE, "a", "{silence: {prompt: 'Are you there, {{ nmae }}?'}}")]);
    let problem = validate::check(&seen.agents[0], &seen).unwrap_err();
    assert_eq!(problem.reason, reasons::INVALID);
    assert!(
        problem.message.starts_with("spec.silence.prompt: there is no variable \"nmae\": use one of agent.name"),
        "{}",
        problem.message
    );
    seen.agents = vec![agent(NAMESPACE, "a", "{}")];
    let greeting = serde_json::json!({"greeting": {"text": "{{ tenant.name }}, hello {{ x"}});
    seen.home.as_mut().unwrap().agency.spec.defaults = serde_json::from_value(greeting).unwrap();
    let problem = validate::check(&seen.agents[0], &seen).unwrap_err();
    assert!(problem.message.starts_with("the agency's spec.defaults.greeting.text: `{{ x`"), "{}", problem.message);
}

#[test]
fn a_flow_that_cannot_be_followed_is_told_with_the_node() {
    let flow = "{flow: {start: a, nodes: [{id: a, say: {text: Hi, next: b}}, {id: c, hangup: {}}]}}";
    let seen = seen(vec![agent(NAMESPACE, "a", flow)]);
    let plan = validate::check(&seen.agents[0], &seen);
    let status = status::compute(&seen.agents[0], &seen, &plan, now());
    assert_eq!(condition(&status, types::ACCEPTED), ("False".into(), reasons::FLOW_INVALID.into()));
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::FLOW_INVALID.into()));
    let message = plan.unwrap_err().message;
    assert_eq!(message, "spec.flow.nodes[a].say.next: there is no node \"b\": add one, or use one of a, c");
}

#[test]
fn a_flow_and_its_variables_restart_no_pod() {
    let flow = "{variables: [{name: town, value: Oakville}], flow: {start: a, nodes: [{id: a, say: {text: '{{ town }}', \
                next: b}}, {id: b, hangup: {}}]}}";
    let deployment = |spec| super::made(vec![agent(NAMESPACE, "a", spec)]).deployment;
    assert!(deployment(flow) == deployment("{}"));
}
