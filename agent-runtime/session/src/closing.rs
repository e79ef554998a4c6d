//! Ending the call: farewell, hang-up, end; each step bounded.

use std::time::Duration;

use crate::event::{AgentSource, EndReason, LedgerEvent, Stage};
use crate::output::{CommandOutcome, Output, State};
use crate::session::Session;
use crate::time::{CallTime, millis};
use crate::utterance::{Synthesis, Utterance};

/// Kept between the last sample reaching the caller and the hang-up, so that nothing is cut off.
const TAIL: Duration = Duration::from_millis(300);

/// A call that is being ended.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) reason: EndReason,
    /// Whether the ledger has the intent to hang up.
    pub(crate) recorded: bool,
    /// When the agent hangs up although the ledger has not.
    pub(crate) record_by: CallTime,
    pub(crate) stage: ClosingStage,
}

/// How far ending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosingStage {
    /// The last words play.
    Farewell { by: CallTime },
    /// They are on their way to the caller.
    Tail { until: CallTime },
    /// The leg is being removed.
    HangingUp { by: CallTime },
}

impl Closing {
    pub(crate) fn deadline(&self) -> CallTime {
        match self.stage {
            ClosingStage::Farewell { by } | ClosingStage::HangingUp { by } => by,
            ClosingStage::Tail { until } if self.recorded => until,
            ClosingStage::Tail { until } => until.max(self.record_by),
        }
    }
}

impl Session {
    /// Ends the call with some last words.
    pub(crate) fn take_leave(&mut self, reason: EndReason, message: &str) {
        let farewell = Utterance::of_text(self.ids.utterance(), AgentSource::Farewell, false, message);
        self.begin_closing(reason, Some(farewell));
    }

    /// Ends the call. Closing that has begun goes on as it is.
    pub(crate) fn begin_closing(&mut self, reason: EndReason, farewell: Option<Utterance>) {
        if self.closing.is_some() {
            return;
        }
        self.abandon_everything();
        // Before the answer there is nobody to hear it: removing the caller refuses the call.
        if let Some(farewell) = farewell.filter(|farewell| self.gate.is_open() && !farewell.clauses.is_empty()) {
            self.queue.push_back(farewell);
        }
        self.event(LedgerEvent::CallHangingUp { reason });
        self.closing = Some(Closing {
            reason,
            recorded: false,
            record_by: self.now + self.config.timeouts.record,
            stage: ClosingStage::Farewell { by: self.now + self.config.timeouts.farewell },
        });
        self.shorten_farewell();
    }

    /// The last words do not outlast the drain.
    pub(crate) fn shorten_farewell(&mut self) {
        if let (Some(Closing { stage: ClosingStage::Farewell { by }, .. }), Some(drain_by)) =
            (&mut self.closing, self.drain_by)
        {
            *by = drain_by.min(*by);
        }
    }

    /// Something failed for good: say so if there is a voice left, and hang up.
    pub(crate) fn fail(&mut self, stage: Stage, provider: String, error: String) {
        self.event(LedgerEvent::ProviderFailed { stage, provider, error });
        let voice_is_gone = matches!(stage, Stage::Tts | Stage::Playout);
        if self.closing.is_some() {
            if voice_is_gone {
                self.abandon_everything();
            }
            return;
        }
        let at_hand = |apology: &Utterance| {
            apology.clauses.iter().all(|clause| matches!(clause.synthesis, Synthesis::Ready { .. }))
        };
        let apology = self.apology.take();
        let usable = apology.filter(|apology| match stage {
            Stage::Playout => false,
            Stage::Tts => at_hand(apology),
            _ => true,
        });
        self.begin_closing(EndReason::Error, usable);
    }

    pub(crate) fn advance_closing(&mut self) -> bool {
        let (now, empty) = (self.now, self.floor_is_empty());
        let Some(closing) = &self.closing else { return self.refusal_is_over() };
        let due = now >= closing.deadline();
        match closing.stage {
            ClosingStage::Farewell { .. } if empty || due => {
                self.abandon_everything();
                let until = self.quiet_since.max(now) + TAIL;
                let until = if self.gate.is_open() { until } else { now };
                self.closing_stage(ClosingStage::Tail { until });
            }
            ClosingStage::Tail { .. } if due => {
                let reason = closing.reason;
                self.out(Output::HangUp { reason });
                self.closing_stage(ClosingStage::HangingUp { by: now + self.config.timeouts.hang_up });
            }
            ClosingStage::HangingUp { .. } if due => self.finish(closing.reason),
            _ => return false,
        }
        true
    }

    fn closing_stage(&mut self, stage: ClosingStage) {
        if let Some(closing) = &mut self.closing {
            closing.stage = stage;
        }
    }

    /// A refused call is over when the reason was spoken.
    fn refusal_is_over(&mut self) -> bool {
        let over = self.config.refusal.is_some() && self.gate.is_open() && self.floor_is_empty();
        if over {
            self.begin_closing(EndReason::Refused, None);
        }
        over
    }

    /// The session is over.
    pub(crate) fn finish(&mut self, reason: EndReason) {
        self.abandon_everything();
        self.close_tools();
        let answered = self.answered_at();
        self.event(LedgerEvent::CallEnded {
            reason,
            duration_ms: answered.map_or(0, |since| millis(self.now.since(since))),
            turns: self.ids.turns_taken(),
        });
        self.closing = None;
        self.apology = None;
        self.enter(State::Ended);
        self.out(Output::Ended { reason });
    }

    /// Stops whatever is said, written, or waited for.
    fn abandon_everything(&mut self) {
        self.leave_flow();
        self.drop_current(CommandOutcome::CallEnding);
        self.abandon_answer();
        self.drop_queued(CommandOutcome::CallEnding, |_| true);
        self.turn.abandon();
        self.keypad.clear();
        self.barge_in = None;
    }
}
