//! The explanation for people.

use serde_json::Value;

use super::Explanation;
use crate::paper::{Paper, Tone};
use crate::status::{Node, tree};

/// Longer values are shown in part; `-o yaml` has them whole.
const LONGEST_VALUE: usize = 60;

/// The explanation as text.
#[must_use]
pub fn render(explanation: &Explanation, paper: &Paper) -> String {
    let mut text = tree(std::slice::from_ref(&explanation.agent), paper);
    for (label, words) in [("", &explanation.agent.message), ("What to do: ", &explanation.agent.remedy)] {
        if !words.is_empty() {
            text.push_str(&paper.paragraph("  ", Tone::Plain, &format!("{label}{words}")));
        }
    }
    section(&mut text, paper, "Numbers that lead to it", &explanation.numbers);
    section(&mut text, paper, "What it answers from", &explanation.knowledge_bases);
    heading(&mut text, paper, "What its calls use");
    let rows: Vec<[String; 3]> = explanation
        .effective
        .iter()
        .map(|fact| [fact.name.to_owned(), short(&fact.value), fact.from.clone()])
        .collect();
    table(&mut text, paper, &rows);
    heading(&mut text, paper, "Every field");
    let rows: Vec<[String; 3]> = explanation
        .fields
        .iter()
        .map(|field| [field.path.clone(), short(&value(&field.value)), field.source.as_text()])
        .collect();
    table(&mut text, paper, &rows);
    for note in &explanation.notes {
        text.push('\n');
        text.push_str(&paper.paragraph("", Tone::Wait, note));
    }
    text
}

fn heading(text: &mut String, paper: &Paper, words: &str) {
    text.push('\n');
    text.push_str(&paper.line(&[(Tone::Strong, words)]));
    text.push('\n');
}

fn section(text: &mut String, paper: &Paper, words: &str, nodes: &[Node]) {
    heading(text, paper, words);
    if nodes.is_empty() {
        text.push_str(&paper.line(&[(Tone::Quiet, "none")]));
        text.push('\n');
    } else {
        text.push_str(&tree(nodes, paper));
    }
}

/// Three columns. The last is the source, which is what this command is for: it is never cut for a long value.
fn table(text: &mut String, paper: &Paper, rows: &[[String; 3]]) {
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (wide(0), wide(1));
    for [name, value, from] in rows {
        let name = format!("{name:first$}  ");
        let value = format!("{value:second$}  ");
        text.push_str(&paper.line(&[(Tone::Plain, &name), (Tone::Strong, &value), (Tone::Quiet, from)]));
        text.push('\n');
    }
}

/// A value on one line: texts as they are, lists by their names.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| entry["name"].as_str().map_or_else(|| self::value(entry), str::to_owned))
                .collect();
            format!("[{}]", entries.join(", "))
        }
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    let flat = crate::paper::clean(text);
    if flat.chars().count() <= LONGEST_VALUE {
        return flat;
    }
    let cut: String = flat.chars().take(LONGEST_VALUE - 1).collect();
    format!("{}…", cut.trim_end())
}
