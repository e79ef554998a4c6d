//! Texts, keys, phrases and conditions of each node.

use std::collections::BTreeMap;

use super::{expression, path};
use crate::variables::{Fault, Names};
use crate::voice_agent::flow::{Listen, Menu, Node, Retry, Step};

/// What is wrong inside a node.
pub(super) fn check(node: &Node, names: &Names) -> Vec<Fault> {
    let texts = texts(node).into_iter().filter_map(|(field, text)| {
        let problem = names.check(text).err()?;
        Some(Fault::new(path(node, &field), problem))
    });
    let more = match node.step() {
        Some(Step::Menu(menu)) => options(node, menu),
        Some(Step::Listen(listen)) => answers(node, listen),
        Some(Step::Condition(condition)) => {
            let branches = condition.branches.iter().enumerate();
            let wrong = branches.filter_map(|(n, branch)| {
                let problem = expression::check(&branch.when, names).err()?;
                Some(Fault::new(path(node, &format!("branches[{n}].when")), problem))
            });
            wrong.collect()
        }
        Some(Step::Agent(agent)) => wordless(node, "phrases", &agent.phrases),
        _ => Vec::new(),
    };
    texts.chain(more).collect()
}

/// The texts of a node with their fields.
pub(super) fn texts(node: &Node) -> Vec<(String, &str)> {
    let Some(step) = node.step() else { return Vec::new() };
    match step {
        Step::Greet(greet) => one(greet.text.as_deref()),
        Step::Say(say) => one(Some(&say.text)),
        Step::Hangup(hangup) => one(hangup.text.as_deref()),
        Step::Listen(listen) => asked(&listen.text, listen.no_input.as_ref(), listen.no_match.as_ref()),
        Step::Menu(menu) => asked(&menu.text, menu.no_input.as_ref(), menu.no_match.as_ref()),
        Step::Set(set) => {
            set.variables.iter().map(|one| (format!("variables[{}].value", one.name), one.value.as_str())).collect()
        }
        Step::Agent(agent) => {
            agent.instructions.iter().map(|text| ("instructions".to_owned(), text.as_str())).collect()
        }
        Step::Condition(_) => Vec::new(),
    }
}

fn one(text: Option<&str>) -> Vec<(String, &str)> {
    text.map(|text| ("text".to_owned(), text)).into_iter().collect()
}

fn asked<'a>(text: &'a str, no_input: Option<&'a Retry>, no_match: Option<&'a Retry>) -> Vec<(String, &'a str)> {
    let retry = |field: &str, retry: Option<&'a Retry>| Some((field.to_owned(), retry?.text.as_deref()?));
    [Some(("text".to_owned(), text)), retry("noInput.text", no_input), retry("noMatch.text", no_match)]
        .into_iter()
        .flatten()
        .collect()
}

fn options(node: &Node, menu: &Menu) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    let mut phrases: BTreeMap<String, usize> = BTreeMap::new();
    for (n, option) in menu.options.iter().enumerate() {
        if let Some(key) = &option.key
            && let Some(first) = keys.insert(key, n)
        {
            let problem = format!("key {key} already chooses options[{first}]: give one of them another key");
            faults.push(Fault::new(path(node, &format!("options[{n}].key")), problem));
        }
        let field = format!("options[{n}].phrases");
        faults.extend(wordless(node, &field, &option.phrases));
        for phrase in &option.phrases {
            let first = phrases.insert(folded(phrase), n).filter(|first| *first != n);
            if let Some(first) = first {
                let problem = format!("{phrase:?} already chooses options[{first}]: say it in other words");
                faults.push(Fault::new(path(node, &field), problem));
            }
        }
    }
    faults
}

fn answers(node: &Node, listen: &Listen) -> Vec<Fault> {
    let mut faults = wordless(node, "yesPhrases", &listen.yes_phrases);
    faults.extend(wordless(node, "noPhrases", &listen.no_phrases));
    let yes: Vec<String> = listen.yes().into_iter().map(folded).collect();
    if let Some(both) = listen.no().into_iter().find(|no| yes.contains(&folded(no))) {
        faults.push(Fault::new(path(node, "noPhrases"), format!("{both:?} means yes too: remove it from one of them")));
    }
    if crate::variables::is_reserved(&listen.variable) {
        let problem = format!("{:?} has a meaning of its own: use another name", listen.variable);
        faults.push(Fault::new(path(node, "variable"), problem));
    }
    faults
}

fn wordless(node: &Node, field: &str, phrases: &[String]) -> Vec<Fault> {
    let empty = phrases.iter().filter(|phrase| folded(phrase).is_empty());
    empty.map(|phrase| Fault::new(path(node, field), format!("{phrase:?} has no words: remove it"))).collect()
}

/// Lower-case words without punctuation: what is compared with what callers say.
fn folded(phrase: &str) -> String {
    let word =
        |word: &str| -> String { word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    phrase.split_whitespace().map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
