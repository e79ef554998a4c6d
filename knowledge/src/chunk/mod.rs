//! Cuts paragraphs into passages. Pure.
//!
//! A passage is what the language model reads, and what the offline model answers with, so it should be about one thing:
//! paragraphs are kept whole where they fit, every passage carries the headings it stands under, and a paragraph that is
//! too long is cut between sentences. Where a section is cut, a passage may repeat the end of the one before.

mod plan;
mod units;

pub use self::plan::{CHARACTERS_PER_TOKEN, Plan, Strategy, tokens};

use unicode_segmentation::UnicodeSegmentation as _;

use self::units::{Unit, units};
use crate::document::Paragraph;

/// A paragraph of less than this share of a passage is joined with the next one of its section.
const SHORT: usize = 5;

/// A piece of a text, small enough to be read out or shown to a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// The headings that it stands under, one a line.
    pub context: String,
    /// What it repeats of the passage before.
    pub overlap: String,
    /// What it has for itself.
    pub own: String,
}

impl Passage {
    /// All of it, as it is stored.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.context.clone();
        for (part, glue) in [(&self.overlap, '\n'), (&self.own, if self.overlap.is_empty() { '\n' } else { ' ' })] {
            if !part.is_empty() {
                if !text.is_empty() {
                    text.push(glue);
                }
                text.push_str(part);
            }
        }
        text
    }
}

/// The passages of a text, in order. Every word is in the own part of one, or in its context.
#[must_use]
pub fn split(paragraphs: &[Paragraph], plan: &Plan) -> Vec<Passage> {
    let same_section = |a: &Paragraph, b: &Paragraph| !a.alone && !b.alone && a.headings == b.headings;
    paragraphs.chunk_by(same_section).flat_map(|section| cut(section, plan)).collect()
}

/// The passages of one section.
fn cut(section: &[Paragraph], plan: &Plan) -> Vec<Passage> {
    let (longest, overlap) = (plan.size * CHARACTERS_PER_TOKEN, plan.overlap * CHARACTERS_PER_TOKEN);
    let context = section.first().map(|first| first.headings.join("\n")).unwrap_or_default();
    // What follows the first passage may have to share its room with what is repeated, and the space between.
    let narrow = if overlap == 0 { longest } else { longest - overlap - 1 };
    let mut passages: Vec<Passage> = Vec::new();
    let mut open = String::new();
    let mut close = |open: &mut String| {
        if !open.is_empty() {
            let overlap = passages.last().map(|last| tail(&last.own, overlap)).unwrap_or_default();
            passages.push(Passage { context: context.clone(), overlap, own: std::mem::take(open) });
        }
        narrow
    };
    let mut room = longest;
    for Unit { text, glue, begins } in section.iter().flat_map(|paragraph| units(paragraph, plan.strategy, narrow)) {
        let with = |length: usize| open.chars().count() + 1 + length;
        let full = with(text.chars().count()) > room;
        // A paragraph is about something else: it begins a passage unless what stands there is very short, and fits.
        let apart = begins.is_some_and(|length| with(length) > room || open.chars().count() >= longest / SHORT);
        if !open.is_empty() && (full || apart) {
            room = close(&mut open);
        }
        if !open.is_empty() {
            open.push(glue);
        }
        open.push_str(&text);
    }
    close(&mut open);
    passages
}

/// The end of a text, of at most `longest` characters: whole sentences if there are such short ones, else whole words.
fn tail(text: &str, longest: usize) -> String {
    let fits = |at: &usize| text[*at..].chars().count() <= longest;
    let sentences = || text.split_sentence_bound_indices().map(|(at, _)| at);
    let words = || text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
    // Not the whole passage: it would be found twice.
    let start = sentences().skip(1).find(fits).or_else(|| words().find(fits));
    start.map(|start| text[start..].trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
