//! The session itself: what goes in, what comes out, and the order in which things are decided.

use std::collections::VecDeque;

use crate::answer::Answer;
use crate::barge_in::BargeIn;
use crate::caller_turn::{CallerTurn, Transcript};
use crate::closing::{Closing, ClosingStage};
use crate::config::SessionConfig;
use crate::event::{AgentSource, BargeInTrigger, EndReason, LedgerEvent, Stage};
use crate::flow::Position;
use crate::gate::Gate;
use crate::history::History;
use crate::ids::IdSource;
use crate::input::{Command, FailedWork, Input};
use crate::keypad::Keypad;
use crate::output::{CommandOutcome, Output, State};
use crate::pauses::Pauses;
use crate::text;
use crate::time::CallTime;
use crate::tools::Tools;
use crate::utterance::Utterance;
use crate::voice::{VoiceActivity, VoiceChange};

/// Texts from commands that may wait to be spoken.
const MAX_QUEUED: usize = 8;
/// Steps one input may lead to. A healthy session needs a handful; the bound turns an endless loop into a short one.
const MAX_STEPS: usize = 64;

/// One call.
#[derive(Debug)]
pub struct Session {
    pub(crate) config: SessionConfig,
    pub(crate) now: CallTime,
    pub(crate) created_at: CallTime,
    outbox: VecDeque<Output>,
    state: State,
    pub(crate) ids: IdSource,
    pub(crate) gate: Gate,
    pub(crate) leg_active: bool,
    pub(crate) track_subscribed: bool,
    pub(crate) voice: VoiceActivity,
    pub(crate) voice_heard_at: CallTime,
    pub(crate) turn: CallerTurn,
    pub(crate) pauses: Pauses,
    pub(crate) keypad: Keypad,
    pub(crate) barge_in: Option<BargeIn>,
    pub(crate) answer: Option<Answer>,
    pub(crate) tools: Tools,
    pub(crate) current: Option<Utterance>,
    pub(crate) queue: VecDeque<Utterance>,
    pub(crate) apology: Option<Utterance>,
    pub(crate) history: History,
    pub(crate) flow: Position,
    pub(crate) quiet_since: CallTime,
    pub(crate) prompts: u32,
    pub(crate) drain_by: Option<CallTime>,
    pub(crate) closing: Option<Closing>,
}

impl Session {
    /// A call that begins now. The first outputs ask for the audio of the opening.
    pub fn new(config: SessionConfig, now: CallTime) -> Self {
        let gate = Gate::Preparing { by: now + config.timeouts.prepare };
        let voice = VoiceActivity::new(config.voice);
        let mut session = Self {
            config,
            now,
            created_at: now,
            outbox: VecDeque::new(),
            state: State::Preparing,
            ids: IdSource::default(),
            gate,
            leg_active: false,
            track_subscribed: false,
            voice,
            voice_heard_at: now,
            turn: CallerTurn::default(),
            pauses: Pauses::default(),
            keypad: Keypad::default(),
            barge_in: None,
            answer: None,
            tools: Tools::default(),
            current: None,
            queue: VecDeque::new(),
            apology: None,
            history: History::default(),
            flow: Position::default(),
            quiet_since: now,
            prompts: 0,
            drain_by: None,
            closing: None,
        };
        session.prepare_opening();
        session.settle();
        session
    }

    /// Takes something that happened. Time never runs backwards: an earlier `now` counts as the latest one seen.
    pub fn handle(&mut self, now: CallTime, input: Input) {
        if self.is_over() {
            return;
        }
        self.now = self.now.max(now);
        self.accept(input);
        self.settle();
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Where the call stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether nothing will happen any more.
    pub fn is_over(&self) -> bool {
        self.state == State::Ended
    }

    fn accept(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::LegActive => self.leg_active = true,
            Input::TrackSubscribed => self.track_subscribed = true,
            Input::Voice { probability, start, end } => self.voice_window(probability, start, end),
            Input::Transcript { text, start, end, is_final, confidence } => {
                let start = start.min(self.now);
                self.transcript(&Transcript { text, start, end: end.clamp(start, self.now), confidence }, is_final);
            }
            Input::Passages { turn, passages } => self.retrieved(turn, passages),
            Input::Token { generation, text } => self.token(generation, &text),
            Input::GenerationDone { generation } => self.generation_done(generation),
            Input::ToolCalls { generation, calls } => self.tool_calls(generation, calls),
            Input::ToolRecorded { invocation } => self.tool_recorded(invocation),
            Input::ToolFinished { invocation, outcome } => self.tool_finished(invocation, outcome),
            Input::ClauseAudio { clause } => self.clause_audio(clause),
            Input::ClauseReady { clause, duration, words } => self.clause_ready(clause, duration, words),
            Input::FrameSent { clause, offset, length, at } => self.frame_sent(clause, offset, length, at),
            Input::ClausePlayed { clause } => self.clause_played(clause),
            Input::Dtmf { digit } => self.dtmf(digit),
            Input::ProviderFailed { stage, provider, error, of } => self.provider_failed(stage, provider, error, of),
            Input::Command { id, command } => self.command(id, command),
            Input::Drain { finish_by } => {
                self.drain_by = Some(self.drain_by.map_or(finish_by, |earlier| earlier.min(finish_by)));
                self.shorten_farewell();
            }
            Input::HangUpRecorded => {
                if let Some(closing) = &mut self.closing {
                    closing.recorded = true;
                }
            }
            Input::CallerLeft => {
                let reason = self.closing.as_ref().map_or(EndReason::CallerHungUp, |closing| closing.reason);
                self.finish(reason);
            }
            Input::TransportLost => self.finish(EndReason::TransportLost),
            Input::LeaseLost => self.finish(EndReason::LeaseLost),
        }
    }

    /// Decides until there is nothing left to decide at this moment.
    fn settle(&mut self) {
        let settled = (0..MAX_STEPS).any(|_| self.is_over() || !self.step());
        debug_assert!(settled, "a session must come to rest");
        if !self.is_over() {
            self.enter(self.derived_state());
        }
    }

    fn step(&mut self) -> bool {
        self.advance_limits()
            || self.advance_gate()
            || self.advance_closing()
            || self.advance_turn()
            || self.advance_answer()
            || self.advance_tools()
            || self.advance_flow()
            || self.advance_floor()
            || self.advance_silence()
    }

    fn derived_state(&self) -> State {
        match &self.closing {
            Some(Closing { stage: ClosingStage::HangingUp { .. }, .. }) => State::HangingUp,
            Some(_) => State::Closing,
            None => self.gate.state().unwrap_or(if self.is_playing() {
                State::Speaking
            } else if self.answer.is_some() {
                State::Thinking
            } else {
                State::Listening
            }),
        }
    }

    pub(crate) fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.out(Output::State(state));
        }
    }

    pub(crate) fn out(&mut self, output: Output) {
        self.outbox.push_back(output);
    }

    pub(crate) fn event(&mut self, event: LedgerEvent) {
        self.out(Output::Event(event));
    }

    /// Whether what the caller does matters: they hear the agent, and the call is not ending.
    fn is_conversing(&self) -> bool {
        self.gate.is_open() && self.closing.is_none() && self.config.refusal.is_none()
    }

    fn voice_window(&mut self, probability: f32, start: CallTime, end: CallTime) {
        if !self.is_conversing() {
            return;
        }
        self.voice_heard_at = self.now;
        let end = end.min(self.now);
        let change = self.voice.push(probability, start, end);
        self.voice_changed(change);
        self.weigh_speech();
    }

    pub(crate) fn voice_changed(&mut self, change: Option<VoiceChange>) {
        match change {
            None => {}
            Some(VoiceChange::Onset { at }) => {
                self.out(Output::SpeechStarted { at: at - self.config.voice.prefix_padding });
                self.duck(at);
            }
            Some(VoiceChange::Confirmed { onset }) => {
                // Over the agent's voice it is for barge-in to say what the speech means.
                if self.barge_in.is_none() {
                    self.call_off_inaudible_answer();
                }
                if let Some(pause) = self.turn.pause_before(onset) {
                    self.pauses.went_on(pause);
                }
                self.turn.speech(onset);
            }
            Some(VoiceChange::Paused { at }) => self.out(Output::SpeechPaused { at }),
            Some(VoiceChange::Dropped { at }) => {
                self.out(Output::SpeechEnded { at });
                self.resume();
            }
            Some(VoiceChange::Ended { at }) => {
                self.out(Output::SpeechEnded { at });
                self.turn.speech_ended(at, self.now);
                self.quiet_since = self.quiet_since.max(at);
                self.resume();
            }
        }
    }

    fn transcript(&mut self, heard: &Transcript, is_final: bool) {
        if !self.is_conversing() || self.turn.is_old(heard) {
            return;
        }
        let words = text::word_count(&heard.text);
        if !is_final && words > 0 {
            self.event(LedgerEvent::CallerPartial { text: heard.text.clone() });
        }
        if self.can_be_interrupted() {
            if words >= self.config.barge_in.min_words || self.answers_flow(&heard.text) {
                let onset = self.barge_in.map_or(heard.start, |barge_in| barge_in.onset);
                self.commit_barge_in(onset, BargeInTrigger::Words);
            } else if self.barge_in.is_none() {
                // Speech that was too little to interrupt; its text came late.
                if is_final && words > 0 {
                    self.event(LedgerEvent::CallerSaid {
                        turn: None,
                        text: heard.text.clone(),
                        start_us: heard.start.as_micros(),
                        end_us: heard.end.as_micros(),
                        confidence: heard.confidence,
                        backchannel: true,
                    });
                }
                return;
            }
        }
        if is_final {
            self.turn.settled(heard, self.now);
        } else {
            self.turn.partial(heard);
        }
        if self.turn.is_open() && self.barge_in.is_none() {
            self.call_off_inaudible_answer();
        }
    }

    fn dtmf(&mut self, digit: char) {
        if !self.is_conversing() {
            return;
        }
        self.event(LedgerEvent::DtmfReceived { digit });
        if self.flow_key(digit) {
            return;
        }
        if self.can_be_interrupted() {
            let onset = self.barge_in.map_or(self.now, |barge_in| barge_in.onset);
            self.commit_barge_in(onset, BargeInTrigger::Dtmf);
        }
        self.call_off_inaudible_answer();
        self.keypad.press(digit, self.now, self.config.timeouts.keypad);
        self.turn.speech(self.now);
    }

    fn provider_failed(&mut self, stage: Stage, provider: String, error: String, of: FailedWork) {
        let matters = match of {
            FailedWork::Call => true,
            FailedWork::Generation(of) => self.answer.as_ref().is_some_and(|answer| answer.is_writing(of)),
            FailedWork::Clause(clause) => {
                if self.apology.take_if(|apology| apology.id == clause.utterance).is_some() {
                    self.event(LedgerEvent::ProviderFailed { stage, provider, error });
                    return;
                }
                self.utterance_mut(clause.utterance).is_some()
            }
        };
        if matters {
            self.fail(stage, provider, error);
        }
    }

    fn command(&mut self, id: String, command: Command) {
        let outcome = match command {
            Command::HangUp => {
                self.begin_closing(EndReason::Command, None);
                CommandOutcome::Done
            }
            Command::Say { .. } if self.closing.is_some() || self.config.refusal.is_some() => {
                CommandOutcome::CallEnding
            }
            Command::Say { .. } if self.queue.len() >= MAX_QUEUED => CommandOutcome::QueueFull,
            Command::Say { text, interruptible } => {
                let mut utterance =
                    Utterance::of_text(self.ids.utterance(), AgentSource::Command, interruptible, &text);
                if utterance.clauses.is_empty() {
                    CommandOutcome::EmptyText
                } else {
                    utterance.command = Some(id);
                    self.queue.push_back(utterance);
                    return;
                }
            }
        };
        self.out(Output::CommandFinished { id, outcome });
    }
}
