//! Cuts text into clauses: the units that are synthesised one after the other, so that the first is heard early.

/// The first clause may end at a comma from this length on: it decides when the caller hears something.
const FIRST_SOFT_BREAK: usize = 24;
/// Later clauses may end at a comma from this length on.
const SOFT_BREAK: usize = 80;
/// A clause is cut at a space here even without punctuation.
const HARD_BREAK: usize = 240;
/// Words whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 16] =
    ["dr", "mr", "mrs", "ms", "prof", "st", "no", "vs", "e.g", "i.e", "a.m", "p.m", "approx", "ext", "jr", "sr"];

/// Splits a stream of text.
#[derive(Debug, Default)]
pub(crate) struct ClauseSplitter {
    buffer: String,
    emitted: bool,
}

impl ClauseSplitter {
    /// Takes more text and returns the clauses it completes.
    pub(crate) fn push(&mut self, text: &str) -> Vec<String> {
        self.buffer.extend(text.chars().filter_map(speakable));
        let mut clauses = Vec::new();
        while let Some(cut) = self.next_cut() {
            let rest = self.buffer.split_off(cut);
            let clause = std::mem::replace(&mut self.buffer, rest);
            self.emit(&clause, &mut clauses);
        }
        clauses
    }

    /// The text is complete: returns what is left.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.buffer);
        let mut clauses = Vec::new();
        self.emit(&rest, &mut clauses);
        clauses.pop()
    }

    fn emit(&mut self, clause: &str, clauses: &mut Vec<String>) {
        let clause = clause.split_whitespace().collect::<Vec<_>>().join(" ");
        if clause.chars().any(char::is_alphanumeric) {
            self.emitted = true;
            clauses.push(clause);
        }
    }

    /// Byte offset after which a clause ends, if one is complete.
    fn next_cut(&self) -> Option<usize> {
        let soft = if self.emitted { SOFT_BREAK } else { FIRST_SOFT_BREAK };
        let mut last_space = None;
        let mut characters = self.buffer.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let end = at + character.len_utf8();
            let next = characters.peek().map(|(_, next)| *next);
            let before_space = next.is_some_and(char::is_whitespace);
            let ends = match character {
                '。' | '！' | '？' | '\n' => true,
                '!' | '?' | '…' => before_space,
                '.' => before_space && !is_abbreviation(&self.buffer[..at]),
                ',' | ';' | ':' | '—' | '–' => before_space && end >= soft,
                _ => false,
            };
            if ends && self.buffer[..end].chars().any(char::is_alphanumeric) {
                return Some(end);
            }
            if character.is_whitespace() {
                last_space = Some(at);
            }
            if end >= HARD_BREAK {
                return Some(last_space.filter(|space| *space > 0).unwrap_or(end));
            }
        }
        None
    }
}

/// Cuts a complete text.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut splitter = ClauseSplitter::default();
    let mut clauses = splitter.push(text);
    clauses.extend(splitter.finish());
    clauses
}

/// Leaves out markup that models write and voices read aloud.
fn speakable(character: char) -> Option<char> {
    match character {
        '*' | '`' | '#' | '_' => None,
        other => Some(other),
    }
}

/// Whether the full stop after this text belongs to its last word: an abbreviation, or an initial.
fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default().trim_start_matches(['(', '"', '\'']);
    let lower = word.to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    initial || ABBREVIATIONS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let cases: [(&str, &[&str]); 9] = [
            ("Hello. How are you?", &["Hello.", "How are you?"]),
            ("Dr. Lee is in at 8.30 a.m. on Monday.", &["Dr. Lee is in at 8.30 a.m. on Monday."]),
            (
                "We open at nine on weekdays, and at ten on Saturday.",
                &["We open at nine on weekdays,", "and at ten on Saturday."],
            ),
            ("Yes, of course.", &["Yes, of course."]),
            ("**Bold** and `code`", &["Bold and code"]),
            ("First line\nSecond line", &["First line", "Second line"]),
            ("...  — !", &[]),
            ("こんにちは。元気ですか？", &["こんにちは。", "元気ですか？"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_punctuation_is_cut_at_a_space() {
        let clauses = split(&"word ".repeat(100));
        assert!(clauses.len() >= 2);
        assert!(clauses.iter().all(|clause| clause.len() <= HARD_BREAK && clause.ends_with("word")));
    }

    proptest! {
        #[test]
        fn tokens_and_the_whole_text_give_the_same_words(text in "[a-zA-Z ,.!?0-9]{0,400}", size in 1usize..9) {
            let mut splitter = ClauseSplitter::default();
            let characters: Vec<char> = text.chars().collect();
            let mut streamed = Vec::new();
            for token in characters.chunks(size) {
                streamed.extend(splitter.push(&token.iter().collect::<String>()));
            }
            streamed.extend(splitter.finish());
            let letters = |parts: &[String]| parts.concat().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let wanted: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
            prop_assert_eq!(letters(&streamed), wanted.clone());
            prop_assert_eq!(letters(&split(&text)), wanted);
        }
    }
}
