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
use crate::tools::MAX_ROUNDS;
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
    /// The model asked for tools, which are being used.
    Acting,
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
    /// How often tools were used for it.
    pub(crate) rounds: u32,
    /// Whether the model wrote something that can be spoken.
    pub(crate) spoke: bool,
    /// What was said before, and while, tools were used.
    pub(crate) earlier: Vec<UtteranceId>,
    /// Knowledge for the generations that follow.
    pub(crate) passages: Vec<Passage>,
}

impl Answer {
    /// An answer that no turn of the caller's asked for: there is news about an earlier one.
    pub(crate) fn follow_up(turn: u32, now: CallTime) -> Self {
        Self {
            turn: TurnId(turn),
            stage: AnswerStage::Written,
            utterance: None,
            marks: LatencyMarks { speech_end: now, silence_over: now, begun: now, ..LatencyMarks::default() },
            question: String::new(),
            turn_started: now,
            splitter: ClauseSplitter::default(),
            written: 0,
            // Nothing that the caller says is taken for a part of the question.
            rounds: 1,
            spoke: false,
            earlier: Vec::new(),
            passages: Vec::new(),
        }
    }

    /// Whether the utterance belongs to it.
    fn owns(&self, utterance: UtteranceId) -> bool {
        self.utterance == Some(utterance) || self.earlier.contains(&utterance)
    }

    /// Whether this generation writes the answer.
    pub(crate) fn is_writing(&self, of: GenerationId) -> bool {
        matches!(self.stage, AnswerStage::Generating { generation, .. } if generation == of)
    }
}

impl Session {
    /// The caller's turn is over: answer it, or take leave.
    pub(crate) fn begin_answer(&mut self, said: Finished) {
        // While tools are used the caller may ask for something else.
        self.abandon_answer();
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
            rounds: 0,
            spoke: false,
            earlier: Vec::new(),
            passages: Vec::new(),
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
        self.pauses.finished();
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

    pub(crate) fn generate(&mut self, passages: Vec<Passage>) {
        let generation = self.ids.generation();
        let messages = self.history.messages_with(self.tools.pending());
        let now = self.now;
        self.tools.untold = false;
        if let Some(answer) = &mut self.answer {
            answer.stage = AnswerStage::Generating { generation, since: now };
            if answer.marks.first_token.is_none() {
                answer.marks.generate = Some(now);
            }
            answer.passages.clone_from(&passages);
            let (turn, may_call) = (answer.turn, answer.rounds < MAX_ROUNDS);
            self.out(Output::Generate { generation, turn, messages, passages, may_call });
        }
    }

    /// Whether tools are being used for the answer.
    pub(crate) fn is_acting(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.stage == AnswerStage::Acting)
    }

    pub(crate) fn is_written_by(&self, generation: GenerationId) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.is_writing(generation))
    }

    /// The model writes, be it nothing to speak.
    pub(crate) fn sign_of_life(&mut self, of: GenerationId) {
        let now = self.now;
        if let Some(AnswerStage::Generating { generation, since }) =
            self.answer.as_mut().map(|answer| &mut answer.stage)
            && *generation == of
        {
            *since = now;
        }
    }

    /// The model wrote something.
    pub(crate) fn token(&mut self, of: GenerationId, text: &str) {
        self.sign_of_life(of);
        if !self.is_written_by(of) || text.is_empty() {
            return;
        }
        let now = self.now;
        let Some(answer) = self.answer.as_mut() else { return };
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
        if !self.is_written_by(of) {
            return;
        }
        if self.tools.wanted.is_empty() {
            self.written();
        } else {
            self.begin_round();
        }
    }

    /// What the model wrote before it asked for tools is complete, and may be spoken meanwhile.
    pub(crate) fn close_written_part(&mut self) {
        let Some(answer) = self.answer.as_mut() else { return };
        let rest = answer.splitter.finish();
        answer.splitter = ClauseSplitter::default();
        self.add_clauses(rest);
        let Some(part) = self.answer.as_mut().and_then(|answer| answer.utterance.take()) else { return };
        if let Some(utterance) = self.utterance_mut(part) {
            utterance.closed = true;
        }
        if let Some(answer) = self.answer.as_mut() {
            answer.earlier.push(part);
        }
    }

    fn written(&mut self) {
        let Some(answer) = self.answer.as_mut() else { return };
        answer.stage = AnswerStage::Written;
        let (rest, used_tools) = (answer.splitter.finish(), answer.rounds > 0);
        self.add_clauses(rest);
        let utterance = self.answer.as_ref().and_then(|answer| answer.utterance);
        match utterance.and_then(|id| self.utterance_mut(id)) {
            Some(utterance) => utterance.closed = true,
            // The tools did what there was to do.
            None if used_tools => self.answer = None,
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
                answer.spoke = true;
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
            AnswerStage::Acting | AnswerStage::Written => None,
        }
    }

    /// The caller goes on speaking before anything of the answer was heard: their turn was not over.
    pub(crate) fn call_off_inaudible_answer(&mut self) {
        let Some(answer) = &self.answer else { return };
        let audible = self.current.as_ref().is_some_and(|utterance| answer.owns(utterance.id) && utterance.playing);
        // Once tools were used the turn was over: what the caller says now is another one.
        if audible || answer.rounds > 0 {
            return;
        }
        let (question, started, ended) = (answer.question.clone(), answer.turn_started, answer.marks.speech_end);
        self.abandon_answer();
        self.history.take_back_user();
        self.turn.carry(question, started, ended);
    }

    /// Gives up the answer: its generation, and what is left of its utterance.
    pub(crate) fn abandon_answer(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        self.abandon_tools();
        if let AnswerStage::Generating { generation, .. } = answer.stage {
            self.out(Output::CancelGeneration { generation });
        }
        if answer.marks.first_sample.is_some() {
            self.event(LedgerEvent::TurnCompleted { turn: answer.turn, latency: answer.marks.measure() });
        }
        self.drop_queued(CommandOutcome::Interrupted, |queued| answer.owns(queued.id));
        if self.current.as_ref().is_some_and(|current| answer.owns(current.id)) {
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
