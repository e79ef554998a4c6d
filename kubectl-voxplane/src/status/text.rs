//! The tree for people.

use super::{Node, Report, count};
use crate::health::Health;
use crate::paper::{Paper, Tone};

/// The report as text: what is broken first, then the tree.
#[must_use]
pub fn render(report: &Report, paper: &Paper) -> String {
    let mut text = String::new();
    if report.agencies.is_empty() && report.strays.is_empty() {
        text.push_str(&paper.paragraph("", Tone::Plain, NOTHING));
        return text;
    }
    if report.is_broken() {
        let are = if report.broken.len() == 1 { "is" } else { "are" };
        let head = format!("{} {are} broken", count(report.broken.len(), "thing"));
        text.push_str(&paper.line(&[(Tone::Bad, &head)]));
        text.push('\n');
        for problem in &report.broken {
            let head = format!(": {}", problem.reason);
            text.push('\n');
            text.push_str(&paper.line(&[(Tone::Strong, &problem.title()), (Tone::Bad, &head)]));
            text.push('\n');
            text.push_str(&paper.paragraph("  ", Tone::Plain, &problem.message));
            if !problem.remedy.is_empty() {
                text.push_str(&paper.paragraph("  ", Tone::Good, &format!("What to do: {}", problem.remedy)));
            }
        }
        text.push('\n');
    }
    text.push_str(&tree(&report.agencies, paper));
    if !report.strays.is_empty() {
        text.push('\n');
        text.push_str(&paper.paragraph("", Tone::Strong, "In namespaces of no agency or tenant:"));
        text.push_str(&tree(&report.strays, paper));
    }
    if !report.hidden.is_empty() {
        let hidden = format!("You may not read: {}. Nothing is said about them.", report.hidden.join(", "));
        text.push('\n');
        text.push_str(&paper.paragraph("", Tone::Wait, &hidden));
    }
    text
}

const NOTHING: &str = "There is nothing here yet. Begin with an Agency; `kubectl explain agency.spec` has its fields.";

/// One row: the drawing and the object, how it does, and what is worth knowing.
struct Row<'a> {
    drawing: String,
    node: &'a Node,
}

impl Row<'_> {
    fn label(&self) -> usize {
        self.drawing.chars().count() + self.node.kind.chars().count() + 1 + self.node.name.chars().count()
    }
}

/// A tree per node, in aligned columns.
#[must_use]
pub fn tree(nodes: &[Node], paper: &Paper) -> String {
    let mut rows = vec![];
    for node in nodes {
        rows.push(Row { drawing: String::new(), node });
        below(node, "", &mut rows);
    }
    let label = rows.iter().map(Row::label).max().unwrap_or_default();
    let reason = rows.iter().map(|row| row.node.reason.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let node = row.node;
        let gap = " ".repeat(label - row.label() + 2);
        let after = " ".repeat(reason - node.reason.chars().count() + 2);
        let kind = format!("{} ", node.kind);
        text.push_str(&paper.line(&[
            (Tone::Quiet, &row.drawing),
            (Tone::Quiet, &kind),
            (Tone::Strong, &node.name),
            (Tone::Plain, &gap),
            (tone(node.health), &node.reason),
            (Tone::Plain, &after),
            (Tone::Plain, &node.facts.join(", ")),
        ]));
        text.push('\n');
    }
    text
}

fn below<'a>(node: &'a Node, indent: &str, rows: &mut Vec<Row<'a>>) {
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        let (branch, next) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        rows.push(Row { drawing: format!("{indent}{branch}"), node: child });
        below(child, &format!("{indent}{next}"), rows);
    }
}

/// The colour of a health.
#[must_use]
pub const fn tone(health: Health) -> Tone {
    match health {
        Health::Ready => Tone::Good,
        Health::Waiting => Tone::Wait,
        Health::Broken => Tone::Bad,
        Health::Off | Health::Hidden => Tone::Quiet,
    }
}
