//! Which numbers a carrier connection grants.

use std::fmt;
use std::str::FromStr;

use crate::e164::{E164, NumberError};

/// One number, or every number that starts with a prefix: `+15550100`, `+1555*`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberPattern {
    /// Exactly this number.
    Number(E164),
    /// Every number that starts with this: `+` and at least one digit.
    Prefix(String),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The prefix is not `+` and digits.
    #[error("a prefix is +, at least one and at most 14 digits, and *: for example +1555*")]
    BadPrefix,
    /// The number is not in E.164 form.
    #[error(transparent)]
    BadNumber(#[from] NumberError),
}

impl NumberPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let Some(prefix) = text.strip_suffix('*') else { return Ok(Self::Number(E164::parse(text)?)) };
        let digits = prefix.strip_prefix('+').ok_or(PatternError::BadPrefix)?;
        let country_code = digits.starts_with(|c: char| matches!(c, '1'..='9'));
        if !country_code || digits.len() > 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PatternError::BadPrefix);
        }
        Ok(Self::Prefix(prefix.to_owned()))
    }

    /// Whether the pattern covers a number.
    #[must_use]
    pub fn covers(&self, number: &E164) -> bool {
        match self {
            Self::Number(own) => own == number,
            Self::Prefix(prefix) => number.as_str().starts_with(prefix.as_str()),
        }
    }

    /// How closely the pattern describes the numbers it covers, in digits; one number beats every prefix. Of several
    /// patterns that cover a number the closest speaks.
    #[must_use]
    pub fn closeness(&self) -> usize {
        match self {
            Self::Number(_) => usize::MAX,
            Self::Prefix(prefix) => prefix.len() - 1,
        }
    }

    /// Whether some number is covered by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(number), pattern) | (pattern, Self::Number(number)) => pattern.covers(number),
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b.as_str()) || b.starts_with(a.as_str()),
        }
    }
}

impl FromStr for NumberPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A prefix names nobody and is shown; a number is hidden.
impl fmt::Debug for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.debug_tuple("Number").field(number).finish(),
            Self::Prefix(prefix) => write!(f, "Prefix({prefix}*)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> NumberPattern {
        NumberPattern::parse(text).unwrap()
    }

    fn number(text: &str) -> E164 {
        E164::parse(text).unwrap()
    }

    #[test]
    fn a_number_covers_itself_and_a_prefix_what_starts_with_it() {
        assert!(pattern("+15550100").covers(&number("+15550100")));
        assert!(!pattern("+15550100").covers(&number("+155501000")));
        assert!(pattern("+1555*").covers(&number("+15550100")));
        assert!(!pattern("+1555*").covers(&number("+15560100")));
        assert!(!pattern("+1555*").covers(&number("+4415550100")));
        assert!(pattern("+1*").covers(&number("+15550100")));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for text in ["*", "+*", "1555*", "+0*", "+15*55*", "+1555x*", "+1 555*", "+123456789012345*"] {
            assert_eq!(NumberPattern::parse(text), Err(PatternError::BadPrefix), "{text}");
        }
        assert!(matches!(NumberPattern::parse("15550100"), Err(PatternError::BadNumber(_))));
        assert_eq!(pattern(" +1555* "), NumberPattern::Prefix("+1555".to_owned()));
    }

    #[test]
    fn the_closest_pattern_speaks() {
        let mut patterns = [pattern("+1*"), pattern("+15550100"), pattern("+1555*")];
        patterns.sort_by_key(NumberPattern::closeness);
        assert_eq!(patterns, [pattern("+1*"), pattern("+1555*"), pattern("+15550100")]);
    }

    #[test]
    fn patterns_are_printed_without_numbers() {
        assert_eq!(format!("{:?}", pattern("+15550100")), "Number(E164([redacted]))");
        assert_eq!(format!("{:?}", pattern("+1555*")), "Prefix(+1555*)");
    }

    proptest! {
        #[test]
        fn patterns_that_cover_one_number_overlap(digits in "[1-9][0-9]{6,14}", a in 1usize..8, b in 1usize..8) {
            let whole = number(&format!("+{digits}"));
            let prefix = |length: usize| pattern(&format!("+{}*", &digits[..length.min(7)]));
            let (a, b) = (prefix(a), prefix(b));
            prop_assert!(a.covers(&whole) && b.covers(&whole));
            prop_assert!(a.overlaps(&b) && b.overlaps(&a));
            prop_assert!(a.overlaps(&NumberPattern::Number(whole)));
        }

        #[test]
        fn overlap_is_symmetric(a in "\\+[1-3]{1,4}\\*", b in "\\+[1-3]{1,4}\\*") {
            prop_assert_eq!(pattern(&a).overlaps(&pattern(&b)), pattern(&b).overlaps(&pattern(&a)));
        }
    }
}
