//! From written text to text that can be spoken: markup goes, symbols become words. Pure.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Removes Markdown and tags, spells common symbols and reduces letters to ASCII. Language models are told to write
/// plain text and do not always; a caller must never hear "asterisk asterisk".
pub fn speakable(text: &str) -> String {
    let mut spoken = String::with_capacity(text.len());
    let lines: Vec<&str> = text.lines().map(without_line_markup).filter(|line| !line.is_empty()).collect();
    for (n, line) in lines.iter().enumerate() {
        let line = symbols(&without_inline_markup(line));
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            continue;
        }
        if !spoken.is_empty() {
            spoken.push(' ');
        }
        spoken.push_str(&line);
        // Items of a list are sentences of their own.
        if n + 1 < lines.len() && line.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            spoken.push('.');
        }
    }
    tidy(&spoken)
}

/// Heading marks, quotes and bullets at the start of a line; whole lines of rules and fences.
fn without_line_markup(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("```") || (line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '*' | '_' | '='))) {
        return "";
    }
    let line = line.trim_start_matches(['#', '>']).trim_start();
    let bullet = ["- ", "* ", "+ ", "• "].into_iter().find_map(|bullet| line.strip_prefix(bullet));
    bullet.unwrap_or(line).trim()
}

/// Links keep their text, tags and code marks go, emphasis goes where it surrounds words.
fn without_inline_markup(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['[', '<', '`', '*', '~', '_', '!']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((text, after)) = link(rest.strip_prefix('!').unwrap_or(rest)) {
            plain.push_str(&without_inline_markup(text));
            rest = after;
        } else if let Some(after) = tag(rest) {
            plain.push(' ');
            rest = after;
        } else {
            let mark = rest.as_bytes()[0];
            let keeps = match mark {
                b'!' | b'[' | b'<' => true,
                // "2 * 3" is not emphasis.
                b'*' => rest[1..].starts_with(' ') && plain.ends_with(' '),
                _ => false,
            };
            if keeps {
                plain.push(char::from(mark));
            } else if mark == b'_' && inside_word(&plain, &rest[1..]) {
                plain.push(' ');
            }
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain.replace("https://", "").replace("http://", "").replace("www.", "")
}

fn inside_word(before: &str, after: &str) -> bool {
    before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric)
}

/// `[text](address)` → text and what follows.
fn link(rest: &str) -> Option<(&str, &str)> {
    let (text, after) = rest.strip_prefix('[')?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    (!text.contains('[')).then_some((text, after))
}

/// `<tag attributes>` → what follows. "a < b" is not a tag.
fn tag(rest: &str) -> Option<&str> {
    let (inside, after) = rest.strip_prefix('<')?.split_once('>')?;
    let is_tag = inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    is_tag.then_some(after)
}

fn symbols(line: &str) -> String {
    let mut words = String::with_capacity(line.len());
    let mut characters = line.nfkd().filter(|c| !is_combining_mark(*c)).peekable();
    while let Some(c) = characters.next() {
        match c {
            '€' | '£' => {
                let mut amount = String::new();
                while let Some(digit) = characters.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | ',')) {
                    amount.push(digit);
                }
                // A full stop after the amount ends the sentence.
                let number = amount.trim_end_matches(['.', ',']);
                let unit = if c == '€' { "euros" } else { "pounds" };
                words.push_str(&format!("{number} {unit}{}", &amount[number.len()..]));
            }
            '&' => words.push_str(" and "),
            '%' => words.push_str(" percent"),
            '@' => words.push_str(" at "),
            '°' => words.push_str(" degrees"),
            '|' | '–' | '—' | ';' => words.push_str(", "),
            '‘' | '’' => words.push('\''),
            '“' | '”' | '"' => {}
            '⁄' => words.push('/'),
            '…' => words.push_str("..."),
            'ß' => words.push_str("ss"),
            'æ' => words.push_str("ae"),
            'ø' => words.push('o'),
            c if c.is_ascii() && !c.is_ascii_control() => words.push(c),
            c if c.is_whitespace() || c.is_control() => words.push(' '),
            // Emoji, other scripts: the voices have no sounds for them.
            _ => {}
        }
    }
    words
}

/// No space before punctuation, no doubled commas.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let only_marks = word.chars().all(|c| matches!(c, ',' | '.' | '!' | '?' | ':'));
        if only_marks && !tidy.is_empty() {
            if tidy.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                tidy.push_str(word);
            }
            continue;
        }
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_is_not_spoken() {
        let table = [
            ("plain text, as it is.", "plain text, as it is."),
            ("We are **open** from *nine* to _five_.", "We are open from nine to five."),
            ("# Hours\n- Monday\n- Friday", "Hours. Monday. Friday"),
            ("See [our page](https://example.com/a_b) now", "See our page now"),
            ("Use `code` and ~~not~~ this", "Use code and not this"),
            ("<speak>Hello <break time=\"1s\"/> there</speak>", "Hello there"),
            ("2 * 3 < 7", "2 * 3 < 7"),
            ("snake_case", "snake case"),
            ("```rust\ncode\n```", "code"),
            ("https://example.com", "example.com"),
        ];
        for (written, spoken) in table {
            assert_eq!(speakable(written), spoken, "{written:?}");
        }
    }

    #[test]
    fn symbols_become_words() {
        let table = [
            ("Salt & pepper, 50%", "Salt and pepper, 50 percent"),
            ("It costs €50.", "It costs 50 euros."),
            ("It costs $50.", "It costs $50."),
            ("Open Monday–Friday", "Open Monday, Friday"),
            ("Caf\u{e9} Zo\u{eb}, na\u{ef}ve", "Cafe Zoe, naive"),
            ("“Quoted”, it’s", "Quoted, it's"),
            ("Great 😀!", "Great!"),
            ("Wait…", "Wait..."),
            ("", ""),
            ("😀", ""),
        ];
        for (written, spoken) in table {
            assert_eq!(speakable(written), spoken, "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_printable_ascii(text in "\\PC{0,200}") {
            let spoken = speakable(&text);
            prop_assert!(spoken.chars().all(|c| c.is_ascii() && !c.is_ascii_control()), "{spoken:?}");
        }
    }
}
