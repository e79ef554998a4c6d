//! The smallest pieces that a passage is put together from.

use unicode_segmentation::UnicodeSegmentation as _;

use super::Strategy;
use crate::document::Paragraph;

/// A piece that is not cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) text: String,
    /// What stands before it in a passage.
    pub(super) glue: char,
    /// It begins a paragraph that should stay whole, of so many characters.
    pub(super) begins: Option<usize>,
}

/// The units of a paragraph, none longer than `longest` characters.
pub(super) fn units(paragraph: &Paragraph, strategy: Strategy, longest: usize) -> Vec<Unit> {
    let lines = match strategy {
        Strategy::Semantic | Strategy::Fixed => joined(&paragraph.text),
        Strategy::Turns => paragraph.text.lines().map(str::to_owned).collect(),
    };
    let length = lines.iter().map(|line| line.chars().count() + 1).sum::<usize>().saturating_sub(1);
    let mut units = Vec::new();
    for line in &lines {
        let pieces: Vec<&str> = match strategy {
            Strategy::Semantic => line.split_sentence_bounds().map(str::trim).filter(|one| !one.is_empty()).collect(),
            Strategy::Fixed => line.split_whitespace().collect(),
            Strategy::Turns => vec![line],
        };
        for (at, piece) in pieces.into_iter().flat_map(|piece| words_in_groups(piece, longest)).enumerate() {
            let begins = (units.is_empty() && strategy == Strategy::Semantic).then_some(length);
            units.push(Unit { text: piece, glue: if at == 0 { '\n' } else { ' ' }, begins });
        }
    }
    units
}

/// Lines of prose are joined, lines of a list or a table are not.
fn joined(paragraph: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in paragraph.lines() {
        match lines.last_mut() {
            Some(last) if !is_item(line) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn is_item(line: &str) -> bool {
    let numbered = line.split_once(['.', ')']).is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.len() <= 3
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.starts_with(' ')
    });
    numbered || ["- ", "* ", "+ ", "• ", "|"].iter().any(|mark| line.starts_with(mark))
}

/// A piece that is too long by itself is cut between words, and a word that is too long anywhere.
fn words_in_groups(piece: &str, longest: usize) -> Vec<String> {
    if piece.chars().count() <= longest {
        return vec![piece.to_owned()];
    }
    let mut groups: Vec<String> = Vec::new();
    for word in piece.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(longest) {
            match groups.last_mut() {
                Some(last) if last.chars().count() + 1 + part.len() <= longest => {
                    last.push(' ');
                    last.extend(part);
                }
                _ => groups.push(part.iter().collect()),
            }
        }
    }
    groups
}
