//! The numbers that stand-ins start with. All are of ranges that are kept free for fiction.

use crate::world::{Holder, Number};

/// 25 numbers: 10 in Atlanta, 5 each in New York, Toronto and London.
#[must_use]
pub fn default() -> Vec<Number> {
    let places = [
        ("US", "404", "+1404555", 100, 10, Some("GA"), "Atlanta"),
        ("US", "212", "+1212555", 100, 5, Some("NY"), "New York"),
        ("CA", "416", "+1416555", 100, 5, Some("ON"), "Toronto"),
        ("GB", "20", "+442079460", 900, 5, None, "London"),
    ];
    let mut numbers = Vec::new();
    for (country, area_code, prefix, first, count, region, locality) in places {
        for line in first..first + count {
            let width = if country == "GB" { 3 } else { 4 };
            numbers.push(Number {
                number: format!("{prefix}{line:0width$}"),
                country: country.to_owned(),
                area_code: area_code.to_owned(),
                region: region.map(str::to_owned),
                locality: Some(locality.to_owned()),
                cents: 115,
                holder: Holder::Nobody,
                shown: false,
            });
        }
    }
    numbers
}

/// `+` and 7 to 15 digits, the first of which is not 0.
pub(crate) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one() {
        let numbers = default();
        assert_eq!(numbers.len(), 25);
        assert!(numbers.iter().all(|number| is_e164(&number.number)));
        assert_eq!(numbers[0].number, "+14045550100");
        assert_eq!(numbers[24].number, "+442079460904");
        for text in ["14045550100", "+0404", "+1404x550100", "", "+1"] {
            assert!(!is_e164(text), "{text}");
        }
    }
}
