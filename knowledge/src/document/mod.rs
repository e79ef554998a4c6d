//! A text of any format as paragraphs under their headings. Pure.

mod csv;
mod html;

use std::fmt;

/// A longer line is no heading, whatever it begins with.
const LONGEST_HEADING: usize = 200;

/// What a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Paragraphs separated by empty lines.
    Text,
    /// Markdown: as text, and lines that begin with `#` are headings.
    #[default]
    Markdown,
    /// HTML: headings, paragraphs, lists and rows of tables; scripts and styles are left out.
    Html,
    /// Rows of values below a row of names.
    Csv,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Csv => "csv",
        })
    }
}

/// A block of text that belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// The headings that it stands under, outermost first, with their marks (`# Prices`).
    pub headings: Vec<String>,
    /// Its lines, trimmed, without empty ones.
    pub text: String,
    /// It is a passage by itself: a row of a table.
    pub alone: bool,
}

/// The paragraphs of a text, in order. Every word of the text is in one of them or in a heading of one; of HTML, every
/// word that a reader sees.
#[must_use]
pub fn read(format: Format, text: &str) -> Vec<Paragraph> {
    match format {
        Format::Text => Outline::default().read(text, false),
        Format::Markdown => Outline::default().read(text, true),
        Format::Html => Outline::default().read(&html::to_markdown(text), true),
        Format::Csv => csv::rows(text),
    }
}

/// The headings above the line being read.
#[derive(Default)]
struct Outline {
    open: Vec<Heading>,
    lines: Vec<String>,
    found: Vec<Paragraph>,
}

struct Heading {
    level: usize,
    line: String,
    /// Whether a paragraph stands under it.
    used: bool,
}

impl Outline {
    fn read(mut self, text: &str, with_headings: bool) -> Vec<Paragraph> {
        for line in text.lines().map(str::trim) {
            match heading_level(line).filter(|_| with_headings) {
                Some(level) => {
                    self.end_paragraph();
                    self.close_to(level);
                    self.open.push(Heading { level, line: line.to_owned(), used: false });
                }
                None if line.is_empty() => self.end_paragraph(),
                None => self.lines.push(line.to_owned()),
            }
        }
        self.end_paragraph();
        self.close_to(0);
        self.found
    }

    fn end_paragraph(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        for heading in &mut self.open {
            heading.used = true;
        }
        let text = std::mem::take(&mut self.lines).join("\n");
        self.found.push(Paragraph { headings: self.path(), text, alone: false });
    }

    /// Leaves the headings of this level and deeper ones. One without any text is a paragraph: its words count.
    fn close_to(&mut self, level: usize) {
        while let Some(heading) = self.open.pop_if(|heading| heading.level >= level) {
            if !heading.used {
                for above in &mut self.open {
                    above.used = true;
                }
                self.found.push(Paragraph { headings: self.path(), text: heading.line, alone: false });
            }
        }
    }

    fn path(&self) -> Vec<String> {
        self.open.iter().map(|heading| heading.line.clone()).collect()
    }
}

/// The level of a heading (`## Prices`: 2); `None` for any other line.
#[must_use]
pub fn heading_level(line: &str) -> Option<usize> {
    let marks = line.bytes().take_while(|byte| *byte == b'#').count();
    let heading = (1..=6).contains(&marks) && line[marks..].starts_with(' ') && line.chars().count() <= LONGEST_HEADING;
    heading.then_some(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format, text: &str) -> Vec<(String, String)> {
        let paragraphs = read(format, text);
        paragraphs.into_iter().map(|paragraph| (paragraph.headings.join(" > "), paragraph.text)).collect()
    }

    fn pair(headings: &str, text: &str) -> (String, String) {
        (headings.to_owned(), text.to_owned())
    }

    #[test]
    fn paragraphs_know_all_headings_above_them() {
        let text =
            "Welcome.\n\n# Clinic\nMaple Street.\n## Prices\n### Adults\nFifty.\n\nAsk.\n## Hours\nNine to five.";
        assert_eq!(
            shown(Format::Markdown, text),
            [
                pair("", "Welcome."),
                pair("# Clinic", "Maple Street."),
                pair("# Clinic > ## Prices > ### Adults", "Fifty."),
                pair("# Clinic > ## Prices > ### Adults", "Ask."),
                pair("# Clinic > ## Hours", "Nine to five."),
            ]
        );
    }

    #[test]
    fn a_heading_without_text_is_a_paragraph_and_text_has_none() {
        assert_eq!(shown(Format::Markdown, "# A\n# B\n## C\nd"), [pair("", "# A"), pair("# B > ## C", "d")]);
        assert_eq!(shown(Format::Markdown, "# Only a heading"), [pair("", "# Only a heading")]);
        assert_eq!(shown(Format::Markdown, "# A\n## B"), [pair("# A", "## B")]);
        assert_eq!(shown(Format::Text, "# 1 in the city\n#hash"), [pair("", "# 1 in the city\n#hash")]);
        assert_eq!(read(Format::Markdown, " \n\t\n"), []);
    }

    #[test]
    fn html_is_what_a_reader_sees() {
        let page = "<!doctype html><title>Shop</title><style>p{}</style><script>if (1 < 2) { x('<p>') }</script>\
                    <h1>Opening <em>hours</em></h1><p>Monday&nbsp;to\n Friday, 9&ndash;5.<br>Closed on Sunday.</p>\
                    <ul><li>Parking</li><li>Lift</li></ul>\
                    <table><tr><th>Cleaning</th><td>$80</td></tr><tr><th>Check-up</th><td>$50</td></tr></table>";
        assert_eq!(
            shown(Format::Html, page),
            [
                pair("# Opening hours", "Monday to Friday, 9–5.\nClosed on Sunday."),
                pair("# Opening hours", "- Parking\n- Lift"),
                pair("# Opening hours", "- Cleaning, $80\n- Check-up, $50"),
            ]
        );
        assert_eq!(shown(Format::Html, "no tags <unclosed"), [pair("", "no tags")]);
    }

    #[test]
    fn every_row_is_a_passage_with_its_names() {
        let rows = read(Format::Csv, "Treatment;Price\nCleaning;80 dollars\n\n\"Crown; ceramic\";900 dollars;extra\n");
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(
            texts,
            ["Treatment: Cleaning; Price: 80 dollars", "Treatment: Crown; ceramic; Price: 900 dollars; extra"]
        );
        assert!(rows.iter().all(|row| row.alone));
        assert_eq!(read(Format::Csv, "Only,names")[0].text, "Only, names");
        assert_eq!(read(Format::Csv, ""), []);
    }
}
