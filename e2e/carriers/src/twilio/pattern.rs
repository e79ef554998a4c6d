//! Patterns of numbers.

/// `Contains` of a search: digits; `*` one digit, `%` any; `+` in front the beginning, `$` behind the end. `None`: it is
/// no pattern. <https://www.twilio.com/docs/phone-numbers/api/availablephonenumberlocal-resource>
pub(super) fn contains(pattern: &str, number: &str) -> Option<bool> {
    if !(2..=16).contains(&pattern.len()) {
        return None;
    }
    let (at_start, rest) = pattern.strip_prefix('+').map_or((false, pattern), |rest| (true, rest));
    let (at_end, rest) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
    if !rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'%')) {
        return None;
    }
    let digits = number.trim_start_matches('+').as_bytes();
    let starts = if at_start { 0..=0 } else { 0..=digits.len() };
    Some(starts.into_iter().any(|start| matches_here(rest.as_bytes(), &digits[start..], at_end)))
}

/// The filter `PhoneNumber` of the account's numbers: a part, `*` stands for one digit.
pub(super) fn part(pattern: &str, number: &str) -> bool {
    let digits = number.trim_start_matches('+').as_bytes();
    let wanted = pattern.trim_start_matches('+').as_bytes();
    (0..=digits.len()).any(|start| matches_here(wanted, &digits[start..], false))
}

fn matches_here(pattern: &[u8], digits: &[u8], at_end: bool) -> bool {
    match (pattern.split_first(), digits.split_first()) {
        (None, rest) => !at_end || rest.is_none(),
        (Some((b'%', more)), _) => (0..=digits.len()).any(|skip| matches_here(more, &digits[skip..], at_end)),
        (Some((wanted, more)), Some((digit, rest))) => {
            (*wanted == b'*' || wanted == digit) && matches_here(more, rest, at_end)
        }
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let number = "+442079460900";
        for (pattern, expected) in [
            ("7946", Some(true)),
            ("+4420", Some(true)),
            ("+2079", Some(false)),
            ("0900$", Some(true)),
            ("0946$", Some(false)),
            ("79*60", Some(true)),
            ("20%09", Some(true)),
            ("9999", Some(false)),
            ("1", None),
            ("44-20", None),
        ] {
            assert_eq!(contains(pattern, number), expected, "{pattern}");
        }
        assert!(part("+442079460900", number) && part("4420*946", number) && !part("4421", number));
    }
}
