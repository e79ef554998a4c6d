//! Values that must not appear in logs, events, status or metrics.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is printed in place of the value.
pub const PLACEHOLDER: &str = "[redacted]";

/// Holds a phone number, transcript, token or other value that only its consumer may see.
///
/// `Debug`, `Display` and `Serialize` write [`PLACEHOLDER`]; [`Redacted::expose`] is the one way to the value, so a
/// search for it lists every place where personal data leaves its wrapper. Deserialising reads the value itself.
///
/// ```
/// use voxplane_platform::redact::Redacted;
/// let number = Redacted::new("+15550100");
/// assert_eq!(format!("{number} {number:?}"), "[redacted] [redacted]");
/// assert_eq!(*number.expose(), "+15550100");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the code whose purpose is to use it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Applies a function to the value and keeps the result wrapped.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Redacted<U> {
        Redacted(f(self.0))
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl<T> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(PLACEHOLDER)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Redacted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Caller {
        number: Redacted<String>,
    }

    #[test]
    fn nothing_that_prints_shows_the_value() {
        let caller: Caller = serde_json::from_str(r#"{"number": "+15550100"}"#).unwrap();
        assert_eq!(caller.number.expose(), "+15550100");
        for text in [format!("{caller:?}"), format!("{caller:#?}"), serde_json::to_string(&caller).unwrap()] {
            assert!(!text.contains("5550100"), "{text}");
            assert!(text.contains(PLACEHOLDER), "{text}");
        }
    }

    #[test]
    fn mapping_keeps_the_wrapper() {
        let length: Redacted<usize> = Redacted::new("+15550100").map(str::len);
        assert_eq!(length.to_string(), PLACEHOLDER);
        assert_eq!(length.into_inner(), 9);
    }
}
