//! Barge-in in two stages: the agent lowers its voice at the first sound, gives up the floor on evidence, and goes on
//! when there is none.

use crate::event::{BargeInTrigger, LedgerEvent};
use crate::output::{CommandOutcome, Output};
use crate::session::Session;
use crate::time::{CallTime, millis};

/// A sound over the agent's voice that is not decided yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BargeIn {
    pub(crate) onset: CallTime,
}

impl Session {
    /// Whether what plays may be interrupted by the caller.
    pub(crate) fn can_be_interrupted(&self) -> bool {
        self.config.barge_in.enabled
            && self.closing.is_none()
            && self.current.as_ref().is_some_and(|utterance| utterance.playing && utterance.interruptible)
    }

    /// First stage, at the onset of a sound.
    pub(crate) fn duck(&mut self, onset: CallTime) {
        if self.can_be_interrupted() && self.barge_in.is_none() {
            self.barge_in = Some(BargeIn { onset });
            self.out(Output::Duck);
            self.event(LedgerEvent::BargeInDucked { ms: millis(self.now.since(onset)) });
        }
    }

    /// Second stage on the length of the speech.
    pub(crate) fn weigh_speech(&mut self) {
        if let Some(BargeIn { onset }) = self.barge_in
            && self.voice.length() >= self.config.barge_in.min_speech
        {
            self.commit_barge_in(onset, BargeInTrigger::Speech);
        }
    }

    /// The sound is over without evidence.
    pub(crate) fn resume(&mut self) {
        if self.barge_in.take().is_none() {
            return;
        }
        self.out(Output::Resume);
        self.event(LedgerEvent::BargeInResumed {});
        if let Some(said) = self.turn.abandon() {
            self.event(LedgerEvent::CallerSaid {
                turn: None,
                text: said.said,
                start_us: said.start.as_micros(),
                end_us: said.end.as_micros(),
                confidence: said.confidence,
                backchannel: true,
            });
        }
    }

    /// The caller takes the floor: what they did not hear was not said.
    pub(crate) fn commit_barge_in(&mut self, onset: CallTime, trigger: BargeInTrigger) {
        self.barge_in = None;
        let Some(utterance) = self.current.take() else { return };
        let cutoff = onset - self.config.path_delay;
        let heard = utterance.heard(Some(cutoff));
        self.event(LedgerEvent::BargeInCommitted { heard: heard.text, trigger });
        self.cut_short(utterance, Some(cutoff), CommandOutcome::Interrupted);
        // What a tool does goes on until the caller has really asked for something else.
        if !self.is_acting() {
            self.abandon_answer();
        }
        self.drop_queued(CommandOutcome::Interrupted, |queued| queued.interruptible);
        self.quiet_since = self.now;
        self.turn.speech(onset);
    }
}
