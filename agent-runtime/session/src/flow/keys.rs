//! Keys that were pressed and not used yet. Who knows a menu by heart types ahead.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::CallTime;

/// No number that is typed in one go is longer; further keys are dropped.
const MAX_KEYS: usize = 40;
/// A pause of this length after a key ends a number.
pub(super) const PAUSE: Duration = Duration::from_secs(3);

/// Keys in their order.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pressed: VecDeque<char>,
    latest: CallTime,
    /// A number was complete without `#`; if one follows, it belongs to it.
    complete: bool,
}

impl Keys {
    /// A key was pressed.
    pub(super) fn press(&mut self, key: char, now: CallTime) {
        self.latest = now;
        if std::mem::take(&mut self.complete) && key == '#' {
            return;
        }
        if self.pressed.len() < MAX_KEYS {
            self.pressed.push_back(key);
        }
    }

    /// Keys that were pressed before count as pressed now.
    pub(super) fn wait_from(&mut self, now: CallTime) {
        self.latest = self.latest.max(now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pressed.is_empty()
    }

    /// The next key.
    pub(super) fn take(&mut self) -> Option<char> {
        self.pressed.pop_front()
    }

    /// When the number that is being typed is complete; `None` when none is.
    pub(super) fn due(&self, most: usize) -> Option<CallTime> {
        if self.pressed.is_empty() {
            return None;
        }
        let complete = self.pressed.contains(&'#') || self.pressed.len() >= most;
        Some(if complete { self.latest } else { self.latest + PAUSE })
    }

    /// The number that was typed: up to `#`, or `most` keys.
    pub(super) fn take_number(&mut self, most: usize) -> String {
        let mut number = String::new();
        while number.len() < most {
            match self.pressed.pop_front() {
                None | Some('#') => return number,
                Some(key) => number.push(key),
            }
        }
        match self.pressed.front() {
            None => self.complete = true,
            Some('#') => drop(self.pressed.pop_front()),
            Some(_) => {}
        }
        number
    }

    pub(super) fn clear(&mut self) {
        self.pressed.clear();
        self.complete = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Keys {
        let mut typed = Keys::default();
        keys.chars().for_each(|key| typed.press(key, CallTime::ZERO));
        typed
    }

    #[test]
    fn a_number_ends_with_hash_or_when_it_is_long_enough() {
        for (keys, most, number, left) in [
            ("12#3", 32, "12", Some('3')),
            ("12", 32, "12", None),
            ("1234", 2, "12", Some('3')),
            ("12#3", 2, "12", Some('3')),
        ] {
            let mut typed = typed(keys);
            assert_eq!(typed.take_number(most), number, "{keys}");
            assert_eq!(typed.take(), left, "{keys}");
        }
    }

    #[test]
    fn a_hash_after_a_complete_number_is_not_the_next_choice() {
        let mut keys = typed("12");
        assert_eq!(keys.take_number(2), "12");
        keys.press('#', CallTime::ZERO);
        assert!(keys.is_empty());
        keys.press('#', CallTime::ZERO);
        assert_eq!(keys.take(), Some('#'), "only the first one belongs to it");
    }

    #[test]
    fn a_number_is_due_after_a_pause_or_at_once_when_it_is_complete() {
        assert_eq!(typed("").due(4), None);
        assert_eq!(typed("12").due(4), Some(CallTime::ZERO + PAUSE));
        assert_eq!(typed("12#").due(4), Some(CallTime::ZERO));
        assert_eq!(typed("1234").due(4), Some(CallTime::ZERO));
    }
}
