//! What words mean as an answer. Pure.

use super::program::MenuOption;
use crate::text;

/// The option that the caller's words choose: the one whose phrase is in them; of several, the one with the longest phrase.
pub(super) fn option(options: &[MenuOption], said: &str) -> Option<usize> {
    let said = text::folded(said);
    let phrases = options.iter().enumerate().flat_map(|(n, option)| option.phrases.iter().map(move |one| (n, one)));
    longest(phrases, &said)
}

/// Whether the caller's words mean yes (`Some(true)`), no, or neither.
pub(super) fn yes_or_no(yes: &[String], no: &[String], said: &str) -> Option<bool> {
    let said = text::folded(said);
    let phrases = yes.iter().map(|phrase| (true, phrase)).chain(no.iter().map(|phrase| (false, phrase)));
    longest(phrases, &said)
}

/// Digits in the caller's words: written, or spelt in English. `None` when there are other words between them, because a
/// number that was only half understood is none.
pub(super) fn digits(said: &str) -> Option<String> {
    let mut digits = String::new();
    for word in text::folded(said) {
        match digit(&word) {
            Some(digit) => digits.push(digit),
            None if word.chars().all(|c| c.is_ascii_digit()) => digits.push_str(&word),
            None if digits.is_empty() => {}
            None => return None,
        }
    }
    (!digits.is_empty()).then_some(digits)
}

fn digit(word: &str) -> Option<char> {
    const WORDS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let value = if word == "oh" { 0 } else { WORDS.iter().position(|known| *known == word)? };
    char::from_digit(u32::try_from(value).ok()?, 10)
}

/// Of the phrases that are in `said`, the longest; of equals the first.
fn longest<'a, T>(phrases: impl Iterator<Item = (T, &'a String)>, said: &[String]) -> Option<T> {
    let mut best: Option<(usize, T)> = None;
    for (what, phrase) in phrases {
        let phrase = text::folded(phrase);
        let found = !phrase.is_empty() && said.windows(phrase.len()).any(|window| window == phrase);
        if found && best.as_ref().is_none_or(|(length, _)| phrase.len() > *length) {
            best = Some((phrase.len(), what));
        }
    }
    best.map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(phrases: &[&[&str]]) -> Vec<MenuOption> {
        let option = |phrases: &&[&str]| MenuOption {
            key: None,
            phrases: phrases.iter().map(ToString::to_string).collect(),
            next: String::new(),
        };
        phrases.iter().map(option).collect()
    }

    #[test]
    fn words_choose_wherever_they_are_and_the_longest_phrase_wins() {
        let options = options(&[&["hours", "opening hours"], &["holiday opening hours"], &["an appointment"]]);
        for (said, expected) in [
            ("Opening hours, please.", Some(0)),
            ("the holiday opening hours", Some(1)),
            ("I would like AN APPOINTMENT", Some(2)),
            ("an, er, appointment", None),
            ("hour", None),
            ("", None),
        ] {
            assert_eq!(option(&options, said), expected, "{said}");
        }
    }

    #[test]
    fn no_thank_you_is_a_no_whatever_else_is_said() {
        let (yes, no) = (["yes", "right"].map(String::from), ["no", "not right"].map(String::from));
        for (said, expected) in
            [("Yes.", Some(true)), ("well, no", Some(false)), ("that is not right", Some(false)), ("maybe", None)]
        {
            assert_eq!(yes_or_no(&yes, &no, said), expected, "{said}");
        }
    }

    #[test]
    fn digits_are_written_or_spelt() {
        for (said, expected) in [
            ("four oh two", Some("402")),
            ("it is 40 2", Some("402")),
            ("my number is one two three", Some("123")),
            ("one two or three", None),
            ("none", None),
        ] {
            assert_eq!(digits(said).as_deref(), expected, "{said}");
        }
    }
}
