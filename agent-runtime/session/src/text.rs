//! Looking at words.

/// Words of a text: runs of characters between white space that contain a letter or digit.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric))
}

/// How many words a text has.
pub(crate) fn word_count(text: &str) -> u32 {
    u32::try_from(words(text).count()).unwrap_or(u32::MAX)
}

/// Lower-case words without punctuation, for comparing what was said with what was written.
pub(crate) fn folded(text: &str) -> Vec<String> {
    words(text)
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect())
        .collect()
}

/// Whether the caller's words are, or end with, one of the phrases.
pub(crate) fn ends_with_phrase(said: &str, phrases: &[String]) -> bool {
    let said = folded(said);
    phrases.iter().map(|phrase| folded(phrase)).any(|phrase| !phrase.is_empty() && said.ends_with(&phrase))
}

/// Joins texts with single spaces, skipping empty ones.
pub(crate) fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut whole = String::new();
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        if !whole.is_empty() {
            whole.push(' ');
        }
        whole.push_str(part);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_is_found_at_the_end_whatever_its_punctuation() {
        let phrases = ["goodbye".to_owned(), "that's all".to_owned(), String::new()];
        for (said, expected) in [
            ("Goodbye.", true),
            ("thank you, GOODBYE!", true),
            ("I think thats all", true),
            ("goodbye is what I did not say", false),
            ("good boy", false),
            ("", false),
        ] {
            assert_eq!(ends_with_phrase(said, &phrases), expected, "{said}");
        }
    }

    #[test]
    fn punctuation_is_not_a_word() {
        assert_eq!(word_count("well — yes , 2 !"), 3);
    }

    #[test]
    fn joining_skips_what_is_empty() {
        assert_eq!(join(["a ", "", " b"]), "a b");
    }
}
