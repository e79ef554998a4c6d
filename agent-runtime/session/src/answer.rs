//! Answering a turn: retrieval, generation, and the text on its way to the voice.

use crate::caller_turn::Finished;
use crate::clauses::ClauseSplitter;
use crate::event::{AgentSource, EndReason, LedgerEvent, Stage};
use crate::history::Role;
use crate::ids::{GenerationId, TurnId, UtteranceId};
use crate::input::Passage;
use crate::latency::LatencyMarks;
use crate::output::{CommandOutcome, Output};
use crate::session::Session;
use crate::text;
use crate::time::CallTime;
use crate::utterance::Utterance;

/// Longest answer in characters, about four minutes of speech; the rest is not generated.
const MAX_ANSWER: usize = 4_000;

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerStage {
    /// Searching since then.
    Retrieving { since: CallTime },
    /// The model writes; `since` is its last sign of life.
    Generating { generation: GenerationId, since: CallTime },
    /// The text is complete.
    Written,
}

/// The answer to one turn, from the end of the turn until the answer is played.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) turn: TurnId,
    pub(crate) stage: AnswerStage,
    pub(crate) utterance: Option<UtteranceId>,
    pub(crate) marks: LatencyMarks,
    question: String,
    turn_started: CallTime,
    splitter: ClauseSplitter,
    written: usize,
}

impl Answer {
    /// Whether this generation writes the answer.
    pub(crate) fn is_writing(&self, of: GenerationId) -> bool {
        matches!(self.stage, AnswerStage::Generating { generation, .. } if generation == of)
    }
}

impl Session {
    /// The caller's turn is over: answer it, or take leave.
    pub(crate) fn begin_answer(&mut self, said: Finished) {
        let turn = self.take_note(&said);
        // A greeting after the first question would be odd.
        self.drop_queued(CommandOutcome::Interrupted, |queued| queued.source == AgentSource::Greeting);
        if self.current.as_ref().is_some_and(|utterance| utterance.source == AgentSource::Greeting) {
            self.drop_current(CommandOutcome::Interrupted);
        }
        if text::ends_with_phrase(&said.whole, &self.config.goodbye.phrases) {
            let message = self.config.goodbye.message.clone();
            self.take_leave(EndReason::Goodbye, &message);
            return;
        }
        self.answer = Some(Answer {
            turn,
            stage: AnswerStage::Retrieving { since: self.now },
            utterance: None,
            marks: LatencyMarks {
                speech_end: said.end,
                silence_over: said.silence_over,
                begun: self.now,
                stt_final: said.stt_final,
                ..LatencyMarks::default()
            },
            question: said.whole.clone(),
            turn_started: said.start,
            splitter: ClauseSplitter::default(),
            written: 0,
        });
        if self.config.retrieval {
            self.out(Output::Retrieve { turn, query: said.whole });
        } else {
            self.generate(Vec::new());
        }
    }

    /// Notes what the caller said: for the ledger, and for the language model.
    pub(crate) fn take_note(&mut self, said: &Finished) -> TurnId {
        let turn = self.ids.turn();
        self.prompts = 0;
        if !said.said.is_empty() {
            self.event(LedgerEvent::CallerSaid {
                turn: Some(turn),
                text: said.said.clone(),
                start_us: said.start.as_micros(),
                end_us: said.end.as_micros(),
                confidence: said.confidence,
                backchannel: false,
            });
        }
        self.history.push(Role::User, &said.whole);
        turn
    }

    /// Passages for a turn arrived.
    pub(crate) fn retrieved(&mut self, turn: TurnId, passages: Vec<Passage>) {
        let now = self.now;
        if let Some(answer) = &mut self.answer
            && answer.turn == turn
            && matches!(answer.stage, AnswerStage::Retrieving { .. })
        {
            answer.marks.retrieved = Some(now);
            self.generate(passages);
        }
    }

    fn generate(&mut self, passages: Vec<Passage>) {
        let generation = self.ids.generation();
        let messages = self.history.messages();
        let now = self.now;
        if let Some(answer) = &mut self.answer {
            answer.stage = AnswerStage::Generating { generation, since: now };
            answer.marks.generate = Some(now);
            let turn = answer.turn;
            self.out(Output::Generate { generation, turn, messages, passages });
        }
    }

    /// The model wrote something.
    pub(crate) fn token(&mut self, of: GenerationId, text: &str) {
        let now = self.now;
        let Some(answer) = self.answer.as_mut() else { return };
        let AnswerStage::Generating { generation, since } = &mut answer.stage else { return };
        if *generation != of || text.is_empty() {
            return;
        }
        *since = now;
        answer.marks.first_token.get_or_insert(now);
        answer.written += text.chars().count();
        let too_long = answer.written > MAX_ANSWER;
        let clauses = answer.splitter.push(text);
        self.add_clauses(clauses);
        if too_long {
            self.out(Output::CancelGeneration { generation: of });
            self.written();
        }
    }

    /// The model is done.
    pub(crate) fn generation_done(&mut self, of: GenerationId) {
        if self.answer.as_ref().is_some_and(|answer| answer.is_writing(of)) {
            self.written();
        }
    }

    fn written(&mut self) {
        let Some(answer) = self.answer.as_mut() else { return };
        answer.stage = AnswerStage::Written;
        let rest = answer.splitter.finish();
        self.add_clauses(rest);
        let utterance = self.answer.as_ref().and_then(|answer| answer.utterance);
        match utterance.and_then(|id| self.utterance_mut(id)) {
            Some(utterance) => utterance.closed = true,
            None => self.fail(Stage::Llm, String::new(), "the model wrote nothing that can be spoken".into()),
        }
    }

    fn add_clauses(&mut self, clauses: impl IntoIterator<Item = String>) {
        for clause in clauses {
            let known = self.answer.as_ref().and_then(|answer| answer.utterance);
            let id = known.unwrap_or_else(|| {
                let id = self.ids.utterance();
                self.queue.push_back(Utterance::new(id, AgentSource::Answer, true));
                id
            });
            if let Some(answer) = self.answer.as_mut() {
                answer.utterance = Some(id);
            }
            if let Some(utterance) = self.utterance_mut(id) {
                utterance.add(clause);
            }
        }
    }

    /// Time-outs of the answer.
    pub(crate) fn advance_answer(&mut self) -> bool {
        let Some(deadline) = self.answer_deadline() else { return false };
        if self.now < deadline {
            return false;
        }
        match self.answer.as_ref().map(|answer| answer.stage) {
            Some(AnswerStage::Retrieving { .. }) => self.generate(Vec::new()),
            Some(AnswerStage::Generating { .. }) => {
                self.fail(Stage::Llm, String::new(), "the model wrote nothing for too long".into());
            }
            _ => return false,
        }
        true
    }

    /// When the answer has made no progress for too long.
    pub(crate) fn answer_deadline(&self) -> Option<CallTime> {
        match self.answer.as_ref()?.stage {
            AnswerStage::Retrieving { since } => Some(since + self.config.timeouts.retrieval),
            AnswerStage::Generating { since, .. } => Some(since + self.config.timeouts.generation),
            AnswerStage::Written => None,
        }
    }

    /// The caller goes on speaking before anything of the answer was heard: their turn was not over.
    pub(crate) fn call_off_inaudible_answer(&mut self) {
        let Some(answer) = &self.answer else { return };
        let audible =
            self.current.as_ref().is_some_and(|utterance| Some(utterance.id) == answer.utterance && utterance.playing);
        if audible {
            return;
        }
        let (question, started) = (answer.question.clone(), answer.turn_started);
        self.abandon_answer();
        self.history.take_back_user();
        self.turn.carry(question, started);
    }

    /// Gives up the answer: its generation, and what is left of its utterance.
    pub(crate) fn abandon_answer(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        if let AnswerStage::Generating { generation, .. } = answer.stage {
            self.out(Output::CancelGeneration { generation });
        }
        if answer.marks.first_sample.is_some() {
            self.event(LedgerEvent::TurnCompleted { turn: answer.turn, latency: answer.marks.measure() });
        }
        self.drop_queued(CommandOutcome::Interrupted, |queued| Some(queued.id) == answer.utterance);
        if self.current.as_ref().is_some_and(|current| Some(current.id) == answer.utterance) {
            self.drop_current(CommandOutcome::Interrupted);
        }
    }

    /// The answer's utterance was played to its end.
    pub(crate) fn answer_played(&mut self, utterance: UtteranceId) {
        if let Some(answer) = self.answer.take_if(|answer| answer.utterance == Some(utterance)) {
            self.event(LedgerEvent::TurnCompleted { turn: answer.turn, latency: answer.marks.measure() });
        }
    }
}
