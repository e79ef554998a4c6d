//! Whether a flow can be followed: its nodes as a graph, its conditions, its texts and its variables. Pure.
//!
//! The operator judges by it, the API takes no call with a flow that fails it, and the kubectl plugin shows it in short.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | [`graph`] | where nodes lead: what is missing, what is never reached, circles in which nobody is asked |
//! | [`expression`] | conditions |
//! | [`content`] | texts, keys and phrases of each node |
//! | [`assigned`] | whether a variable has a value wherever it is used |

mod assigned;
mod content;
pub mod expression;
pub mod graph;
mod speech;

pub use assigned::names as assigned_names;
pub use speech::{hears_anything, phrases};

use crate::variables::{Fault, Names};
use crate::voice_agent::flow::{Flow, Node};

/// The most phrases that the callers of one flow are listened to for, so that an offline recogniser stays reliable.
pub const MAX_PHRASES: usize = 300;

/// The most branches of all conditions of one flow: every call reads them.
pub const MAX_BRANCHES: usize = 100;

/// Everything that is wrong with a flow. `names` are those of [`Names::of`] its agent.
#[must_use]
pub fn check(flow: &Flow, names: &Names) -> Vec<Fault> {
    let branches: usize = flow.nodes.iter().filter_map(|node| Some(node.condition.as_ref()?.branches.len())).sum();
    if branches > MAX_BRANCHES {
        let problem = format!("its conditions have {branches} branches together: at most {MAX_BRANCHES} are possible");
        return vec![Fault::new("spec.flow.nodes", problem)];
    }
    let mut faults = graph::check(flow);
    let known = names.with(assigned::names(flow));
    for node in &flow.nodes {
        faults.extend(content::check(node, &known));
    }
    let count = phrases(flow).len();
    if count > MAX_PHRASES {
        let problem = format!("it listens for {count} phrases: at most {MAX_PHRASES} can be told apart, remove some");
        faults.push(Fault::new("spec.flow.nodes", problem));
    }
    // Where a node leads nowhere, or a name does not exist, the ways through the flow say nothing.
    if faults.is_empty() {
        faults = assigned::check(flow, names);
    }
    faults
}

/// Path of a field of a node.
pub(crate) fn path(node: &Node, field: &str) -> String {
    let kind = node.step().map(|step| format!(".{}", step.field())).unwrap_or_default();
    let dot = if field.is_empty() { "" } else { "." };
    format!("spec.flow.nodes[{}]{kind}{dot}{field}", node.id)
}
