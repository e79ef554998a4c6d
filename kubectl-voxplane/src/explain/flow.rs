//! A flow in short: where it begins, and where each node leads.

use std::collections::BTreeSet;

use kube::api::DynamicObject;
use voxplane_crds::flow::graph::edges;
use voxplane_crds::voice_agent::Flow;
use voxplane_crds::voice_agent::flow::{Node, Step};

use super::effective::{Fact, fact};

/// The steps of an agent's flow in the order in which a caller may come to them; nothing when it has none.
pub(super) fn of(agent: &DynamicObject) -> Vec<Fact> {
    let Ok(flow) = serde_json::from_value::<Flow>(agent.data["spec"]["flow"].clone()) else { return vec![] };
    let begins = format!("begins at {}, {}", flow.start, crate::status::count(flow.nodes.len(), "node"));
    let mut facts = vec![fact("flow", begins, "spec.flow")];
    let mut seen = BTreeSet::new();
    let mut ahead = vec![flow.start.as_str()];
    while let Some(id) = ahead.pop() {
        let Some(node) = flow.nodes.iter().find(|node| node.id == id).filter(|_| seen.insert(id)) else { continue };
        facts.push(fact("flow node", in_short(node), format!("spec.flow.nodes[{id}]")));
        ahead.extend(edges(node).into_iter().rev().map(|edge| edge.to));
    }
    facts
}

/// `menu main: 1 → hours, 2 → visit, otherwise → end`.
fn in_short(node: &Node) -> String {
    let kind = node.step().map_or("node", Step::field);
    let ways: Vec<String> = edges(node).iter().map(|edge| format!("{}{}", by(node, &edge.field), edge.to)).collect();
    let ways = if ways.is_empty() { "ends the call".to_owned() } else { ways.join(", ") };
    format!("{kind} {}: {ways}", node.id)
}

/// What leads along a way.
fn by(node: &Node, field: &str) -> String {
    let chosen = |list: &str| field.strip_prefix(list)?.strip_prefix('[')?.split(']').next()?.parse::<usize>().ok();
    let what = match node.step() {
        Some(Step::Menu(menu)) => chosen("options").and_then(|n| {
            let option = menu.options.get(n)?;
            option.key.clone().or_else(|| option.phrases.first().cloned())
        }),
        Some(Step::Condition(condition)) => {
            chosen("branches").and_then(|n| condition.branches.get(n)).map(|branch| branch.when.clone())
        }
        Some(Step::Listen(listen)) if field == "next" => Some(format!("{} heard", listen.variable)),
        _ => None,
    };
    match what {
        Some(what) => format!("{what} → "),
        None if field == "next" => "→ ".to_owned(),
        None => format!("{} → ", field.trim_end_matches(".next")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_flow_is_shown_as_callers_come_to_it() {
        let flow = json!({"start": "m", "nodes": [
            {"id": "e", "hangup": {}},
            {"id": "c", "condition": {"branches": [{"when": "n == \"1\"", "next": "e"}], "otherwise": "m"}},
            {"id": "l", "listen": {"text": "?", "variable": "n", "next": "c", "otherwise": "e"}},
            {"id": "m", "menu": {"text": "?", "otherwise": "e", "options": [
                {"key": "1", "next": "l"}, {"phrases": ["goodbye"], "next": "e"}], "noInput": {"next": "m"}}},
        ]});
        let agent: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent", "metadata": {"name": "a"}, "spec": {"flow": flow},
        }))
        .unwrap();
        let shown: Vec<_> = of(&agent).into_iter().map(|fact| fact.value).collect();
        assert_eq!(
            shown,
            [
                "begins at m, 4 nodes",
                "menu m: 1 → l, goodbye → e, noInput → m, otherwise → e",
                "listen l: n heard → c, otherwise → e",
                "condition c: n == \"1\" → e, otherwise → m",
                "hangup e: ends the call",
            ]
        );
        let without: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent", "metadata": {"name": "a"}, "spec": {},
        }))
        .unwrap();
        assert_eq!(of(&without), []);
    }
}
