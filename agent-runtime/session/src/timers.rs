//! Every deadline of a session, in one place, and what the passing of time alone does.

use crate::closing::Closing;
use crate::config::TurnRules;
use crate::endpointing::{self, TurnView, Verdict};
use crate::event::{AgentSource, EndReason, LedgerEvent};
use crate::gate::Gate;
use crate::session::Session;
use crate::time::CallTime;

impl Session {
    /// When [`Session::handle`] must be called at the latest, with [`crate::Input::Tick`] if nothing else happens.
    /// `None` when the session is over.
    pub fn next_deadline(&self) -> Option<CallTime> {
        if self.is_over() {
            return None;
        }
        let speaking = [self.synthesis_deadline(), self.playout_deadline(), self.hold_deadline()];
        let waiting = match &self.closing {
            Some(closing) => vec![Some(Closing::deadline(closing))],
            None => vec![
                self.gate.deadline(),
                self.drain_deadline(),
                self.duration_deadline(),
                self.voice_deadline(),
                self.keypad.due().filter(|_| self.gate.is_open()),
                self.turn_deadline(),
                self.answer_deadline(),
                self.silence_deadline(),
                self.flow_deadline().filter(|_| self.gate.is_open()),
            ],
        };
        speaking.into_iter().chain(waiting).chain([self.tools.deadline()]).flatten().min()
    }

    /// Limits on the whole call.
    pub(crate) fn advance_limits(&mut self) -> bool {
        if self.closing.is_some() {
            return false;
        }
        let due = |by: Option<CallTime>| by.is_some_and(|by| self.now >= by);
        let reason = if due(self.drain_deadline()) {
            EndReason::Drained
        } else if due(self.duration_deadline()) {
            EndReason::MaxDuration
        } else {
            return false;
        };
        let message = self.config.max_duration_message.clone();
        self.take_leave(reason, &message);
        true
    }

    /// The caller's voice, keypad and turn.
    pub(crate) fn advance_turn(&mut self) -> bool {
        if self.closing.is_some() || !self.gate.is_open() {
            return false;
        }
        if self.voice_deadline().is_some_and(|by| self.now >= by) {
            let change = self.voice.stall();
            self.voice_changed(change);
            return true;
        }
        if let Some(typed) = self.keypad.take(self.now) {
            self.turn.typed(typed, self.now);
            return true;
        }
        if self.verdict() != Verdict::End {
            return false;
        }
        let silence_over = endpointing::silence_over(&self.turn_view(), &self.turn_rules(), self.now);
        let still_speaking = self.voice.last_voiced();
        if let Some(said) = self.turn.finish(still_speaking, silence_over) {
            self.caller_turn_over(said);
        }
        true
    }

    /// Prompts a silent caller, and gives up at last.
    pub(crate) fn advance_silence(&mut self) -> bool {
        if self.silence_deadline().is_none_or(|by| self.now < by) {
            return false;
        }
        if self.flow_unheard() {
            return true;
        }
        if self.prompts >= self.config.silence.max_prompts {
            let farewell = self.config.silence.farewell.clone();
            self.take_leave(EndReason::Silence, &farewell);
            return true;
        }
        self.prompts += 1;
        self.quiet_since = self.now;
        self.event(LedgerEvent::SilencePrompted { n: self.prompts });
        let prompt = self.config.silence.prompt.clone();
        self.say(AgentSource::Prompt, true, &prompt);
        true
    }

    /// When the call was answered.
    pub(crate) fn answered_at(&self) -> Option<CallTime> {
        match self.gate {
            Gate::Open { since } => Some(since),
            _ => None,
        }
    }

    /// When a drain makes the agent take its leave, with time for the last words.
    fn drain_deadline(&self) -> Option<CallTime> {
        Some(self.drain_by? - self.config.timeouts.drain_margin)
    }

    fn duration_deadline(&self) -> Option<CallTime> {
        Some(self.answered_at()? + self.config.max_duration)
    }

    fn voice_deadline(&self) -> Option<CallTime> {
        self.voice.stalls_at(self.voice_heard_at, self.config.timeouts.voice)
    }

    /// Whether the caller's turn is over. While the agent speaks it is not: the answer would have to wait anyway.
    fn verdict(&self) -> Verdict {
        if self.is_playing() || !self.gate.is_open() {
            return Verdict::Idle;
        }
        endpointing::judge(&self.turn_view(), &self.turn_rules(), self.config.timeouts.stt_final, self.now)
    }

    /// What ends a turn of this caller.
    fn turn_rules(&self) -> TurnRules {
        self.pauses.applied_to(&self.config.turn)
    }

    fn turn_view(&self) -> TurnView {
        TurnView {
            started: self.turn.started(),
            last_voice: self.turn.last_voice(),
            quiet: self.voice.is_quiet(),
            ended_at: self.turn.ended_at(),
            pending_final: self.turn.pending_final(),
            keypad_until: self.keypad.due(),
        }
    }

    fn turn_deadline(&self) -> Option<CallTime> {
        match self.verdict() {
            Verdict::Wait(until) => Some(until),
            Verdict::Idle | Verdict::End => None,
        }
    }

    fn silence_deadline(&self) -> Option<CallTime> {
        let after = self.flow_patience().or(self.config.silence.prompt_after).filter(|_| self.nothing_happens())?;
        Some(self.quiet_since + after)
    }

    /// Whether both sides are silent, and nothing is on its way.
    pub(crate) fn nothing_happens(&self) -> bool {
        self.gate.is_open()
            && self.closing.is_none()
            && self.config.refusal.is_none()
            && self.floor_is_empty()
            && self.answer.is_none()
            && !self.turn.is_open()
            && self.keypad.due().is_none()
            && !self.has_flow_keys()
            && self.voice.is_quiet()
    }
}
