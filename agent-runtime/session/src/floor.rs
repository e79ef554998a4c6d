//! Who speaks: at most one utterance plays, the others wait.

use std::time::Duration;

use crate::event::{AgentSource, LedgerEvent, Stage};
use crate::history::Role;
use crate::ids::{ClauseId, UtteranceId};
use crate::input::WordTime;
use crate::output::{CommandOutcome, Output};
use crate::session::Session;
use crate::time::CallTime;
use crate::utterance::{Synthesis, Utterance};

impl Session {
    pub(crate) fn utterance_mut(&mut self, id: UtteranceId) -> Option<&mut Utterance> {
        self.current.iter_mut().chain(&mut self.queue).chain(&mut self.apology).find(|utterance| utterance.id == id)
    }

    pub(crate) fn is_playing(&self) -> bool {
        self.current.as_ref().is_some_and(|utterance| utterance.playing)
    }

    /// Whether nothing is said and nothing waits to be said.
    pub(crate) fn floor_is_empty(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    pub(crate) fn advance_floor(&mut self) -> bool {
        let requested = self.request_audio();
        let moved = if self.current.is_none() {
            self.next_utterance()
        } else if self.current.as_ref().is_some_and(Utterance::is_finished) {
            self.complete_current();
            true
        } else {
            self.start_current() || self.give_up_stalled()
        };
        requested || moved
    }

    fn request_audio(&mut self) -> bool {
        let now = self.now;
        let requests: Vec<(ClauseId, String)> = self
            .current
            .iter_mut()
            .chain(&mut self.queue)
            .chain(&mut self.apology)
            .flat_map(|utterance| utterance.take_requests(now))
            .collect();
        let any = !requests.is_empty();
        for (clause, text) in requests {
            if let Some(answer) = self.answer.as_mut().filter(|answer| answer.utterance == Some(clause.utterance)) {
                answer.marks.synthesize.get_or_insert(now);
            }
            self.out(Output::Synthesize { clause, text });
        }
        any
    }

    fn next_utterance(&mut self) -> bool {
        let Some(mut next) = self.queue.pop_front() else { return false };
        // Its audio was waited for behind others until now.
        next.progress(self.now);
        self.current = Some(next);
        true
    }

    fn start_current(&mut self) -> bool {
        let caller_has_floor = !self.voice.is_quiet() || self.turn.is_open();
        let (now, hold, open) = (self.now, self.config.timeouts.hold, self.gate.is_open());
        let Some(current) = self.current.as_mut().filter(|current| open && !current.playing && current.is_audible())
        else {
            return false;
        };
        if current.interruptible && caller_has_floor {
            let held_since = *current.held_since.get_or_insert(now);
            if now < held_since + hold {
                return false;
            }
        }
        current.playing = true;
        current.playout_since = now;
        let utterance = current.id;
        self.out(Output::Play { utterance });
        true
    }

    fn give_up_stalled(&mut self) -> bool {
        if self.synthesis_deadline().is_some_and(|by| self.now >= by) {
            self.fail(Stage::Tts, String::new(), "the voice made no progress for too long".into());
            return true;
        }
        if self.playout_deadline().is_some_and(|by| self.now >= by) {
            self.fail(Stage::Playout, String::new(), "audio is there but is not sent".into());
            return true;
        }
        false
    }

    pub(crate) fn synthesis_deadline(&self) -> Option<CallTime> {
        Some(self.current.as_ref()?.synthesis_since()? + self.config.timeouts.synthesis)
    }

    pub(crate) fn playout_deadline(&self) -> Option<CallTime> {
        let current = self.current.as_ref().filter(|current| current.has_audio_to_send())?;
        Some(current.playout_since + self.config.timeouts.playout)
    }

    pub(crate) fn hold_deadline(&self) -> Option<CallTime> {
        let current = self.current.as_ref().filter(|current| !current.playing)?;
        Some(current.held_since? + self.config.timeouts.hold)
    }

    fn complete_current(&mut self) {
        let Some(utterance) = self.current.take() else { return };
        if self.barge_in.take().is_some() {
            self.out(Output::Resume);
        }
        self.account_for(&utterance, None, false);
        let heard_at = utterance.sent_until.unwrap_or(self.now) + self.config.path_delay;
        self.quiet_since = self.quiet_since.max(heard_at);
        self.answer_played(utterance.id);
        self.flow_said(utterance.id);
        self.command_finished(utterance.command, CommandOutcome::Done);
    }

    /// Stops an utterance that is playing and records how much of it was heard.
    pub(crate) fn cut_short(&mut self, utterance: Utterance, cutoff: Option<CallTime>, outcome: CommandOutcome) {
        self.out(Output::Stop { utterance: utterance.id });
        if utterance.playing {
            self.account_for(&utterance, cutoff, true);
        }
        self.command_finished(utterance.command, outcome);
    }

    /// Stops the current utterance, whatever its state.
    pub(crate) fn drop_current(&mut self, outcome: CommandOutcome) {
        self.barge_in = None;
        if let Some(utterance) = self.current.take() {
            let cutoff = self.now - self.config.path_delay;
            self.cut_short(utterance, Some(cutoff), outcome);
        }
    }

    /// Drops utterances that wait.
    pub(crate) fn drop_queued(&mut self, outcome: CommandOutcome, unwanted: impl Fn(&Utterance) -> bool) {
        let (dropped, kept): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|queued| unwanted(queued));
        self.queue.extend(kept);
        for utterance in dropped {
            self.cut_short(utterance, None, outcome);
        }
    }

    fn account_for(&mut self, utterance: &Utterance, cutoff: Option<CallTime>, interrupted: bool) {
        let text = utterance.text();
        if text.is_empty() {
            return;
        }
        let heard = utterance.heard(cutoff);
        self.history.push(Role::Assistant, &heard.text);
        self.event(LedgerEvent::AgentSaid {
            utterance: utterance.id,
            text,
            heard: heard.text,
            heard_by: heard.by,
            interrupted,
            source: utterance.source,
        });
    }

    fn command_finished(&mut self, command: Option<String>, outcome: CommandOutcome) {
        if let Some(id) = command {
            self.out(Output::CommandFinished { id, outcome });
        }
    }

    /// Queues a text.
    pub(crate) fn say(&mut self, source: AgentSource, interruptible: bool, text: &str) {
        let utterance = Utterance::of_text(self.ids.utterance(), source, interruptible, text);
        if !utterance.clauses.is_empty() {
            self.queue.push_back(utterance);
        }
    }

    pub(crate) fn clause_audio(&mut self, clause: ClauseId) {
        let now = self.now;
        if let Some(utterance) = self.utterance_mut(clause.utterance) {
            utterance.progress(now);
            if let Some(clause) = utterance.clause_mut(clause)
                && let Synthesis::Running { audible, .. } = &mut clause.synthesis
            {
                *audible = true;
            }
        }
        self.mark_first_audio(clause.utterance);
    }

    pub(crate) fn clause_ready(&mut self, clause: ClauseId, duration: Duration, words: Vec<WordTime>) {
        let now = self.now;
        if let Some(utterance) = self.utterance_mut(clause.utterance) {
            utterance.progress(now);
            utterance.playout_since = now;
            if let Some(clause) = utterance.clause_mut(clause)
                && matches!(clause.synthesis, Synthesis::Running { .. })
            {
                clause.synthesis = Synthesis::Ready { duration, words };
            }
        }
        self.mark_first_audio(clause.utterance);
    }

    fn mark_first_audio(&mut self, utterance: UtteranceId) {
        let now = self.now;
        if let Some(answer) = self.answer.as_mut().filter(|answer| answer.utterance == Some(utterance)) {
            answer.marks.first_audio.get_or_insert(now);
        }
    }

    pub(crate) fn frame_sent(&mut self, clause: ClauseId, offset: Duration, length: Duration, at: CallTime) {
        let (now, at) = (self.now, at.min(self.now));
        let Some(current) = self.current.as_mut().filter(|current| current.id == clause.utterance && current.playing)
        else {
            return;
        };
        current.frame_sent(clause, at, offset, length);
        current.playout_since = now;
        if let Some(answer) = self.answer.as_mut().filter(|answer| answer.utterance == Some(clause.utterance)) {
            answer.marks.first_sample.get_or_insert(at);
        }
    }

    pub(crate) fn clause_played(&mut self, clause: ClauseId) {
        let now = self.now;
        if let Some(current) = self.current.as_mut().filter(|current| current.id == clause.utterance && current.playing)
        {
            current.playout_since = now;
            if let Some(clause) = current.clause_mut(clause)
                && matches!(clause.synthesis, Synthesis::Ready { .. })
            {
                clause.played = true;
            }
        }
    }
}
