//! Entering and leaving nodes.

use std::sync::Arc;

use super::position::{FlowInput, FlowOutcome, Position};
use super::program::{Flow, Step};
use crate::caller_turn::Finished;
use crate::event::{AgentSource, EndReason, LedgerEvent};
use crate::ids::UtteranceId;
use crate::output::CommandOutcome;
use crate::session::Session;
use crate::text;
use crate::utterance::Utterance;

/// How and whereto a node is left.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaving {
    pub(super) next: Option<String>,
    pub(super) choice: Option<usize>,
    pub(super) by: Option<FlowInput>,
    /// Branches that could not be judged.
    pub(super) failed: Vec<usize>,
}

impl Leaving {
    pub(super) fn to(next: &str) -> Self {
        Self { next: Some(next.to_owned()), ..Self::default() }
    }
}

impl Session {
    /// Enters the first node, so that its audio is made while the room is joined.
    pub(crate) fn begin_flow(&mut self) {
        let Some(flow) = self.config.flow.clone() else { return };
        self.flow = Position { values: flow.values().clone(), ..Position::default() };
        self.go_to(flow.start());
    }

    /// The flow, if it has the call.
    pub(super) fn followed(&self) -> Option<(Arc<Flow>, &str)> {
        let node = self.flow.node.as_deref()?;
        Some((self.config.flow.clone()?, node))
    }

    /// Goes on when what the flow waits for has happened.
    pub(crate) fn advance_flow(&mut self) -> bool {
        if self.closing.is_some() {
            return false;
        }
        let Some((flow, id)) = self.followed() else { return false };
        let Some(node) = flow.node(id) else { return false };
        self.notice_question();
        match &node.step {
            Step::Say(say) if !self.is_saying() => {
                let outcome = if self.flow.said { FlowOutcome::Said } else { FlowOutcome::Interrupted };
                self.leave(outcome, Leaving::to(&say.next));
                self.go_to(&say.next);
                true
            }
            Step::HangUp { .. } if !self.is_saying() && self.floor_is_empty() && self.gate.is_open() => {
                self.leave(FlowOutcome::HungUp, Leaving::default());
                self.begin_closing(EndReason::FlowEnded, None);
                true
            }
            Step::Listen(listen) => self.advance_listen(listen),
            Step::Menu(menu) => self.advance_menu(menu),
            Step::Agent(talk) => self.advance_talk(talk),
            _ => false,
        }
    }

    /// Enters a node, and those that follow as long as they need no time.
    pub(super) fn go_to(&mut self, id: &str) {
        let Some(flow) = self.config.flow.clone() else { return };
        let mut next = Some(id.to_owned());
        // A flow was checked for circles in which nobody is asked; should one slip in, the call ends instead of the pod.
        for _ in 0..=flow.len() {
            let Some(node) = next.take().and_then(|id| flow.node(&id)) else { return };
            self.flow.enter(&node.id, self.now);
            self.event(LedgerEvent::FlowNodeEntered { node: node.id.clone(), kind: node.step.kind() });
            next = self.begin_step(&node.step);
            if next.is_none() {
                return;
            }
        }
        let message = self.config.error_message.clone();
        self.take_leave(EndReason::Error, &message);
    }

    /// Begins what a node does. A node that needs no time is left at once, for the one that is returned.
    fn begin_step(&mut self, step: &Step) -> Option<String> {
        match step {
            Step::Say(say) => {
                let source = if say.greeting { AgentSource::Greeting } else { AgentSource::Flow };
                let text = say.text.fill(&self.flow.values);
                if self.say_in_flow(source, say.interruptible, &text) {
                    return None;
                }
                self.leave(FlowOutcome::Said, Leaving::to(&say.next));
                Some(say.next.clone())
            }
            Step::HangUp { text } => {
                let text = text.fill(&self.flow.values);
                self.say_in_flow(AgentSource::Farewell, false, &text);
                None
            }
            Step::Listen(listen) => {
                self.put_question(&listen.ask, None);
                None
            }
            Step::Menu(menu) => {
                self.put_question(&menu.ask, None);
                None
            }
            Step::Condition { branches, otherwise } => {
                let holds: Vec<Option<bool>> =
                    branches.iter().map(|branch| branch.when.holds(&self.flow.values)).collect();
                let choice = holds.iter().position(|holds| *holds == Some(true));
                let next = choice.and_then(|n| branches.get(n)).map_or(otherwise, |branch| &branch.next);
                let until = choice.unwrap_or(holds.len());
                let failed = (0..until).filter(|n| holds[*n].is_none()).collect();
                self.leave(FlowOutcome::Judged, Leaving { choice, failed, ..Leaving::to(next) });
                Some(next.clone())
            }
            Step::Set { values, next } => {
                for (name, value) in values {
                    let value = value.fill(&self.flow.values);
                    self.assign(name, value);
                }
                self.leave(FlowOutcome::Set, Leaving::to(next));
                Some(next.clone())
            }
            Step::Agent(talk) => {
                self.begin_talk(talk);
                None
            }
        }
    }

    /// Tells the ledger that the node is left. Whoever calls it enters the next one, or ends the call.
    pub(super) fn leave(&mut self, outcome: FlowOutcome, leaving: Leaving) {
        let Some(node) = self.flow.node.take() else { return };
        let Leaving { next, choice, by, failed } = leaving;
        self.event(LedgerEvent::FlowNodeLeft { node, outcome, choice, by, failed, next });
    }

    /// The call ends, wherever it stands.
    pub(crate) fn leave_flow(&mut self) {
        self.leave(FlowOutcome::CallEnded, Leaving::default());
    }

    /// Gives a variable a value.
    pub(super) fn assign(&mut self, name: &str, value: String) {
        let value = self.flow.assign(name, value);
        self.event(LedgerEvent::FlowVariableSet { name: name.to_owned(), value });
    }

    /// Says something for the present node; whether there was anything to say.
    pub(super) fn say_in_flow(&mut self, source: AgentSource, interruptible: bool, text: &str) -> bool {
        let utterance = Utterance::of_text(self.ids.utterance(), source, interruptible, text);
        let speaks = !utterance.clauses.is_empty();
        if speaks {
            self.flow.saying = Some(utterance.id);
            self.flow.said = false;
            self.queue.push_back(utterance);
        }
        speaks
    }

    /// Whether what the node says is not over yet.
    pub(super) fn is_saying(&self) -> bool {
        let Some(saying) = self.flow.saying else { return false };
        self.current.iter().chain(&self.queue).any(|utterance| utterance.id == saying)
    }

    /// An utterance was spoken to its end.
    pub(crate) fn flow_said(&mut self, utterance: UtteranceId) {
        if self.flow.saying == Some(utterance) {
            self.flow.said = true;
        }
    }

    /// Says no more of what the node says.
    pub(super) fn fall_silent(&mut self) {
        let Some(saying) = self.flow.saying.take() else { return };
        if self.current.as_ref().is_some_and(|current| current.id == saying) {
            self.drop_current(CommandOutcome::Interrupted);
        }
        self.drop_queued(CommandOutcome::Interrupted, |queued| queued.id == saying);
    }

    /// The caller's turn is over: it answers what the flow asked, or it is the language model's to answer.
    pub(crate) fn caller_turn_over(&mut self, said: Finished) {
        let Some((flow, id)) = self.followed() else { return self.begin_answer(said) };
        match flow.node(id).map(|node| &node.step) {
            Some(Step::Agent(talk)) => self.turn_in_talk(talk, said),
            Some(Step::Menu(menu)) => self.turn_in_menu(menu, &said),
            Some(Step::Listen(listen)) => self.turn_in_listen(listen, &said),
            // Nobody asked. It is remembered for the language model.
            step => {
                self.take_note(&said);
                if self.is_goodbye(&said) && !matches!(step, Some(Step::HangUp { .. })) {
                    self.say_goodbye();
                }
            }
        }
    }

    /// The caller took their leave.
    pub(super) fn say_goodbye(&mut self) {
        let message = self.config.goodbye.message.clone();
        self.take_leave(EndReason::Goodbye, &message);
    }

    /// Whether the caller took their leave.
    pub(super) fn is_goodbye(&self, said: &Finished) -> bool {
        text::ends_with_phrase(&said.whole, &self.config.goodbye.phrases)
    }
}
