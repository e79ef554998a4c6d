//! The words of a carrier, without the telephone numbers they may quote. Pure.

use voxplane_platform::redact::PLACEHOLDER;

/// Longest text that is repeated.
const MAX_TEXT: usize = 300;
/// So many digits are taken for a telephone number, whatever separates them.
const NUMBER: usize = 7;

/// The text on one line, shortened, with everything that may be a telephone number replaced.
pub(crate) fn censor(text: &str) -> String {
    let mut clean = String::new();
    let mut run = String::new();
    for c in text.chars().filter(|c| !c.is_control()).take(MAX_TEXT) {
        let joins = matches!(c, '+' | '(') || !run.is_empty() && matches!(c, ')' | '-' | '.' | ' ' | '/');
        if c.is_ascii_digit() || joins {
            run.push(c);
        } else {
            flush(&mut clean, &mut run);
            clean.push(c);
        }
    }
    flush(&mut clean, &mut run);
    clean.trim().to_owned()
}

/// Ends a run of digits and separators.
fn flush(clean: &mut String, run: &mut String) {
    if run.chars().filter(char::is_ascii_digit).count() < NUMBER {
        clean.push_str(run);
    } else {
        let rest = run.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        clean.push_str(PLACEHOLDER);
        clean.push_str(&run[rest..]);
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_replaced_and_codes_are_kept() {
        for (text, expected) in [
            ("+14045550100 is not available", "[redacted] is not available"),
            ("number (404) 555-0100.", "number [redacted]."),
            ("error 21422, status 400", "error 21422, status 400"),
            ("filter[limit] must be 1 - 250", "filter[limit] must be 1 - 250"),
            ("a\nb\u{7}", "ab"),
            ("", ""),
        ] {
            assert_eq!(censor(text), expected);
        }
        assert!(censor(&"x".repeat(5000)).len() <= MAX_TEXT);
    }

    proptest! {
        #[test]
        fn no_number_survives(before in "[a-z ,:]{0,9}", digits in "[1-9][0-9]{6,14}", after in "[a-z ,:]{0,9}") {
            let text = format!("{before}+{digits}{after}");
            prop_assert!(!censor(&text).contains(&digits));
        }

        #[test]
        fn any_text_is_fine(text in "\\PC*") {
            let _ = censor(&text);
        }
    }
}
