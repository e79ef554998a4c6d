//! The tokenizer of uncased BERT models: lower case, no accents, punctuation by itself, then the longest known pieces of
//! every word. Pure.
//!
//! The algorithm is fixed by the published models (`BertTokenizer`, <https://github.com/google-research/bert>), and the
//! general tokenizer libraries bring training, several other algorithms and a regular expression engine along.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A longer word is unknown as a whole.
const LONGEST_WORD: usize = 100;

/// A vocabulary of word pieces.
#[derive(Debug)]
pub(super) struct WordPiece {
    pieces: HashMap<String, i64>,
    unknown: i64,
    begin: i64,
    end: i64,
}

impl WordPiece {
    /// Reads a vocabulary: one piece a line, numbered from 0. `None`: one of the special pieces is missing.
    pub(super) fn new(vocabulary: &str) -> Option<Self> {
        let pieces: HashMap<String, i64> = vocabulary.lines().map(str::to_owned).zip(0..).collect();
        let special = |piece: &str| pieces.get(piece).copied();
        let (unknown, begin, end) = (special("[UNK]")?, special("[CLS]")?, special("[SEP]")?);
        Some(Self { unknown, begin, end, pieces })
    }

    /// The numbers of a text's pieces between begin and end, at most `longest` of them altogether.
    pub(super) fn encode(&self, text: &str, longest: usize) -> Vec<i64> {
        let mut numbers = vec![self.begin];
        for word in words(text) {
            self.word(&word, &mut numbers);
            if numbers.len() >= longest - 1 {
                numbers.truncate(longest - 1);
                break;
            }
        }
        numbers.push(self.end);
        numbers
    }

    fn word(&self, word: &str, numbers: &mut Vec<i64>) {
        if word.chars().count() > LONGEST_WORD {
            return numbers.push(self.unknown);
        }
        let known = numbers.len();
        let mut rest = word;
        while !rest.is_empty() {
            let inside = rest.len() < word.len();
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends.map(|end| &rest[..end]).find_map(|piece| {
                let number = if inside { self.pieces.get(&format!("##{piece}")) } else { self.pieces.get(piece) };
                number.map(|number| (*number, piece.len()))
            });
            let Some((number, length)) = found else {
                numbers.truncate(known);
                return numbers.push(self.unknown);
            };
            numbers.push(number);
            rest = &rest[length..];
        }
    }
}

/// The words of a text; every mark of punctuation and every Chinese character is one.
fn words(text: &str) -> Vec<String> {
    let plain = text.to_lowercase();
    let mut words = Vec::new();
    let mut word = String::new();
    let mut close = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    for character in plain.nfd().filter(|c| !is_combining_mark(*c)) {
        if character.is_whitespace() {
            close(&mut word);
        } else if is_punctuation(character) || is_chinese(character) {
            close(&mut word);
            word.push(character);
            close(&mut word);
        } else if !character.is_control() && character != '\u{fffd}' {
            word.push(character);
        }
    }
    close(&mut word);
    words
}

/// As BERT has it: all of ASCII that is neither letter nor digit, and the punctuation of Unicode's blocks in common use.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff01}'..='\u{ff0f}'
            | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff3d}' | '\u{ff5b}'..='\u{ff65}')
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> WordPiece {
        WordPiece::new("[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n##a\nthe\n,\nwant\n##ed\nrunn\n##ing\na")
            .unwrap()
    }

    fn shown(text: &str) -> Vec<String> {
        let vocabulary = small();
        let names: HashMap<i64, String> = vocabulary.pieces.iter().map(|(name, id)| (*id, name.clone())).collect();
        vocabulary.encode(text, 32).iter().map(|id| names[id].clone()).collect()
    }

    #[test]
    fn words_are_the_longest_known_pieces() {
        assert_eq!(shown("UNwant\u{e9}d,running"), ["[CLS]", "[UNK]", ",", "runn", "##ing", "[SEP]"]);
        assert_eq!(shown("unaffable the wanted"), ["[CLS]", "un", "##aff", "##able", "the", "want", "##ed", "[SEP]"]);
        assert_eq!(shown("Ünaffable\u{0}"), ["[CLS]", "un", "##aff", "##able", "[SEP]"]);
        assert_eq!(shown(&"a".repeat(101)), ["[CLS]", "[UNK]", "[SEP]"]);
        assert_eq!(shown(""), ["[CLS]", "[SEP]"]);
        assert!(WordPiece::new("[CLS]\n[SEP]").is_none());
    }

    proptest! {
        #[test]
        fn every_text_is_encoded_within_bounds(text in "\\PC{0,200}", longest in 3..40usize) {
            let numbers = small().encode(&text, longest);
            prop_assert!((2..=longest).contains(&numbers.len()));
            prop_assert_eq!((numbers[0], numbers[numbers.len() - 1]), (2, 3));
        }
    }
}
