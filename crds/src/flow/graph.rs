//! Where nodes lead.

use std::collections::{BTreeMap, BTreeSet};

use super::path;
use crate::variables::Fault;
use crate::voice_agent::flow::{Flow, Node, Retry, Step};

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<'a> {
    /// The field that names the other node, below the node's kind.
    pub field: String,
    /// Id of the other node.
    pub to: &'a str,
    /// Variables that have a new value on this way.
    pub assigns: Vec<&'a str>,
}

fn edge<'a>(field: impl Into<String>, to: &'a str) -> Edge<'a> {
    Edge { field: field.into(), to, assigns: Vec::new() }
}

/// The ways on from a node.
#[must_use]
pub fn edges(node: &Node) -> Vec<Edge<'_>> {
    let Some(step) = node.step() else { return Vec::new() };
    match step {
        Step::Greet(greet) => vec![edge("next", &greet.next)],
        Step::Say(say) => vec![edge("next", &say.next)],
        Step::Listen(listen) => {
            let answered = Edge { assigns: vec![&listen.variable], ..edge("next", &listen.next) };
            let failed = unanswered(listen.no_input.as_ref(), listen.no_match.as_ref(), &listen.otherwise);
            std::iter::once(answered).chain(failed).collect()
        }
        Step::Menu(menu) => {
            let options = menu.options.iter().enumerate();
            let chosen = options.map(|(n, option)| edge(format!("options[{n}].next"), &option.next));
            chosen.chain(unanswered(menu.no_input.as_ref(), menu.no_match.as_ref(), &menu.otherwise)).collect()
        }
        Step::Condition(condition) => {
            let branches = condition.branches.iter().enumerate();
            let branches = branches.map(|(n, branch)| edge(format!("branches[{n}].next"), &branch.next));
            branches.chain([edge("otherwise", &condition.otherwise)]).collect()
        }
        Step::Set(set) => {
            let assigns = set.variables.iter().map(|one| one.name.as_str()).collect();
            vec![Edge { assigns, ..edge("next", &set.next) }]
        }
        Step::Agent(agent) => agent.next.iter().map(|next| edge("next", next)).collect(),
        Step::Hangup(_) => Vec::new(),
    }
}

fn unanswered<'a>(
    no_input: Option<&'a Retry>,
    no_match: Option<&'a Retry>,
    otherwise: &'a str,
) -> impl Iterator<Item = Edge<'a>> {
    let next = |field, retry: Option<&'a Retry>| retry.and_then(|retry| Some(edge(field, retry.next.as_deref()?)));
    [next("noInput.next", no_input), next("noMatch.next", no_match), Some(edge("otherwise", otherwise))]
        .into_iter()
        .flatten()
}

/// Whether the flow waits for the caller in a node.
#[must_use]
pub fn waits(node: &Node) -> bool {
    matches!(node.step(), Some(Step::Listen(_) | Step::Menu(_) | Step::Agent(_)))
}

/// What is wrong with the ways through a flow.
pub(super) fn check(flow: &Flow) -> Vec<Fault> {
    let mut nodes: BTreeMap<&str, &Node> = BTreeMap::new();
    let mut faults = Vec::new();
    for node in &flow.nodes {
        if nodes.insert(&node.id, node).is_some() {
            faults.push(Fault::new(path(node, ""), "there are two nodes of this id: rename one of them"));
        }
        if node.step().is_none() {
            let problem = "the node does nothing: give it one of `greet`, `say`, `listen`, `menu`, `condition`, `set`, \
                           `agent` and `hangup`";
            faults.push(Fault::new(path(node, ""), problem));
        }
    }
    let missing = |field: String, id: &str| {
        let known = nodes.keys().copied().collect::<Vec<_>>().join(", ");
        Fault::new(field, format!("there is no node {id:?}: add one, or use one of {known}"))
    };
    if !nodes.contains_key(flow.start.as_str()) {
        faults.push(missing("spec.flow.start".to_owned(), &flow.start));
    }
    for node in &flow.nodes {
        for edge in edges(node).iter().filter(|edge| !nodes.contains_key(edge.to)) {
            faults.push(missing(path(node, &edge.field), edge.to));
        }
    }
    if faults.is_empty() {
        faults.extend(unreached(flow, &nodes));
        faults.extend(circle(&nodes));
    }
    faults
}

fn unreached(flow: &Flow, nodes: &BTreeMap<&str, &Node>) -> Vec<Fault> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![flow.start.as_str()];
    while let Some(id) = ahead.pop() {
        if reached.insert(id) {
            ahead.extend(nodes.get(id).into_iter().flat_map(|node| edges(node)).map(|edge| edge.to));
        }
    }
    let left = flow.nodes.iter().filter(|node| !reached.contains(node.id.as_str()));
    left.map(|node| Fault::new(path(node, ""), "no way leads here: name it in a `next`, or remove it")).collect()
}

/// A circle in which the caller is never asked: it would turn without end.
fn circle(nodes: &BTreeMap<&str, &Node>) -> Option<Fault> {
    let mut done = BTreeSet::new();
    for start in nodes.keys() {
        let mut way: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut ahead = vec![*start];
        loop {
            // The last node of the way has another successor, or the way goes back by one.
            let Some(next) = ahead.pop() else {
                let Some((id, rest)) = way.pop() else { break };
                done.insert(id);
                ahead = rest;
                continue;
            };
            let Some(node) = nodes.get(next).filter(|node| !done.contains(next) && !waits(node)) else { continue };
            if let Some(begin) = way.iter().position(|(id, _)| *id == next) {
                let turn = way[begin..].iter().map(|(id, _)| *id).chain([next]).collect::<Vec<_>>().join(" → ");
                let problem = format!(
                    "{turn} is a circle in which the caller is never asked: put a `menu`, `listen` or `agent` node into it, \
                     or lead out of it"
                );
                return Some(Fault::new(path(node, ""), problem));
            }
            let rest = std::mem::replace(&mut ahead, edges(node).into_iter().map(|edge| edge.to).collect());
            way.push((next, rest));
        }
    }
    None
}
