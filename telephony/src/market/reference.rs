//! Our mark on orders and numbers at a carrier.

use std::fmt;

use uuid::Uuid;

/// What every reference starts with.
const PREFIX: &str = "voxplane:";

/// `voxplane:<order id>`: Twilio's `FriendlyName`, Telnyx's `customer_reference`. With it a number is found again whose
/// purchase was cut off, and nobody else's number is taken for ours.
///
/// ```
/// use voxplane_telephony::market::Reference;
/// let reference = Reference::new(uuid::Uuid::nil());
/// assert_eq!(reference.as_str(), "voxplane:00000000-0000-0000-0000-000000000000");
/// assert_eq!(Reference::parse(reference.as_str()), Ok(reference));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    order: Uuid,
    text: String,
}

/// The text is no reference of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference is {PREFIX} and the order's id")]
pub struct ReferenceError;

impl Reference {
    /// The reference of an order.
    #[must_use]
    pub fn new(order: Uuid) -> Self {
        Self { order, text: format!("{PREFIX}{order}") }
    }

    /// Reads a reference that a carrier has kept.
    ///
    /// # Errors
    /// [`ReferenceError`] when it is not one of ours.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let order = text.strip_prefix(PREFIX).ok_or(ReferenceError)?;
        let reference = Self::new(order.parse().map_err(|_| ReferenceError)?);
        if reference.text == text { Ok(reference) } else { Err(ReferenceError) }
    }

    /// The text that the carrier keeps.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Id of the order.
    #[must_use]
    pub const fn order(&self) -> Uuid {
        self.order
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_a_reference() {
        for text in [
            "",
            "voxplane:",
            "(415) 555-0100",
            "00000000-0000-0000-0000-000000000000",
            "voxplane:00000000000000000000000000000000",
            "voxplane:00000000-0000-0000-0000-00000000000A",
            "voxplane:00000000-0000-0000-0000-000000000000 ",
        ] {
            assert_eq!(Reference::parse(text), Err(ReferenceError), "{text:?}");
        }
    }

    #[test]
    fn it_fits_twilios_friendly_name() {
        assert!(Reference::new(Uuid::max()).as_str().len() <= 64);
    }
}
