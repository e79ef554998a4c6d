//! The language model's part of a flow.

use super::position::FlowOutcome;
use super::program::Talk;
use super::walk::Leaving;
use crate::caller_turn::Finished;
use crate::output::Output;
use crate::session::Session;
use crate::text;

impl Session {
    pub(super) fn begin_talk(&mut self, talk: &Talk) {
        // What was typed was meant for menus.
        self.flow.keys.clear();
        let text = talk.instructions.fill(&self.flow.values);
        self.out(Output::Instruct { text });
        self.quiet_since = self.quiet_since.max(self.now);
    }

    /// Counts answers as they become audible, and goes on after the last one.
    pub(super) fn advance_talk(&mut self, talk: &Talk) -> bool {
        let audible = self.answer.as_ref().filter(|answer| answer.marks.first_sample.is_some());
        if let Some(turn) = audible.map(|answer| answer.turn).filter(|turn| self.flow.counted != Some(*turn)) {
            self.flow.counted = Some(turn);
            self.flow.turns += 1;
        }
        let (Some(most), Some(next)) = (talk.max_turns, &talk.next) else { return false };
        if self.flow.turns < most || self.answer.is_some() || !self.floor_is_empty() {
            return false;
        }
        self.end_talk(FlowOutcome::Turns, next);
        true
    }

    /// The caller's turn is over while the language model has the conversation.
    pub(super) fn turn_in_talk(&mut self, talk: &Talk, said: Finished) {
        match &talk.next {
            Some(next) if text::ends_with_phrase(&said.whole, &talk.phrases) => {
                self.take_note(&said);
                self.end_talk(FlowOutcome::Phrase, next);
            }
            _ => self.begin_answer(said),
        }
    }

    fn end_talk(&mut self, outcome: FlowOutcome, next: &str) {
        self.out(Output::Instruct { text: String::new() });
        self.leave(outcome, Leaving::to(next));
        self.go_to(next);
    }
}
