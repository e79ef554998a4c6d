//! A round of calls: begin them, wait for them, tell the model.

use super::invocation::Progress;
use super::{
    Effect, Invocation, MAX_ARGUMENTS, MAX_CALLS, MAX_NAME, MAX_ROUNDS, MAX_RUNNING, ToolCall, ToolKind, ToolOutcome,
    ToolRules, ToolStatus,
};
use crate::answer::AnswerStage;
use crate::event::{AgentSource, EndReason, LedgerEvent};
use crate::ids::{GenerationId, InvocationId};
use crate::output::Output;
use crate::session::Session;
use crate::utterance::Utterance;

impl Session {
    /// The model asks for tools. They begin when it has written everything.
    pub(crate) fn tool_calls(&mut self, of: GenerationId, calls: Vec<ToolCall>) {
        if !self.is_written_by(of) {
            return;
        }
        self.sign_of_life(of);
        if self.answer.as_ref().is_some_and(|answer| answer.rounds < MAX_ROUNDS) {
            let room = MAX_CALLS.saturating_sub(self.tools.wanted.len());
            self.tools.wanted.extend(calls.into_iter().take(room));
        }
    }

    /// The model has written everything and wants something done.
    pub(crate) fn begin_round(&mut self) {
        self.close_written_part();
        let Some(answer) = self.answer.as_mut() else { return };
        answer.stage = AnswerStage::Acting;
        answer.rounds += 1;
        let mut openings: Vec<String> = Vec::new();
        for call in std::mem::take(&mut self.tools.wanted) {
            let rules = self.config.tools.iter().find(|tool| tool.name == call.name).cloned();
            let begun = self.begin_invocation(call, rules.as_ref());
            // The same words twice would be odd.
            if let Some(rules) = rules.filter(|rules| begun && !openings.contains(&rules.on_start)) {
                openings.push(rules.on_start);
            }
        }
        openings.iter().for_each(|text| self.say_for_tool(text));
    }

    /// Begins one call. False: it is refused.
    fn begin_invocation(&mut self, mut call: ToolCall, rules: Option<&ToolRules>) -> bool {
        let (now, id) = (self.now, self.tools.next_id());
        let too_long = call.arguments.len() > MAX_ARGUMENTS;
        call.name = super::shortened(&call.name, MAX_NAME);
        if too_long {
            call.arguments = "{}".to_owned();
        }
        let refusal = match rules {
            None => Some(ToolOutcome::failed("unknown_tool", format!("There is no tool {:?}.", call.name))),
            Some(_) if too_long => Some(ToolOutcome::failed("invalid_arguments", "The arguments are too long.")),
            Some(_) if self.tools.running() >= MAX_RUNNING => {
                Some(ToolOutcome::failed("too_many", "Too much is going on at once. Try again later."))
            }
            Some(_) => call.problem.clone().map(|problem| ToolOutcome::failed("invalid_arguments", problem)),
        };
        // What will not be done needs no record beforehand.
        let effect = rules.filter(|_| refusal.is_none()).map_or(Effect::Read, |rules| rules.effect);
        let kind = rules.map_or(ToolKind::Remote, |rules| rules.kind);
        let (tool, arguments) = (call.name.clone(), call.arguments.clone());
        let invocation = Invocation {
            id,
            call,
            effect,
            on_complete: rules.map(|rules| rules.on_complete.clone()).unwrap_or_default(),
            patience: rules.map(|rules| rules.patience).unwrap_or_default(),
            since: now,
            progress: match kind {
                ToolKind::EndCall => Progress::Leaving,
                ToolKind::Remote => Progress::Recording { by: now + self.config.timeouts.record },
            },
        };
        self.event(LedgerEvent::ToolIntent {
            invocation: id,
            tool,
            effect,
            // Hanging up is recorded when it is done.
            durable: effect != Effect::Read && kind == ToolKind::Remote,
            arguments,
        });
        self.tools.round.push(invocation);
        match refusal {
            Some(refusal) => {
                self.tool_over(id, refusal);
                false
            }
            None => {
                if kind == ToolKind::Remote && effect == Effect::Read {
                    self.invoke(id);
                }
                true
            }
        }
    }

    fn invoke(&mut self, id: InvocationId) {
        let now = self.now;
        let Some(invocation) = self.tools.find(id) else { return };
        invocation.progress = Progress::Running { by: now + invocation.patience };
        let (tool, arguments) = (invocation.call.name.clone(), invocation.call.arguments.clone());
        self.out(Output::Invoke { invocation: id, tool, arguments });
    }

    /// The ledger has the intent: it may be done.
    pub(crate) fn tool_recorded(&mut self, id: InvocationId) {
        if self.tools.find(id).is_some_and(|found| matches!(found.progress, Progress::Recording { .. })) {
            self.invoke(id);
        }
    }

    /// The owner is done with it.
    pub(crate) fn tool_finished(&mut self, id: InvocationId, outcome: ToolOutcome) {
        if self.tools.find(id).is_some_and(|found| found.is_running()) {
            self.tool_over(id, outcome);
        }
    }

    /// A call is over, however.
    pub(super) fn tool_over(&mut self, id: InvocationId, outcome: ToolOutcome) {
        let now = self.now;
        let Some(invocation) = self.tools.find(id) else { return };
        let ToolOutcome { status, result, error } = outcome;
        let told = super::shortened(&result, super::MAX_RESULT);
        invocation.progress = Progress::Done { status, result };
        let (tool, ms) = (invocation.call.name.clone(), crate::time::millis(now.since(invocation.since)));
        let closing = invocation.on_complete.clone();
        self.event(LedgerEvent::ToolResult { invocation: id, tool, status, error, ms, result: told });
        let awaited = self.tools.round.iter().any(|invocation| invocation.id == id);
        if awaited && status == ToolStatus::Ok {
            self.say_for_tool(&closing);
        }
    }

    /// Deadlines of calls; the end of a round; news for a caller who waits for them.
    pub(crate) fn advance_tools(&mut self) -> bool {
        let now = self.now;
        let overdue = self.tools.all().find(|invocation| invocation.deadline().is_some_and(|by| now >= by));
        if let Some((id, running, outcome)) = overdue.map(|found| (found.id, found.is_running(), found.overdue())) {
            if running {
                self.out(Output::CancelInvocation { invocation: id });
            }
            self.tool_over(id, outcome);
            return true;
        }
        self.file_background() || self.conclude_round() || self.follow_up()
    }

    /// Everything that was asked for is done: the model goes on with it.
    fn conclude_round(&mut self) -> bool {
        let acting = self.answer.as_ref().is_some_and(|answer| answer.stage == AnswerStage::Acting);
        let leaves = |invocation: &Invocation| invocation.progress == Progress::Leaving;
        if !acting || !self.tools.round.iter().all(|invocation| invocation.is_done() || leaves(invocation)) {
            return false;
        }
        if let Some(id) = self.tools.round.iter().find(|invocation| leaves(invocation)).map(|leaving| leaving.id) {
            return self.leave_by_tool(id);
        }
        let uses = self.tools.round.drain(..).map(|invocation| invocation.as_use()).collect();
        self.history.push_uses(uses);
        let passages = self.answer.as_mut().map(|answer| std::mem::take(&mut answer.passages)).unwrap_or_default();
        self.generate(passages);
        true
    }

    /// Hangs up when everything is said and the caller says nothing, unless something else went wrong beside it.
    fn leave_by_tool(&mut self, id: InvocationId) -> bool {
        if self.tools.round.iter().any(|other| other.is_done() && !other.succeeded() && other.id != id) {
            let outcome = ToolOutcome::failed("other_failed", "The call goes on: something else failed. Say so first.");
            self.tool_over(id, outcome);
            return true;
        }
        if !self.floor_is_empty() || self.turn.is_open() || !self.voice.is_quiet() {
            return false;
        }
        // What the model wrote are the last words; if it wrote none, the agent's own are.
        let spoke = self.answer.as_ref().is_some_and(|answer| answer.spoke);
        let message = if spoke { String::new() } else { self.config.goodbye.message.clone() };
        self.tool_over(id, ToolOutcome { status: ToolStatus::Ok, result: "The call ends.".to_owned(), error: None });
        self.take_leave(EndReason::AgentHungUp, &message);
        true
    }

    /// Queues words that belong to a tool.
    fn say_for_tool(&mut self, text: &str) {
        let utterance = Utterance::of_text(self.ids.utterance(), AgentSource::Tool, true, text);
        if utterance.clauses.is_empty() {
            return;
        }
        if let Some(answer) = self.answer.as_mut() {
            answer.earlier.push(utterance.id);
        }
        self.queue.push_back(utterance);
    }
}
