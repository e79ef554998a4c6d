//! Splits a text into passages. Pure.
//!
//! A passage is what the language model reads, and what the offline model answers with, so it should be about one
//! thing: paragraphs are kept whole where they fit, a heading goes with what follows it, and a paragraph that is too
//! long is cut between sentences.

/// Longest passage in characters: about 30 seconds of speech, and small enough for several of them in a prompt.
const LONGEST: usize = 600;
/// Paragraphs shorter than this are joined with the next one of the same section.
const SHORT: usize = 120;

/// The passages of a text, in order. Every word of the text is in one of them.
#[must_use]
pub fn split(text: &str) -> Vec<String> {
    let mut passages: Vec<String> = Vec::new();
    let mut heading: Vec<String> = Vec::new();
    let mut open = String::new();
    for paragraph in paragraphs(text) {
        if is_heading(&paragraph) {
            close(&mut open, &mut passages);
            heading.push(paragraph);
            continue;
        }
        let headed = match heading.is_empty() {
            true => paragraph,
            false => format!("{}\n{paragraph}", std::mem::take(&mut heading).join("\n")),
        };
        for piece in pieces(&headed) {
            let joined = open.chars().count() + 1 + piece.chars().count();
            if !open.is_empty() && (open.chars().count() >= SHORT || joined > LONGEST) {
                close(&mut open, &mut passages);
            }
            if !open.is_empty() {
                open.push('\n');
            }
            open.push_str(&piece);
        }
    }
    close(&mut open, &mut passages);
    if !heading.is_empty() {
        passages.push(heading.join("\n"));
    }
    passages
}

fn close(open: &mut String, passages: &mut Vec<String>) {
    if !open.is_empty() {
        passages.push(std::mem::take(open));
    }
}

/// Blocks between empty lines; lines of prose are joined, lines of a list are not.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = Vec::new();
    let mut current = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || is_heading(line) {
            close(&mut current, &mut paragraphs);
            if !line.is_empty() {
                paragraphs.push(line.to_owned());
            }
            continue;
        }
        if !current.is_empty() {
            current.push(if is_item(line) { '\n' } else { ' ' });
        }
        current.push_str(line);
    }
    close(&mut current, &mut paragraphs);
    paragraphs
}

fn is_heading(line: &str) -> bool {
    let marks = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&marks) && line[marks..].starts_with(' ') && !line.contains('\n')
}

fn is_item(line: &str) -> bool {
    let numbered = line.split_once(['.', ')']).is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.len() <= 3
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.starts_with(' ')
    });
    numbered || ["- ", "* ", "+ ", "• "].iter().any(|mark| line.starts_with(mark))
}

/// The paragraph, or its sentences in groups of at most [`LONGEST`] characters.
fn pieces(paragraph: &str) -> Vec<String> {
    if paragraph.chars().count() <= LONGEST {
        return vec![paragraph.to_owned()];
    }
    let mut pieces = Vec::new();
    let mut current = String::new();
    for sentence in sentences(paragraph).iter().flat_map(|sentence| words_in_groups(sentence)) {
        if !current.is_empty() && current.chars().count() + 1 + sentence.chars().count() > LONGEST {
            close(&mut current, &mut pieces);
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(&sentence);
    }
    close(&mut current, &mut pieces);
    pieces
}

/// Cuts after `.`, `!` or `?` before white space, and between the lines of a list. "Dr. Smith" is cut as well; both
/// halves usually land in the same passage.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut previous = ' ';
    for (at, character) in paragraph.char_indices() {
        if character == '\n' || (character.is_whitespace() && matches!(previous, '.' | '!' | '?')) {
            sentences.push(paragraph[start..at].trim());
            start = at;
        }
        previous = character;
    }
    sentences.push(paragraph[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// A sentence that is too long by itself is cut between words, and a word that is too long anywhere.
fn words_in_groups(sentence: &str) -> Vec<String> {
    let mut groups = Vec::new();
    let mut current = String::new();
    for word in sentence.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(LONGEST) {
            if !current.is_empty() && current.chars().count() + 1 + part.len() > LONGEST {
                close(&mut current, &mut groups);
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.extend(part);
        }
    }
    close(&mut current, &mut groups);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paragraphs_stay_whole_and_headings_go_with_what_follows() {
        let text = "# Opening hours\n\nWe are open Monday to Friday\nfrom eight to six, on Saturdays from nine to one. \
                    On public holidays we are closed, and an answering machine takes your message.\n\n\
                    ## Prices\n\n- A check-up costs fifty dollars.\n- A cleaning costs eighty dollars.\n";
        assert_eq!(
            split(text),
            [
                "# Opening hours\nWe are open Monday to Friday from eight to six, on Saturdays from nine to one. On \
                 public holidays we are closed, and an answering machine takes your message.",
                "## Prices\n- A check-up costs fifty dollars.\n- A cleaning costs eighty dollars.",
            ]
        );
    }

    #[test]
    fn long_paragraphs_are_cut_between_sentences() {
        let sentence = format!("{} end.", "word ".repeat(30).trim());
        let passages = split(&format!("{sentence} ").repeat(10));
        assert!(passages.len() > 1);
        assert!(passages.iter().all(|passage| passage.ends_with("end.") && passage.chars().count() <= LONGEST));
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(split(" \n\n\t\n").is_empty());
        assert_eq!(split("# Only a heading"), ["# Only a heading"]);
    }

    proptest! {
        #[test]
        fn every_word_is_kept_in_order_and_no_passage_is_too_long(text in "([ -~äöü€\n]{0,40}\n{0,3}){0,60}") {
            let passages = split(&text);
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&passages.concat()), letters(&text));
            for passage in &passages {
                // A heading may stand above a passage of full length.
                let body: String = passage.lines().filter(|line| !is_heading(line)).collect::<Vec<_>>().join("\n");
                prop_assert!(body.chars().count() <= LONGEST, "{}", body.chars().count());
            }
        }
    }
}
