//! What callers of a flow may say: the vocabulary of a recogniser that knows phrases only.

use crate::voice_agent::flow::{AnswerKind, Flow, Step};

/// Spoken digits, for questions that one digit answers.
const DIGITS: [&str; 11] = ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// The phrases that the nodes of a flow listen for, each once. A digit is among them where one digit is an answer; longer
/// numbers are typed, because no list of phrases holds them.
#[must_use]
pub fn phrases(flow: &Flow) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |phrase: &str| {
        if !all.iter().any(|known| known.eq_ignore_ascii_case(phrase)) {
            all.push(phrase.to_owned());
        }
    };
    for node in &flow.nodes {
        match node.step() {
            Some(Step::Menu(menu)) => menu.options.iter().flat_map(|option| &option.phrases).for_each(|one| add(one)),
            Some(Step::Listen(listen)) => match listen.kind {
                AnswerKind::YesNo => listen.yes().into_iter().chain(listen.no()).for_each(&mut add),
                AnswerKind::Digits if listen.min_length == 1 => DIGITS.into_iter().for_each(&mut add),
                AnswerKind::Digits | AnswerKind::Text => {}
            },
            Some(Step::Agent(agent)) => agent.phrases.iter().for_each(|one| add(one)),
            _ => {}
        }
    }
    all
}

/// Whether a flow listens to whatever callers say, and not to its phrases only.
#[must_use]
pub fn hears_anything(flow: &Flow) -> bool {
    flow.nodes.iter().any(|node| match node.step() {
        Some(Step::Agent(_)) => true,
        Some(Step::Listen(listen)) => listen.kind == AnswerKind::Text,
        _ => false,
    })
}
