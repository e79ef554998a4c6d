//! One line for an error and everything that caused it.

use std::error::Error;
use std::fmt;

/// Displays an error followed by its sources, separated by `: `.
///
/// Our own errors describe only their own part; some libraries repeat the text of their source in their own. A source
/// whose text the line already ends with is left out, so nothing is read twice.
///
/// ```
/// use voxplane_platform::error_chain::ErrorChain;
/// let error = std::io::Error::other("disk is full");
/// assert_eq!(ErrorChain(&error).to_string(), "disk is full");
/// ```
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !text.is_empty() && !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = error.source();
        }
        f.write_str(&line)
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text of [`ErrorChain`], for conditions, events and messages.
#[must_use]
pub fn describe(error: &(dyn Error + 'static)) -> String {
    ErrorChain(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read the configuration")]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("file /etc/x: {0}")]
    struct Middle(#[source] std::io::Error);

    #[test]
    fn repeated_text_is_written_once() {
        let error = Outer(Middle(std::io::Error::other("permission denied")));
        assert_eq!(describe(&error), "could not read the configuration: file /etc/x: permission denied");
    }
}
