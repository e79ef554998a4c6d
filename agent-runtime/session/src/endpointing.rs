//! When the caller is done: silence after speech, with the final transcript or without it when it is late.

use std::time::Duration;

use crate::config::TurnRules;
use crate::time::CallTime;

/// What the decision looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnView {
    /// Onset of the turn; `None` when the caller has said nothing.
    pub(crate) started: Option<CallTime>,
    /// Last voiced sample.
    pub(crate) last_voice: CallTime,
    /// Whether nothing sounds at the moment.
    pub(crate) quiet: bool,
    /// When the voice was found to be over.
    pub(crate) ended_at: Option<CallTime>,
    /// Since when a final transcript is awaited.
    pub(crate) pending_final: Option<CallTime>,
    /// When keypad input is complete.
    pub(crate) keypad_until: Option<CallTime>,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is no turn.
    Idle,
    /// Not before this time, unless something happens.
    Wait(CallTime),
    /// The turn is over.
    End,
}

/// Decides whether the turn is over at `now`.
pub(crate) fn judge(view: &TurnView, rules: &TurnRules, stt_final: Duration, now: CallTime) -> Verdict {
    let Some(started) = view.started else { return Verdict::Idle };
    let latest = started + rules.max_turn;
    let due = if view.quiet {
        [view.pending_final.map(|since| since + stt_final), view.keypad_until]
            .into_iter()
            .flatten()
            .fold(view.last_voice + rules.silence, CallTime::max)
            .min(latest)
    } else {
        latest
    };
    if now >= due { Verdict::End } else { Verdict::Wait(due) }
}

/// When the silence had said that the turn is over, of a turn that ends `now`: what was waited for afterwards is not
/// its doing.
pub(crate) fn silence_over(view: &TurnView, rules: &TurnRules, now: CallTime) -> CallTime {
    if !view.quiet {
        return now;
    }
    let silent = view.last_voice + rules.silence;
    view.ended_at.map_or(silent, |ended_at| ended_at.max(silent)).min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: TurnRules =
        TurnRules { silence: Duration::from_millis(500), longest_silence: None, max_turn: Duration::from_secs(60) };

    fn ms(millis: i64) -> CallTime {
        CallTime::from_millis(millis)
    }

    #[test]
    fn table() {
        let spoke = TurnView {
            started: Some(ms(1_000)),
            last_voice: ms(2_000),
            quiet: true,
            ended_at: Some(ms(2_360)),
            pending_final: None,
            keypad_until: None,
        };
        let cases = [
            ("nothing said", TurnView { started: None, ..spoke }, 9_000, Verdict::Idle),
            ("silence too short", spoke, 2_499, Verdict::Wait(ms(2_500))),
            ("silence reached", spoke, 2_500, Verdict::End),
            ("speaks", TurnView { quiet: false, ..spoke }, 2_600, Verdict::Wait(ms(61_000))),
            ("speaks for ever", TurnView { quiet: false, ..spoke }, 61_000, Verdict::End),
            ("final is late", TurnView { pending_final: Some(ms(2_350)), ..spoke }, 2_600, Verdict::Wait(ms(3_850))),
            ("final never comes", TurnView { pending_final: Some(ms(2_350)), ..spoke }, 3_850, Verdict::End),
            ("typing", TurnView { keypad_until: Some(ms(3_000)), ..spoke }, 2_600, Verdict::Wait(ms(3_000))),
        ];
        for (name, view, now, expected) in cases {
            assert_eq!(judge(&view, &RULES, Duration::from_millis(1_500), ms(now)), expected, "{name}");
        }
        // A final at 2 900 ms ended the turn; the silence had done so at 2 500 ms, or when it was noticed.
        assert_eq!(silence_over(&spoke, &RULES, ms(2_900)), ms(2_500));
        assert_eq!(silence_over(&TurnView { ended_at: Some(ms(2_620)), ..spoke }, &RULES, ms(2_900)), ms(2_620));
        assert_eq!(silence_over(&TurnView { quiet: false, ..spoke }, &RULES, ms(61_000)), ms(61_000));
    }
}
