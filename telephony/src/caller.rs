//! Who a SIP caller says they are.

use voxplane_platform::redact::Redacted;

use crate::e164::E164;

/// User parts that carriers send for callers who withhold their number (RFC 3323 section 4.1, and common practice).
const WITHHELD: [&str; 6] = ["anonymous", "restricted", "private", "unavailable", "unknown", "withheld"];

/// The calling party, as the carrier gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerId {
    /// A telephone number.
    Number(E164),
    /// A name or short number that is meaningful to the carrier only, such as an extension.
    Other(Redacted<String>),
    /// The caller did not say.
    Withheld,
}

impl CallerId {
    /// Reads the user part of the caller's SIP address (LiveKit's attribute `sip.phoneNumber`).
    ///
    /// ```
    /// use voxplane_telephony::{CallerId, E164};
    /// assert_eq!(CallerId::from_sip("15550199"), CallerId::Number(E164::parse("+15550199").unwrap()));
    /// assert_eq!(CallerId::from_sip("Anonymous"), CallerId::Withheld);
    /// ```
    #[must_use]
    pub fn from_sip(user: &str) -> Self {
        let user = user.trim();
        if user.is_empty() || WITHHELD.iter().any(|word| user.eq_ignore_ascii_case(word)) {
            return Self::Withheld;
        }
        E164::parse_sip(user).map_or_else(|_| Self::Other(Redacted::new(user.to_owned())), Self::Number)
    }

    /// The text to store, none when withheld.
    #[must_use]
    pub fn to_text(&self) -> Option<Redacted<String>> {
        match self {
            Self::Number(number) => Some(Redacted::new(number.as_str().to_owned())),
            Self::Other(text) => Some(text.clone()),
            Self::Withheld => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_silence_are_told_apart() {
        let number = CallerId::Number(E164::parse("+15550199").unwrap());
        for user in ["+15550199", "15550199", " +1 555 0199 "] {
            assert_eq!(CallerId::from_sip(user), number);
        }
        assert_eq!(number.to_text().unwrap().expose(), "+15550199");
        for user in ["", " ", "anonymous", "ANONYMOUS", "Restricted"] {
            assert_eq!(CallerId::from_sip(user), CallerId::Withheld);
            assert_eq!(CallerId::from_sip(user).to_text(), None);
        }
        for user in ["alice", "1001", "0041446681800"] {
            assert_eq!(CallerId::from_sip(user).to_text().unwrap().expose(), user);
        }
    }

    #[test]
    fn callers_are_not_printed() {
        for user in ["+15550199", "alice5550199"] {
            assert!(!format!("{:?}", CallerId::from_sip(user)).contains("5550199"));
        }
    }
}
