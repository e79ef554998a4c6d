//! How long this caller pauses without being done.

use std::time::Duration;

use crate::config::TurnRules;

/// Weight of a pause that is longer than expected: one that was answered into is one too many.
const LONGER: f64 = 0.6;
/// Weight of a pause that is shorter than expected.
const SHORTER: f64 = 0.2;
/// Weight of a turn that ended where it seemed to end.
const ANSWERED: f64 = 0.1;
/// The silence waited for, over the pause that is expected: pauses vary.
const MARGIN: f64 = 1.25;

/// What the caller's pauses so far lead one to expect.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    /// Seconds; `None` until the caller paused and went on.
    expected: Option<f64>,
}

impl Pauses {
    /// The caller was silent for so long and then went on.
    pub(crate) fn went_on(&mut self, pause: Duration) {
        let pause = pause.as_secs_f64();
        let expected = self.expected.unwrap_or_default();
        let weight = if pause > expected { LONGER } else { SHORTER };
        // The first one is all that is known.
        self.expected = Some(self.expected.map_or(pause, |expected| expected + weight * (pause - expected)));
    }

    /// A turn is over.
    pub(crate) fn finished(&mut self) {
        self.expected = self.expected.map(|expected| expected * (1.0 - ANSWERED));
    }

    /// The rules with the silence that ends this caller's turn.
    pub(crate) fn applied_to(&self, rules: &TurnRules) -> TurnRules {
        let (Some(longest), Some(expected)) = (rules.longest_silence, self.expected) else { return *rules };
        let patient = Duration::from_secs_f64(expected * MARGIN);
        TurnRules { silence: patient.min(longest).max(rules.silence), ..*rules }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAPTIVE: TurnRules = TurnRules {
        silence: Duration::from_millis(400),
        longest_silence: Some(Duration::from_millis(1_500)),
        max_turn: Duration::from_secs(60),
    };

    fn after(pauses: &[u64]) -> Pauses {
        let mut known = Pauses::default();
        pauses.iter().for_each(|pause| known.went_on(Duration::from_millis(*pause)));
        known
    }

    fn silence(known: &Pauses) -> u128 {
        known.applied_to(&ADAPTIVE).silence.as_millis()
    }

    #[test]
    fn nobody_is_waited_for_before_they_paused() {
        assert_eq!(silence(&Pauses::default()), 400);
        assert_eq!(silence(&after(&[120])), 400, "shorter than what is waited for anyway");
    }

    #[test]
    fn who_pauses_long_is_waited_for_from_then_on_within_the_bound() {
        assert_eq!(silence(&after(&[800])), 1_000);
        assert!(silence(&after(&[500, 900])) > 900, "{}", silence(&after(&[500, 900])));
        assert_eq!(silence(&after(&[5_000])), 1_500);
    }

    #[test]
    fn turns_that_end_where_they_seem_to_make_it_quick_again() {
        let mut known = after(&[800]);
        let mut last = silence(&known);
        for _ in 0..12 {
            known.finished();
            let now = silence(&known);
            assert!(now <= last);
            last = now;
        }
        assert_eq!(last, 400);
    }

    #[test]
    fn fixed_rules_stay_as_they_are() {
        let fixed = TurnRules { longest_silence: None, ..ADAPTIVE };
        assert_eq!(after(&[900, 900]).applied_to(&fixed).silence, fixed.silence);
    }
}
