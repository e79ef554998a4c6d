//! HTML as Markdown: what a reader sees, and of its tags only headings, paragraphs, lists and rows.

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// What stands between these is not shown on a page.
const UNSEEN: [&[u8]; 6] = [b"script", b"style", b"template", b"noscript", b"svg", b"title"];
/// These begin and end a paragraph.
const BLOCKS: [&[u8]; 22] = [
    b"p",
    b"div",
    b"section",
    b"article",
    b"header",
    b"footer",
    b"main",
    b"aside",
    b"nav",
    b"ul",
    b"ol",
    b"dl",
    b"table",
    b"form",
    b"blockquote",
    b"pre",
    b"address",
    b"fieldset",
    b"figure",
    b"hr",
    b"body",
    b"option",
];

/// The page as Markdown.
pub(super) fn to_markdown(page: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    // Scripts hold what looks like tags.
    emitter.naively_switch_states(true);
    let mut writer = Writer::default();
    for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
        match token {
            Token::StartTag(tag) => writer.start(&tag.name, tag.self_closing),
            Token::EndTag(tag) => writer.end(&tag.name),
            Token::String(text) => writer.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    writer.end_line();
    writer.page
}

#[derive(Default)]
struct Writer {
    page: String,
    line: String,
    /// The unseen element that is open, and how many of its name.
    unseen: Option<(Vec<u8>, usize)>,
    heading: bool,
    cells: usize,
}

impl Writer {
    fn start(&mut self, name: &[u8], closed: bool) {
        if let Some((open, depth)) = &mut self.unseen {
            *depth += usize::from(open == name && !closed);
            return;
        }
        if UNSEEN.contains(&name) && !closed {
            self.unseen = Some((name.to_vec(), 1));
            return;
        }
        match name {
            b"br" if self.heading => self.line.push(' '),
            b"br" => self.end_line(),
            b"li" | b"dt" | b"dd" => {
                self.end_line();
                self.line.push_str("- ");
            }
            b"tr" => {
                self.end_line();
                self.line.push_str("- ");
                self.cells = 0;
            }
            b"td" | b"th" => {
                if self.cells > 0 {
                    self.line.truncate(self.line.trim_end().len());
                    self.line.push_str(", ");
                }
                self.cells += 1;
            }
            [b'h', level @ b'1'..=b'6'] => {
                self.end_block();
                self.heading = true;
                self.line = format!("{} ", "#".repeat(usize::from(level - b'0')));
            }
            _ if BLOCKS.contains(&name) && !self.heading => self.end_block(),
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        if let Some((open, depth)) = &mut self.unseen {
            *depth -= usize::from(open == name);
            if *depth == 0 {
                self.unseen = None;
            }
            return;
        }
        match name {
            [b'h', b'1'..=b'6'] => {
                self.heading = false;
                self.end_block();
            }
            _ if BLOCKS.contains(&name) && !self.heading => self.end_block(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.unseen.is_some() {
            return;
        }
        for character in text.chars() {
            if !character.is_whitespace() {
                self.line.push(character);
            } else if !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        // A mark without its text.
        if !matches!(line, "" | "-") && line.bytes().any(|byte| byte != b'#') {
            self.page.push_str(line);
            self.page.push('\n');
        }
    }

    fn end_block(&mut self) {
        self.end_line();
        if !self.page.is_empty() && !self.page.ends_with("\n\n") {
            self.page.push('\n');
        }
    }
}
