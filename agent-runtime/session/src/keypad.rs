//! Key presses become a text turn.

use std::time::Duration;

use crate::time::CallTime;

/// No menu needs more; further keys are dropped until the pause.
const MAX_DIGITS: usize = 32;

/// Collects keys until a pause or `#`.
#[derive(Debug, Default)]
pub(crate) struct Keypad {
    digits: String,
    due: Option<CallTime>,
}

impl Keypad {
    /// Takes a key.
    pub(crate) fn press(&mut self, digit: char, now: CallTime, pause: Duration) {
        let complete = digit == '#' && !self.digits.is_empty();
        if !complete && self.digits.len() < MAX_DIGITS {
            self.digits.push(digit);
        }
        self.due = Some(if complete { now } else { now + pause });
    }

    /// When the input is complete.
    pub(crate) fn due(&self) -> Option<CallTime> {
        self.due
    }

    /// The completed input as the caller's words.
    pub(crate) fn take(&mut self, now: CallTime) -> Option<String> {
        if self.due? > now {
            return None;
        }
        self.due = None;
        Some(format!("[keypad] {}", std::mem::take(&mut self.digits)))
    }

    /// Forgets what was typed.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(1_500);

    #[test]
    fn a_pause_completes_the_input() {
        let mut keypad = Keypad::default();
        keypad.press('1', CallTime::ZERO, PAUSE);
        keypad.press('2', CallTime::from_millis(1_000), PAUSE);
        assert_eq!(keypad.take(CallTime::from_millis(2_000)), None);
        assert_eq!(keypad.take(CallTime::from_millis(2_500)).as_deref(), Some("[keypad] 12"));
        assert_eq!(keypad.take(CallTime::from_millis(9_000)), None);
    }

    #[test]
    fn the_hash_key_completes_at_once_but_alone_is_input() {
        let mut keypad = Keypad::default();
        keypad.press('4', CallTime::ZERO, PAUSE);
        keypad.press('#', CallTime::ZERO, PAUSE);
        assert_eq!(keypad.take(CallTime::ZERO).as_deref(), Some("[keypad] 4"));
        keypad.press('#', CallTime::ZERO, PAUSE);
        assert_eq!(keypad.take(CallTime::ZERO), None);
        assert_eq!(keypad.take(CallTime::ZERO + PAUSE).as_deref(), Some("[keypad] #"));
    }
}
