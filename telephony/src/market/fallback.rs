//! Where a number's calls go while our SIP host does not answer.

use crate::e164::E164;

/// What an account says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fallback {
    /// Nowhere.
    None,
    /// To this number.
    To(E164),
    /// Calls are sent elsewhere in another way: always, or to something that is no number. Somebody set that by hand.
    Other,
}

impl Fallback {
    /// Whether it is so already; `wanted`: none means nowhere.
    #[must_use]
    pub fn is(&self, wanted: Option<&E164>) -> bool {
        match (self, wanted) {
            (Self::None, None) => true,
            (Self::To(number), Some(wanted)) => number == wanted,
            _ => false,
        }
    }
}
