//! Which sentences answer a question. Pure and deterministic.
//!
//! A sentence earns, for every topic word of the question it contains, that word's rarity among all sentences; words
//! later in the question count a little more, because English questions end with their topic. What it earns is
//! divided by what was to be had. Signs of the right kind of answer (an amount for "how much", a weekday for "when")
//! add to that, and alone they never make an answer unless the question has no other topic ("where are you?").

use std::collections::{BTreeMap, BTreeSet};

use super::terms::{Asks, terms};

/// Share of the question's topic a sentence must cover.
const MIN_COVERAGE: f64 = 0.34;
/// What one sign of the right kind of answer is worth, relative to full coverage, and how many count.
const SIGN: f64 = 0.15;
const MAX_SIGNS: usize = 3;
/// How much more the last topic word counts than the first.
const LAST_WORD: f64 = 0.3;
/// The sentence after the best one is said, too, when it covers at least this share of the topic.
const FOLLOWS: f64 = 0.4;
/// Longest answer in sentences: it is spoken.
const MAX_SENTENCES: usize = 2;

/// The sentences that answer, in order; empty when none does.
pub(super) fn answer(question: &str, passages: &[&str]) -> Vec<String> {
    let sentences: Vec<(usize, &str)> = passages
        .iter()
        .enumerate()
        .flat_map(|(passage, text)| sentences(text).into_iter().map(move |sentence| (passage, sentence)))
        .collect();
    let wanted = Wanted::new(question, &sentences);
    let scores: Vec<f64> = sentences.iter().map(|(_, sentence)| wanted.score(sentence)).collect();
    // The first of equals: passages come best first.
    let best = (0..scores.len()).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let Some(best) = best.filter(|&best| scores[best] > 0.0) else {
        return Vec::new();
    };
    let mut chosen = vec![on_one_line(sentences[best].1)];
    for next in best + 1..sentences.len() {
        let follows = sentences[next].0 == sentences[best].0 && wanted.coverage(sentences[next].1) >= FOLLOWS;
        if !follows || chosen.len() == MAX_SENTENCES {
            break;
        }
        chosen.push(on_one_line(sentences[next].1));
    }
    chosen
}

/// As it is said: without the headings above it, which only helped to find it.
fn on_one_line(sentence: &str) -> String {
    let said: Vec<&str> = sentence.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let said = if said.is_empty() { sentence.to_owned() } else { said.join(" ") };
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Wanted {
    /// Topic words and what each is worth.
    worth: BTreeMap<String, f64>,
    asks: Option<Asks>,
}

impl Wanted {
    fn new(question: &str, sentences: &[(usize, &str)]) -> Self {
        let asks = Asks::of(question);
        // "how much" is the kind of the question, not its topic.
        let mut topic = terms(question);
        topic.retain(|term| asks != Some(Asks::Price) || !matches!(term.as_str(), "much" | "cost" | "price"));
        topic.retain(|term| asks != Some(Asks::Place) || !matches!(term.as_str(), "address" | "locat"));
        topic.retain(|term| asks != Some(Asks::Duration) || term != "long");
        topic.dedup();
        let found: Vec<BTreeSet<String>> =
            sentences.iter().map(|(_, sentence)| terms(sentence).into_iter().collect()).collect();
        let count = topic.len();
        let worth = topic
            .into_iter()
            .enumerate()
            .map(|(place, term)| {
                let known = found.iter().filter(|sentence| sentence.contains(&term)).count();
                let rarity = (1.0 + (1 + sentences.len()) as f64 / (1 + known) as f64).ln();
                let weight = rarity * (1.0 + LAST_WORD * place as f64 / count.max(1) as f64);
                (term, weight)
            })
            .collect();
        Self { worth, asks }
    }

    /// 0.0 when the sentence is no answer.
    fn score(&self, sentence: &str) -> f64 {
        let signs = self.asks.map_or(0, |asks| asks.signs(sentence)).min(MAX_SIGNS) as f64 * SIGN;
        let coverage = self.coverage(sentence);
        if self.worth.is_empty() || coverage >= MIN_COVERAGE { coverage + signs } else { 0.0 }
    }

    /// Share of the question's topic that the sentence speaks of; 0.0 for a question without one.
    fn coverage(&self, sentence: &str) -> f64 {
        let terms: BTreeSet<String> = terms(sentence).into_iter().collect();
        let total: f64 = self.worth.values().sum();
        let covered: f64 = self.worth.iter().filter(|(term, _)| terms.contains(*term)).map(|(_, worth)| worth).sum();
        if total > 0.0 { covered / total } else { 0.0 }
    }
}

/// Sentences of a text. A full stop ends one only before a space and a capital letter, a digit or the end, so that
/// amounts and "Dr. Smith"-like abbreviations of up to three letters stay whole.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for paragraph in text.split("\n\n").flat_map(|block| block.split('\r')) {
        let mut start = 0;
        for (at, mark) in paragraph.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?')) {
            let after = &paragraph[at + mark.len_utf8()..];
            let ends = after.trim().is_empty()
                || (after.starts_with(char::is_whitespace)
                    && after.trim_start().starts_with(|c: char| c.is_uppercase() || c.is_numeric()));
            if ends && !(mark == '.' && is_abbreviation(&paragraph[start..at])) {
                found.push(paragraph[start..at + mark.len_utf8()].trim());
                start = at + mark.len_utf8();
            }
        }
        found.push(paragraph[start..].trim());
    }
    found.retain(|sentence| sentence.contains(char::is_alphanumeric));
    found
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    matches!(word, "Dr" | "Mr" | "Mrs" | "Ms" | "St" | "No" | "Prof" | "Jr" | "Sr")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: &str = "Our opening hours are Monday to Friday from nine in the morning to five in the afternoon.\n\n\
        We are located at twelve Maple Street. Parking is behind the house.\n\n\
        To make an appointment please call us during our opening hours.";
    const TREATMENTS: &str = "A check up costs fifty dollars.\n\nA cleaning costs eighty dollars.\n\n\
        Yes, we treat emergencies on the same day. In an emergency please come at once.\n\n\
        Children are welcome from the age of three.";

    #[test]
    fn questions_of_a_dental_clinic_get_their_sentences() {
        let table = [
            ("what are your opening hours", "Our opening hours are Monday to Friday"),
            ("when are you open", "Our opening hours are Monday to Friday"),
            ("where are you located", "We are located at twelve Maple Street."),
            ("what is your address", "We are located at twelve Maple Street."),
            ("how much is a check up", "A check up costs fifty dollars."),
            ("how much is a cleaning", "A cleaning costs eighty dollars."),
            ("do you treat emergencies", "Yes, we treat emergencies on the same day."),
            ("do you treat children", "Children are welcome from the age of three."),
            ("how do i make an appointment", "To make an appointment please call us"),
            ("is there any parking", "Parking is behind the house."),
        ];
        for passages in [[HOURS, TREATMENTS], [TREATMENTS, HOURS]] {
            for (question, expected) in table {
                let sentences = answer(question, &passages);
                assert!(
                    sentences.first().is_some_and(|first| first.starts_with(expected)),
                    "{question}: {sentences:?}"
                );
            }
        }
    }

    #[test]
    fn the_next_sentence_comes_along_when_it_is_about_the_same() {
        assert_eq!(answer("do you treat emergencies", &[TREATMENTS]).len(), 2);
        assert_eq!(answer("where are you located", &[HOURS]).len(), 1);
    }

    #[test]
    fn without_an_answer_there_is_none() {
        for question in ["do you sell bicycles", "what is the capital of france", "", "?!", "how much is a new car"] {
            assert!(answer(question, &[HOURS, TREATMENTS]).is_empty(), "{question}");
        }
        assert!(answer("what are your opening hours", &[]).is_empty());
    }

    #[test]
    fn headings_help_to_find_and_are_not_said() {
        let passage = "# Clinic\n## Opening hours\nMonday to Friday from nine to five. Closed on Sunday.";
        assert_eq!(answer("what are your opening hours", &[passage])[0], "Monday to Friday from nine to five.");
        assert_eq!(answer("what about opening hours", &["# Opening hours"]), ["# Opening hours"]);
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        assert_eq!(
            sentences("Dr. Lee costs $2.50. Come in! Is it 9 a.m. or later? yes"),
            ["Dr. Lee costs $2.50.", "Come in!", "Is it 9 a.m. or later? yes",]
        );
    }
}
