//! Questions and menus: answers, silence, repetitions.

use std::time::Duration;

use super::hear;
use super::position::{FlowInput, FlowOutcome};
use super::program::{AnswerKind, Ask, Listen, Menu, Step};
use super::walk::Leaving;
use crate::caller_turn::Finished;
use crate::event::{AgentSource, BargeInTrigger, EndReason, LedgerEvent};
use crate::session::Session;
use crate::text;
use crate::time::CallTime;

/// Questions in a row, in whichever node, to which nothing is heard: then nobody is there.
const MAX_UNHEARD: u32 = 10;

impl Session {
    /// Asks, with some words before when it is not the first time.
    pub(super) fn put_question(&mut self, ask: &Ask, before: Option<&str>) {
        let question = ask.text.fill(&self.flow.values);
        let words = text::join([before.unwrap_or_default(), question.as_str()]);
        self.flow.asked_at = None;
        if !self.say_in_flow(AgentSource::Flow, ask.interruptible, &words) {
            self.flow.asked_at = Some(self.now);
            self.quiet_since = self.quiet_since.max(self.now);
        }
    }

    /// Notes when the caller begins to hear the question: what they said before is no answer to it.
    pub(super) fn notice_question(&mut self) {
        let playing = self.current.as_ref().filter(|current| current.playing).map(|current| current.id);
        if self.flow.asked_at.is_none() && playing.is_some() && playing == self.flow.saying {
            self.flow.asked_at = Some(self.now);
        }
    }

    /// Takes a key while the flow leads; otherwise it is the language model's.
    pub(crate) fn flow_key(&mut self, key: char) -> bool {
        let Some((flow, id)) = self.followed() else { return false };
        if matches!(flow.node(id).map(|node| &node.step), None | Some(Step::Agent(_))) {
            return false;
        }
        if self.can_be_interrupted() {
            let onset = self.barge_in.map_or(self.now, |barge_in| barge_in.onset);
            self.commit_barge_in(onset, BargeInTrigger::Dtmf);
            // The key says it all: no words are waited for.
            self.turn.abandon();
        }
        self.prompts = 0;
        self.flow.unheard = 0;
        self.flow.keys.press(key, self.now);
        self.quiet_since = self.now;
        true
    }

    /// Whether words over a question answer it, so that fewer of them interrupt than usually.
    pub(crate) fn answers_flow(&self, said: &str) -> bool {
        let Some((flow, id)) = self.followed() else { return false };
        match flow.node(id).map(|node| &node.step) {
            Some(Step::Menu(menu)) => hear::option(&menu.options, said).is_some(),
            Some(Step::Listen(Listen { kind: AnswerKind::YesNo { yes, no }, .. })) => {
                hear::yes_or_no(yes, no, said).is_some()
            }
            _ => false,
        }
    }

    /// How long the flow waits for the caller in silence; `None` when it does not wait.
    pub(crate) fn flow_patience(&self) -> Option<Duration> {
        let (flow, id) = self.followed()?;
        Some(flow.node(id)?.step.ask()?.timeout)
    }

    /// When a number that is being typed is complete.
    pub(crate) fn flow_deadline(&self) -> Option<CallTime> {
        let (flow, id) = self.followed()?;
        match &flow.node(id)?.step {
            Step::Listen(listen) => self.flow.keys.due(most_keys(&listen.kind)),
            _ => None,
        }
    }

    /// Whether keys wait to be used.
    pub(crate) fn has_flow_keys(&self) -> bool {
        !self.flow.keys.is_empty()
    }

    /// Nothing was said for as long as the flow waits; whether it did wait.
    pub(crate) fn flow_unheard(&mut self) -> bool {
        let Some((flow, id)) = self.followed() else { return false };
        let Some(ask) = flow.node(id).and_then(|node| node.step.ask()) else { return false };
        self.unanswered(ask, FlowOutcome::NoInput);
        true
    }

    pub(super) fn advance_menu(&mut self, menu: &Menu) -> bool {
        let Some(key) = self.flow.keys.take() else { return false };
        match menu.options.iter().position(|option| option.key == Some(key)) {
            Some(choice) => self.chosen(menu, choice, FlowInput::Keys),
            None => self.wrong_keys(&menu.ask),
        }
        true
    }

    pub(super) fn advance_listen(&mut self, listen: &Listen) -> bool {
        let most = most_keys(&listen.kind);
        if self.flow.keys.due(most).is_none_or(|by| self.now < by) {
            return false;
        }
        let typed = self.flow.keys.take_number(most);
        let answer = match &listen.kind {
            AnswerKind::Text { min, max } => (*min..=*max).contains(&typed.len()).then_some(typed),
            AnswerKind::Digits { min, max } => {
                // A star begins anew.
                let digits = typed.rsplit('*').next().unwrap_or_default().to_owned();
                (*min..=*max).contains(&digits.len()).then_some(digits)
            }
            AnswerKind::YesNo { .. } => match typed.as_str() {
                "1" => Some("yes".to_owned()),
                "2" => Some("no".to_owned()),
                _ => None,
            },
        };
        match answer {
            Some(answer) => self.answered(listen, answer, FlowInput::Keys),
            None => self.wrong_keys(&listen.ask),
        }
        true
    }

    pub(super) fn turn_in_menu(&mut self, menu: &Menu, said: &Finished) {
        self.take_note(said);
        match hear::option(&menu.options, &said.whole) {
            Some(choice) => self.chosen(menu, choice, FlowInput::Speech),
            None => self.not_understood(&menu.ask, said),
        }
    }

    pub(super) fn turn_in_listen(&mut self, listen: &Listen, said: &Finished) {
        self.take_note(said);
        let asked = self.was_asked(said);
        let answer = match &listen.kind {
            AnswerKind::Text { min, max } => {
                let length = said.whole.chars().count();
                (asked && (*min..=*max).contains(&length)).then(|| said.whole.clone())
            }
            AnswerKind::Digits { min, max } => {
                hear::digits(&said.whole).filter(|digits| asked && (*min..=*max).contains(&digits.len()))
            }
            AnswerKind::YesNo { yes, no } => hear::yes_or_no(yes, no, &said.whole)
                .filter(|_| asked)
                .map(|yes| if yes { "yes" } else { "no" }.to_owned()),
        };
        match answer {
            Some(answer) => self.answered(listen, answer, FlowInput::Speech),
            None => self.not_understood(&listen.ask, said),
        }
    }

    fn chosen(&mut self, menu: &Menu, choice: usize, by: FlowInput) {
        let Some(option) = menu.options.get(choice) else { return };
        self.fall_silent();
        self.flow.unheard = 0;
        self.leave(FlowOutcome::Chosen, Leaving { choice: Some(choice), by: Some(by), ..Leaving::to(&option.next) });
        self.go_to(&option.next);
    }

    fn answered(&mut self, listen: &Listen, answer: String, by: FlowInput) {
        self.fall_silent();
        self.flow.unheard = 0;
        self.assign(&listen.variable, answer);
        self.leave(FlowOutcome::Answered, Leaving { by: Some(by), ..Leaving::to(&listen.next) });
        self.go_to(&listen.next);
    }

    /// Keys that are no answer count as a wrong one once the question is heard.
    fn wrong_keys(&mut self, ask: &Ask) {
        self.flow.keys.clear();
        if self.flow.asked_at.is_some() {
            self.fall_silent();
            self.unanswered(ask, FlowOutcome::NoMatch);
        }
    }

    /// Words that are no answer: a goodbye, or a wrong answer if the question was heard before.
    fn not_understood(&mut self, ask: &Ask, said: &Finished) {
        self.flow.unheard = 0;
        if self.is_goodbye(said) {
            self.say_goodbye();
        } else if self.was_asked(said) {
            self.fall_silent();
            self.unanswered(ask, FlowOutcome::NoMatch);
        }
    }

    fn was_asked(&self, said: &Finished) -> bool {
        self.flow.asked_at.is_some_and(|asked_at| said.start >= asked_at)
    }

    /// Asks again, or goes on without an answer.
    fn unanswered(&mut self, ask: &Ask, outcome: FlowOutcome) {
        let retry = if outcome == FlowOutcome::NoInput { &ask.no_input } else { &ask.no_match };
        if outcome == FlowOutcome::NoInput {
            self.flow.unheard += 1;
            if self.flow.unheard >= MAX_UNHEARD {
                let farewell = self.config.silence.farewell.clone();
                self.take_leave(EndReason::Silence, &farewell);
                return;
            }
        }
        self.flow.failures += 1;
        if self.flow.failures > ask.retries {
            self.leave(outcome, Leaving::to(&retry.next));
            self.go_to(&retry.next);
            return;
        }
        let Some(node) = self.flow.node.clone() else { return };
        self.event(LedgerEvent::FlowRepeated { node, outcome, n: self.flow.failures });
        let before = retry.text.fill(&self.flow.values);
        self.put_question(ask, Some(&before));
    }
}

/// So many keys are an answer without a `#`.
fn most_keys(kind: &AnswerKind) -> usize {
    match kind {
        AnswerKind::Text { max, .. } | AnswerKind::Digits { max, .. } => *max,
        AnswerKind::YesNo { .. } => 1,
    }
}
