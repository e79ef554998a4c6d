//! From an agent's phrases to a grammar: normalisation, checks and JSGF text. Pure.

use std::{collections::BTreeSet, fmt::Write as _};

use super::dictionary::Dictionary;
use crate::providers::{ProviderError, Result};

/// Hesitations that may come before any phrase and are left out of the text.
const FILLERS: [&str; 2] = ["um", "uh"];
/// Words standing for one phone each, for the free reading. No dictionary word has an underscore.
const PHONE_PREFIX: &str = "g_";
/// The grammar is searched whole; beyond this it is neither quick nor reliable.
pub(super) const MAX_PHRASES: usize = 500;

/// What a decoder needs to know about an agent's phrases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grammar {
    /// Words with their phones, variants as `word(2)`; the free reading's phones included.
    pub(super) words: Vec<(String, String)>,
    /// JSGF of the phrases.
    pub(super) phrases: String,
    /// JSGF of the free reading.
    pub(super) phones: String,
}

impl Grammar {
    /// Compiles phrases. Case and punctuation do not matter.
    ///
    /// # Errors
    /// [`ProviderError::Config`] naming the phrase, the word and the fix.
    pub(super) fn compile(phrases: &[String], dictionary: &Dictionary) -> Result<Self> {
        if phrases.len() > MAX_PHRASES {
            let message = format!("{} phrases; at most {MAX_PHRASES} are recognised together", phrases.len());
            return Err(ProviderError::config("stt.options.phrases", message));
        }
        let spoken = phrases.iter().enumerate().map(|(n, phrase)| normalise(n, phrase)).collect::<Result<Vec<_>>>()?;
        let wanted: BTreeSet<&str> = spoken.iter().flatten().map(String::as_str).chain(FILLERS).collect();
        let found = dictionary.pronunciations(&wanted);
        for (n, phrase) in spoken.iter().enumerate() {
            if let Some(word) = phrase.iter().find(|word| !found.iter().any(|(known, _)| known == *word)) {
                let message = format!(
                    "the recogniser does not know the word {word:?}; write it as it is spoken (\"2\" as \"two\", \
                     \"Dr.\" as \"doctor\", \"checkup\" as \"check up\") or with another word"
                );
                return Err(ProviderError::config(format!("stt.options.phrases[{n}]"), message));
            }
        }
        let mut unique: Vec<String> = Vec::new();
        for phrase in spoken {
            let phrase = phrase.join(" ");
            if !unique.contains(&phrase) {
                unique.push(phrase);
            }
        }
        let mut words = found;
        let phone_words = dictionary.phones().iter().map(|phone| (phone_word(phone), phone.clone()));
        let names: Vec<String> = phone_words.clone().map(|(word, _)| word).collect();
        words.extend(phone_words);
        Ok(Self {
            words,
            phrases: jsgf(&format!("[ {} ] ( {} )", FILLERS.join(" | "), unique.join(" | "))),
            phones: jsgf(&format!("( {} )+", names.join(" | "))),
        })
    }
}

/// A recognised sentence without the hesitation before it.
pub(super) fn without_fillers(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if words.len() > 1 && FILLERS.contains(&words[0]) {
        words.remove(0);
    }
    // A lone filler is no phrase unless an agent lists it, and then it stays.
    words.join(" ")
}

fn normalise(index: usize, phrase: &str) -> Result<Vec<String>> {
    let field = || format!("stt.options.phrases[{index}]");
    if let Some(strange) = phrase.chars().find(|c| !c.is_ascii() && !matches!(c, '’' | '–' | '—' | '…' | '“' | '”'))
    {
        let message = format!("the character {strange:?} cannot be spoken by this recogniser; use English letters");
        return Err(ProviderError::config(field(), message));
    }
    let letters: String = phrase
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '\'' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            '’' => '\'',
            _ => ' ',
        })
        .collect();
    let words: Vec<String> = letters
        .split_whitespace()
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return Err(ProviderError::config(field(), "the phrase has no words; remove it"));
    }
    Ok(words)
}

fn phone_word(phone: &str) -> String {
    format!("{PHONE_PREFIX}{}", phone.to_ascii_lowercase())
}

fn jsgf(rule: &str) -> String {
    let mut text = String::from("#JSGF V1.0;\ngrammar g;\n");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "public <s> = {rule};");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary() -> Dictionary {
        Dictionary::parse(
            "are AA R\nare(2) ER\nat AE T\nhours AW ER Z\nopen OW P AH N\num AH M\nuh AH\nwe're W IY R\nyou Y UW\n"
                .into(),
        )
    }

    fn compile(phrases: &[&str]) -> Result<Grammar> {
        Grammar::compile(&phrases.iter().map(ToString::to_string).collect::<Vec<_>>(), &dictionary())
    }

    #[test]
    fn phrases_become_alternatives_after_an_optional_filler() {
        let grammar = compile(&["Are you open?", "We’re open!", "are you OPEN"]).unwrap();
        assert_eq!(
            grammar.phrases,
            "#JSGF V1.0;\ngrammar g;\npublic <s> = [ um | uh ] ( are you open | we're open );\n"
        );
        assert!(grammar.words.contains(&("are(2)".into(), "ER".into())));
        assert!(grammar.words.contains(&("g_aa".into(), "AA".into())));
        assert!(!grammar.words.iter().any(|(word, _)| word == "hours"), "only words in use are loaded");
    }

    #[test]
    fn an_unknown_word_is_named_with_its_phrase() {
        let error = compile(&["are you open", "are you open at 9"]).unwrap_err().to_string();
        assert!(error.starts_with("stt.options.phrases[1]: the recogniser does not know the word \"9\""), "{error}");
    }

    #[test]
    fn phrases_without_words_or_with_foreign_letters_are_refused() {
        assert!(compile(&["?!"]).unwrap_err().to_string().contains("phrases[0]: the phrase has no words"));
        assert!(compile(&["naïve"]).unwrap_err().to_string().contains('ï'));
        assert!(compile(&vec!["you"; MAX_PHRASES + 1]).is_err());
    }

    #[test]
    fn grammar_syntax_in_a_phrase_is_only_punctuation() {
        let grammar = compile(&["are | you; <open> (hours) /9.0"]);
        assert!(grammar.unwrap_err().to_string().contains("\"9\""));
        assert!(compile(&["are | you; <open> (hours)"]).unwrap().phrases.contains("( are you open hours )"));
    }

    #[test]
    fn fillers_before_a_phrase_are_left_out() {
        assert_eq!(without_fillers("um are you open"), "are you open");
        assert_eq!(without_fillers("um"), "um");
        assert_eq!(without_fillers(""), "");
    }
}
