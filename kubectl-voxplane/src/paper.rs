//! Text for people: cut or wrapped to a width, with or without colours. Nothing that comes from an object can reach the
//! terminal as a control sequence.

use std::io::IsTerminal as _;

/// What a piece of text means; a colour, where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it comes.
    Plain,
    /// A heading.
    Strong,
    /// It is well.
    Good,
    /// It passes.
    Wait,
    /// It is broken.
    Bad,
    /// Less important.
    Quiet,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Wait => "\u{1b}[33m",
            Self::Bad => "\u{1b}[1;31m",
            Self::Quiet => "\u{1b}[2m",
        }
    }
}

const RESET: &str = "\u{1b}[0m";

/// What text is written on.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Columns; `None`: as many as it takes.
    pub width: Option<usize>,
    /// Whether colours are shown.
    pub colour: bool,
}

impl Paper {
    /// Standard output: as wide as the terminal, and without limits and colours when it is none.
    #[must_use]
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        // Some terminals claim to have no columns.
        Self { width: width.filter(|width| terminal && *width > 0), colour: terminal && !forbidden }
    }

    /// No colours.
    #[must_use]
    pub const fn plain(width: Option<usize>) -> Self {
        Self { width, colour: false }
    }

    /// One line of pieces, cut to the width.
    #[must_use]
    pub fn line(&self, pieces: &[(Tone, &str)]) -> String {
        let cleaned: Vec<(Tone, String)> = pieces.iter().map(|(tone, text)| (*tone, clean(text))).collect();
        let length: usize = cleaned.iter().map(|(_, text)| text.chars().count()).sum();
        let mut room = self.width.unwrap_or(usize::MAX);
        let cut = length > room;
        if cut {
            room = room.saturating_sub(1);
        }
        let mut line = String::new();
        for (tone, text) in cleaned {
            let part: String = text.chars().take(room).collect();
            room = room.saturating_sub(part.chars().count());
            self.paint(&mut line, tone, &part);
        }
        if cut {
            line.push('…');
        }
        if self.colour { line } else { line.trim_end().to_owned() }
    }

    /// A paragraph in lines that begin with `indent`, where there is room for it.
    #[must_use]
    pub fn paragraph(&self, indent: &str, tone: Tone, text: &str) -> String {
        let narrow = self.width.is_some_and(|width| width < 3 * indent.chars().count());
        let indent = if narrow { "" } else { indent };
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(indent.chars().count()).max(1));
        let mut lines: Vec<String> = vec![String::new()];
        for word in clean(text).split_whitespace() {
            for piece in pieces_of(word, room) {
                let last = lines.last().map_or(0, |line| line.chars().count());
                let fits = last == 0 || last + 1 + piece.chars().count() <= room;
                match lines.last_mut() {
                    Some(line) if fits => {
                        if last > 0 {
                            line.push(' ');
                        }
                        line.push_str(&piece);
                    }
                    _ => lines.push(piece),
                }
            }
        }
        let mut text = String::new();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            text.push_str(indent);
            self.paint(&mut text, tone, line);
            text.push('\n');
        }
        text
    }

    fn paint(&self, into: &mut String, tone: Tone, text: &str) {
        if self.colour && tone != Tone::Plain && !text.is_empty() {
            into.push_str(tone.code());
            into.push_str(text);
            into.push_str(RESET);
        } else {
            into.push_str(text);
        }
    }
}

/// A word in pieces of at most `room` characters.
fn pieces_of(word: &str, room: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters.chunks(room.min(letters.len()).max(1)).map(|piece| piece.iter().collect()).collect()
}

/// Text without control characters: what an object holds must not steer the terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_paragraphs_wrapped_at_every_width() {
        let text = "there is no Secret \"llm\" in this namespace, and extraordinarilylongwords are broken";
        for width in 1..120 {
            let paper = Paper::plain(Some(width));
            let line = paper.line(&[(Tone::Bad, text), (Tone::Plain, text)]);
            assert!(line.chars().count() <= width, "{width}: {line}");
            for indent in ["", "  ", "         "] {
                for line in paper.paragraph(indent, Tone::Plain, text).lines() {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
            }
            let together: String = paper.paragraph("", Tone::Plain, text).split_whitespace().collect();
            assert_eq!(together, text.split_whitespace().collect::<String>(), "no letter is lost");
        }
    }

    #[test]
    fn colours_take_no_room_and_end() {
        let paper = Paper { width: Some(4), colour: true };
        assert_eq!(paper.line(&[(Tone::Good, "abc"), (Tone::Plain, "d")]), "\u{1b}[32mabc\u{1b}[0md");
        assert_eq!(paper.line(&[(Tone::Good, "abcde")]), "\u{1b}[32mabc\u{1b}[0m…");
    }

    #[test]
    fn control_sequences_of_objects_do_not_reach_the_terminal() {
        let paper = Paper::plain(None);
        assert_eq!(paper.line(&[(Tone::Plain, "a\u{1b}[2Jb")]), "a [2Jb");
        assert_eq!(paper.paragraph("", Tone::Plain, "a\u{1b}[2Jb\nc"), "a [2Jb c\n");
    }
}
