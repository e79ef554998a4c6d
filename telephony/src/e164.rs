//! Telephone numbers in E.164 form.

use std::fmt;
use std::str::FromStr;

use phonenumber::{Mode, country};
use voxplane_platform::redact;

/// Digits of an E.164 number, country code included. ITU-T E.164 says at most 15; the shortest in use have 7.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A telephone number in E.164 form, `+` and 7 to 15 digits. `Debug` hides it; there is no `Display`, so that it
/// reaches a log or message only through [`E164::as_str`].
///
/// ```
/// use voxplane_telephony::E164;
/// let number = E164::parse("+1 (555) 010-0").unwrap();
/// assert_eq!(number.as_str(), "+15550100");
/// assert_eq!(format!("{number:?}"), "E164([redacted])");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

/// Why a text is no telephone number. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing there.
    #[error("the number is empty")]
    Empty,
    /// Without a country code it could be anywhere.
    #[error("the number must start with + and its country code, like +15550100")]
    NoCountryCode,
    /// No country code starts with 0.
    #[error("after + comes a country code, and none starts with 0")]
    ZeroCountryCode,
    /// Letters or signs that are no separators.
    #[error("the number may hold only digits after the +, and spaces, dots, dashes or parentheses between them")]
    BadCharacter,
    /// Too short or too long.
    #[error("the number has {digits} digits; it must have {} to {}", DIGITS.start(), DIGITS.end())]
    Length {
        /// Digits found.
        digits: usize,
    },
    /// The region is not a known ISO 3166 code.
    #[error("the region is not a two-letter country code like US")]
    UnknownRegion,
    /// Not how numbers are written in the region.
    #[error("the number cannot be understood as one dialled in this region")]
    NotDialable,
}

impl E164 {
    /// Reads an international number: `+`, digits, and the usual separators, which are dropped. Whether the number is
    /// assigned is the carrier's business.
    ///
    /// # Errors
    /// [`NumberError`] says what to change.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        Self::from_digits(text.strip_prefix('+').ok_or(NumberError::NoCountryCode)?)
    }

    /// Reads a number as carriers put it into SIP: as [`E164::parse`], or the same digits without the `+`.
    ///
    /// # Errors
    /// [`NumberError`] says what is wrong.
    pub fn parse_sip(text: &str) -> Result<Self, NumberError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        Self::from_digits(text.strip_prefix('+').unwrap_or(text))
    }

    /// Reads a number as people dial it in a region (ISO 3166 code, `US`): with trunk prefixes, or international.
    ///
    /// # Errors
    /// [`NumberError::UnknownRegion`], [`NumberError::NotDialable`], or as [`E164::parse`].
    pub fn parse_dialled(text: &str, region: &str) -> Result<Self, NumberError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        if text.starts_with('+') {
            return Self::parse(text);
        }
        let region = country::Id::from_str(region).map_err(|_| NumberError::UnknownRegion)?;
        let number = phonenumber::parse(Some(region), text).map_err(|_| NumberError::NotDialable)?;
        if !number.is_valid() || number.extension().is_some() {
            return Err(NumberError::NotDialable);
        }
        Self::parse(&number.format().mode(Mode::E164).to_string())
    }

    fn from_digits(text: &str) -> Result<Self, NumberError> {
        let mut number = String::from("+");
        for c in text.chars() {
            match c {
                '0'..='9' => number.push(c),
                ' ' | '\u{a0}' | '.' | '-' | '\u{2010}' | '\u{2011}' | '(' | ')' | '/' => {}
                _ => return Err(NumberError::BadCharacter),
            }
        }
        let digits = number.len() - 1;
        if number[1..].starts_with('0') {
            return Err(NumberError::ZeroCountryCode);
        }
        if !DIGITS.contains(&digits) {
            return Err(NumberError::Length { digits });
        }
        Ok(Self(number))
    }

    /// The number, for those whose business it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", redact::PLACEHOLDER)
    }
}

impl FromStr for E164 {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn international_numbers_lose_their_separators_only() {
        for (text, expected) in [
            ("+15550100", "+15550100"),
            (" +1 (415) 555-0132 ", "+14155550132"),
            ("+41 44.668/18.00", "+41446681800"),
            ("+44\u{a0}20\u{a0}7946\u{a0}0958", "+442079460958"),
            ("+6831234", "+6831234"),
        ] {
            assert_eq!(E164::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_number_is_refused_with_what_to_change() {
        for (text, expected) in [
            ("", NumberError::Empty),
            ("  ", NumberError::Empty),
            ("15550100", NumberError::NoCountryCode),
            ("0041446681800", NumberError::NoCountryCode),
            ("+0041446681800", NumberError::ZeroCountryCode),
            ("+1555010a", NumberError::BadCharacter),
            ("++15550100", NumberError::BadCharacter),
            ("+1555*", NumberError::BadCharacter),
            ("+1٥٥٥0100", NumberError::BadCharacter),
            ("+", NumberError::Length { digits: 0 }),
            ("+123456", NumberError::Length { digits: 6 }),
            ("+1234567890123456", NumberError::Length { digits: 16 }),
        ] {
            assert_eq!(E164::parse(text), Err(expected), "{text:?}");
        }
        assert_eq!(E164::parse("+12").unwrap_err().to_string(), "the number has 2 digits; it must have 7 to 15");
    }

    #[test]
    fn sip_users_may_leave_out_the_plus() {
        assert_eq!(E164::parse_sip("15550100"), E164::parse("+15550100"));
        assert_eq!(E164::parse_sip("+15550100"), E164::parse("+15550100"));
        assert_eq!(E164::parse_sip("anonymous"), Err(NumberError::BadCharacter));
        assert_eq!(E164::parse_sip("1001"), Err(NumberError::Length { digits: 4 }));
    }

    #[test]
    fn numbers_are_read_as_dialled_in_their_region() {
        for (text, region, expected) in [
            ("044 668 18 00", "CH", "+41446681800"),
            ("(415) 555-2671", "US", "+14155552671"),
            ("020 7946 0958", "GB", "+442079460958"),
            ("+41 44 668 18 00", "US", "+41446681800"),
        ] {
            assert_eq!(E164::parse_dialled(text, region).unwrap().as_str(), expected, "{text}");
        }
        assert_eq!(E164::parse_dialled("044 668 18 00", "Switzerland"), Err(NumberError::UnknownRegion));
        assert_eq!(E164::parse_dialled("12", "CH"), Err(NumberError::NotDialable));
        assert_eq!(E164::parse_dialled("hello", "CH"), Err(NumberError::NotDialable));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_never_printed(text in "\\PC*") {
            if let Ok(number) = E164::parse(&text) {
                prop_assert_eq!(E164::parse(number.as_str()), Ok(number.clone()));
                prop_assert_eq!(format!("{:?}", number), "E164([redacted])");
            }
            let _ = E164::parse_dialled(&text, "US");
        }

        #[test]
        fn every_e164_number_is_itself(digits in "[1-9][0-9]{6,14}") {
            let text = format!("+{digits}");
            let number = E164::parse(&text).unwrap();
            prop_assert_eq!(number.as_str(), text.as_str());
            prop_assert_eq!(E164::parse_sip(&digits), Ok(number));
        }
    }
}
