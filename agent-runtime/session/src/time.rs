//! The call clock as the engine sees it.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::Serialize;

/// A moment on the call clock: microseconds since the agent joined the room.
///
/// Arithmetic saturates, so that no input can make the engine panic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CallTime(i64);

impl CallTime {
    /// The start of the call clock.
    pub const ZERO: Self = Self(0);

    /// A moment so many microseconds after the start.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A moment so many milliseconds after the start.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The middle of the span from `self` to `end`.
    pub(crate) fn midpoint(self, end: Self) -> Self {
        Self(self.0.midpoint(end.0))
    }
}

impl Add<Duration> for CallTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for CallTime {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Whole milliseconds of a span, for event payloads.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_the_start_of_a_span_counts_as_zero() {
        let early = CallTime::from_millis(10);
        let late = CallTime::from_millis(35);
        assert_eq!(late.since(early), Duration::from_millis(25));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn arithmetic_saturates() {
        let end = CallTime::from_micros(i64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(CallTime::from_micros(i64::MIN) - Duration::MAX, CallTime::from_micros(i64::MIN));
    }
}
