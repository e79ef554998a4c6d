//! Whether a variable has a value wherever it is used, whichever way the call took.

use std::collections::{BTreeMap, BTreeSet};

use super::content::texts;
use super::graph::edges;
use super::{expression, path};
use crate::template::Template;
use crate::variables::{Fault, Names};
use crate::voice_agent::flow::{Flow, Node, Step};

/// Variables that a flow gives values to.
#[must_use]
pub fn names(flow: &Flow) -> BTreeSet<&str> {
    flow.nodes.iter().flat_map(edges).flat_map(|edge| edge.assigns).collect()
}

/// Uses of variables that may have no value yet. Ends and names are known to exist.
pub(super) fn check(flow: &Flow, names: &Names) -> Vec<Fault> {
    let nodes: BTreeMap<&str, &Node> = flow.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let held = held(flow, &nodes);
    let known = names.with(self::names(flow));
    let mut faults = Vec::new();
    for node in &flow.nodes {
        let Some(held) = held.get(node.id.as_str()) else { continue };
        for (field, name) in uses(node, &known) {
            if !names.contains(&name) && !held.contains(name.as_str()) {
                let problem = format!(
                    "{name:?} has no value on every way that leads here: ask for it before, or give it one in \
                     spec.variables"
                );
                faults.push(Fault::new(path(node, &field), problem));
            }
        }
    }
    faults
}

/// The variables that surely have a value when a node is reached: what all ways there have in common.
fn held<'a>(flow: &'a Flow, nodes: &BTreeMap<&'a str, &'a Node>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut held: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::from([(flow.start.as_str(), BTreeSet::new())]);
    let mut ahead = vec![flow.start.as_str()];
    // Sets only shrink, so this ends.
    while let Some(id) = ahead.pop() {
        let Some(node) = nodes.get(id) else { continue };
        let here = held.get(id).cloned().unwrap_or_default();
        for edge in edges(node) {
            let mut there = here.clone();
            there.extend(edge.assigns);
            let common = match held.get(edge.to) {
                Some(before) => before.intersection(&there).copied().collect(),
                None => there,
            };
            if held.get(edge.to) != Some(&common) {
                held.insert(edge.to, common);
                ahead.push(edge.to);
            }
        }
    }
    held
}

/// The variables that a node looks at, with the fields.
fn uses(node: &Node, known: &Names) -> Vec<(String, String)> {
    let mut uses = Vec::new();
    for (field, text) in texts(node) {
        let template = Template::parse(text).unwrap_or_default();
        uses.extend(template.names().map(|name| (field.clone(), name.to_owned())));
    }
    if let Some(Step::Condition(condition)) = node.step() {
        for (n, branch) in condition.branches.iter().enumerate() {
            let names = expression::check(&branch.when, known).map(|condition| condition.names).unwrap_or_default();
            uses.extend(names.into_iter().map(|name| (format!("branches[{n}].when"), name)));
        }
    }
    uses
}
