//! The call clock: 48 kHz samples since the call began, one per call, monotonic.
//!
//! RTP timestamps we send, positions of received audio and the ledger's times are all readings of this clock, so that
//! "what had the caller heard when they began to speak" is a subtraction.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant};

/// Samples per second of the call clock.
pub const RATE: i64 = 48_000;

/// Call-clock samples in one 20 ms frame.
pub const FRAME: i64 = 960;

/// A reading of the call clock, in 48 kHz samples since the call began. May be negative for audio captured before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(i64);

impl Position {
    /// The start of the call.
    pub const ZERO: Position = Position(0);

    /// A position from 48 kHz samples.
    pub const fn from_samples(samples: i64) -> Self {
        Self(samples)
    }

    /// A position from microseconds since the start of the call, rounded down to a sample.
    pub const fn from_micros(micros: i64) -> Self {
        Self((micros * 6).div_euclid(125))
    }

    /// 48 kHz samples since the start of the call.
    pub const fn samples(self) -> i64 {
        self.0
    }

    /// Microseconds since the start of the call, rounded down.
    pub const fn micros(self) -> i64 {
        (self.0 * 125).div_euclid(6)
    }

    /// Milliseconds since the start of the call, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(48)
    }
}

impl Add<i64> for Position {
    type Output = Position;

    /// Moves by `samples` 48 kHz samples.
    fn add(self, samples: i64) -> Position {
        Position(self.0 + samples)
    }
}

impl Sub<i64> for Position {
    type Output = Position;

    /// Moves back by `samples` 48 kHz samples.
    fn sub(self, samples: i64) -> Position {
        Position(self.0 - samples)
    }
}

impl Sub for Position {
    type Output = i64;

    /// The distance in 48 kHz samples.
    fn sub(self, other: Position) -> i64 {
        self.0 - other.0
    }
}

/// Turns instants into [`Position`]s. Copies of a clock agree, so every room of one call shares one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallClock {
    origin: Instant,
}

impl CallClock {
    /// A clock that reads zero at `origin`.
    pub const fn starting_at(origin: Instant) -> Self {
        Self { origin }
    }

    /// A clock that reads zero now.
    pub fn start() -> Self {
        Self::starting_at(Instant::now())
    }

    /// The reading at `at`.
    pub fn position(&self, at: Instant) -> Position {
        match at.checked_duration_since(self.origin) {
            Some(since) => Position(samples(since)),
            None => Position(-samples(self.origin - at)),
        }
    }

    /// The reading now.
    pub fn now(&self) -> Position {
        self.position(Instant::now())
    }

    /// The first instant at which the clock reads `position`.
    pub fn instant(&self, position: Position) -> Instant {
        let nanos = (position.0.unsigned_abs() as u128 * 62_500).div_ceil(3);
        let distance = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if position.0 >= 0 { self.origin + distance } else { self.origin.checked_sub(distance).unwrap_or(self.origin) }
    }
}

fn samples(duration: Duration) -> i64 {
    // 48 kHz is 3 samples per 62 500 ns.
    i64::try_from(duration.as_nanos() * 3 / 62_500).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_48_samples_per_millisecond() {
        let origin = Instant::now();
        let clock = CallClock::starting_at(origin);
        assert_eq!(clock.position(origin), Position::ZERO);
        assert_eq!(clock.position(origin + Duration::from_millis(20)).samples(), FRAME);
        assert_eq!(clock.position(origin + Duration::from_secs(3600)).samples(), 3600 * RATE);
    }

    #[test]
    fn reads_negative_before_the_origin() {
        let origin = Instant::now() + Duration::from_secs(10);
        let clock = CallClock::starting_at(origin);
        assert_eq!(clock.position(origin - Duration::from_millis(10)).samples(), -480);
        assert_eq!(clock.position(origin - Duration::from_millis(10)).micros(), -10_000);
    }

    proptest! {
        #[test]
        fn instant_is_the_inverse_of_position(samples in 0i64..10_000_000_000) {
            let clock = CallClock::start();
            let position = Position::from_samples(samples);
            prop_assert_eq!(clock.position(clock.instant(position)), position);
        }

        #[test]
        fn micros_round_trip_within_a_sample(micros in -1_000_000_000i64..1_000_000_000_000) {
            // A sample lasts 20.8 µs.
            let back = Position::from_micros(micros).micros();
            prop_assert!((0..=21).contains(&(micros - back)), "{micros} became {back}");
        }
    }
}
