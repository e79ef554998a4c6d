//! A world around the engine in virtual time: a caller, a recogniser, a model, a voice and a pacer that behave as the
//! real ones do, with delays of the test's choosing.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

pub mod agent;
pub mod flows;
pub mod tools;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use voxplane_session::{
    CallTime, ClauseId, Command, FailedWork, GenerationId, Input, LedgerEvent, Output, Passage, Session, SessionConfig,
    Stage, UtteranceId,
};

/// Something the test wants to happen at a time.
pub enum Action {
    Input(Input),
    Do(Box<dyn FnOnce(&mut World)>),
}

/// A stretch of caller speech.
struct Speech {
    start: i64,
    end: i64,
    text: String,
    recognised: bool,
    words_told: usize,
}

/// The audio of one utterance.
#[derive(Default)]
struct Track {
    clauses: VecDeque<(ClauseId, Option<i64>)>,
    sent_of_first: i64,
}

pub struct World {
    pub session: Session,
    now_ms: i64,
    seq: u64,
    agenda: BTreeMap<(i64, u64), Action>,
    speeches: Vec<Speech>,
    listening_since: Option<i64>,
    tracks: BTreeMap<u32, Track>,
    playing: Option<UtteranceId>,
    /// Tells the model's answer to a question.
    answers: Box<dyn Fn(&str) -> String>,
    cancelled: HashSet<GenerationId>,
    pub workshop: tools::Workshop,
    pub synthesis_ms: i64,
    pub stt_ms: i64,
    pub first_token_ms: i64,
    pub stt_works: bool,
    pub llm_works: bool,
    pub tts_works: bool,
    pub pacer_works: bool,
    /// Whether the caller's client sends anything while nothing is said.
    pub sends_silence: bool,
    pub leg_answers: bool,
    pub partials: bool,
    pub acknowledges: bool,
    pub caller_can_be_removed: bool,
    pub lines: Vec<String>,
    pub events: Vec<(i64, LedgerEvent)>,
    pub outputs: Vec<(i64, Output)>,
}

/// Milliseconds of audio per character of text.
const MS_PER_CHARACTER: i64 = 60;

impl World {
    pub fn new(config: SessionConfig) -> Self {
        Self {
            session: Session::new(config, CallTime::ZERO),
            now_ms: 0,
            seq: 0,
            agenda: BTreeMap::new(),
            speeches: Vec::new(),
            listening_since: None,
            tracks: BTreeMap::new(),
            playing: None,
            answers: Box::new(|question| format!("You said {question}.")),
            cancelled: HashSet::new(),
            workshop: tools::Workshop::default(),
            synthesis_ms: 120,
            stt_ms: 80,
            first_token_ms: 200,
            stt_works: true,
            llm_works: true,
            tts_works: true,
            pacer_works: true,
            sends_silence: true,
            leg_answers: true,
            partials: true,
            acknowledges: true,
            caller_can_be_removed: true,
            lines: Vec::new(),
            events: Vec::new(),
            outputs: Vec::new(),
        }
    }

    pub fn answers(mut self, answers: impl Fn(&str) -> String + 'static) -> Self {
        self.answers = Box::new(answers);
        self
    }

    /// The caller says something, at about 60 ms per character.
    pub fn caller_says(&mut self, at_ms: i64, text: &str) -> i64 {
        let end = at_ms + MS_PER_CHARACTER * i64::try_from(text.len()).unwrap();
        self.speeches.push(Speech { start: at_ms, end, text: text.into(), recognised: false, words_told: 0 });
        end
    }

    /// The caller makes a sound without words.
    pub fn caller_sounds(&mut self, at_ms: i64, length_ms: i64) {
        let end = at_ms + length_ms;
        self.speeches.push(Speech { start: at_ms, end, text: String::new(), recognised: false, words_told: 0 });
    }

    pub fn at(&mut self, at_ms: i64, input: Input) {
        self.plan(at_ms, Action::Input(input));
    }

    pub fn then(&mut self, at_ms: i64, action: impl FnOnce(&mut World) + 'static) {
        self.plan(at_ms, Action::Do(Box::new(action)));
    }

    pub fn command(&mut self, at_ms: i64, id: &str, command: Command) {
        self.at(at_ms, Input::Command { id: id.into(), command });
    }

    fn plan(&mut self, at_ms: i64, action: Action) {
        self.seq += 1;
        self.agenda.insert((at_ms, self.seq), action);
    }

    /// Lets time pass in steps of a millisecond.
    pub fn run_until(&mut self, end_ms: i64) -> &mut Self {
        self.carry_out();
        while self.now_ms < end_ms && !self.session.is_over() {
            self.now_ms += 1;
            while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now_ms) {
                match entry.remove() {
                    Action::Input(input) => self.give(input),
                    Action::Do(action) => action(self),
                }
            }
            if self.now_ms % 32 == 0 {
                self.voice_window();
            }
            if self.pacer_works && self.now_ms % 20 == 0 {
                self.pace();
            }
            self.tell_partials();
            if self.session.next_deadline().is_some_and(|by| by <= self.now()) {
                self.give(Input::Tick);
                let next = self.session.next_deadline();
                assert!(next.is_none_or(|by| by > self.now()), "a deadline was handled and is still due");
            }
        }
        self
    }

    pub fn now(&self) -> CallTime {
        CallTime::from_millis(self.now_ms)
    }

    fn give(&mut self, input: Input) {
        self.session.handle(self.now(), input);
        self.carry_out();
    }

    fn voice_window(&mut self) {
        let (start, end) = (self.now_ms - 32, self.now_ms);
        let voiced = self.speeches.iter().any(|speech| speech.start <= start && end <= speech.end);
        if !voiced && !self.sends_silence {
            return;
        }
        let probability = if voiced { 0.95 } else { 0.03 };
        let (start, end) = (CallTime::from_millis(start), CallTime::from_millis(end));
        self.give(Input::Voice { probability, start, end });
    }

    fn tell_partials(&mut self) {
        if !self.partials || !self.stt_works || self.listening_since.is_none() {
            return;
        }
        let now = self.now_ms;
        let mut partials = Vec::new();
        for speech in self.speeches.iter_mut().filter(|speech| speech.start <= now && now < speech.end) {
            let words: Vec<&str> = speech.text.split(' ').collect();
            let told =
                usize::try_from((now - speech.start) * words.len() as i64 / (speech.end - speech.start)).unwrap();
            if told > speech.words_told {
                speech.words_told = told;
                partials.push((words[..told].join(" "), speech.start));
            }
        }
        for (text, start) in partials {
            let (start, end) = (CallTime::from_millis(start), CallTime::from_millis(now));
            self.give(Input::Transcript { text, start, end, is_final: false, confidence: None });
        }
    }

    fn pace(&mut self) {
        let at = self.now();
        let Some(track) = self.playing.and_then(|utterance| self.tracks.get_mut(&utterance.0)) else { return };
        let Some((clause, Some(duration))) = track.clauses.front().copied() else { return };
        let offset = track.sent_of_first;
        track.sent_of_first += 20;
        let done = track.sent_of_first >= duration;
        if done {
            track.clauses.pop_front();
            track.sent_of_first = 0;
        }
        let offset = Duration::from_millis(offset.try_into().unwrap());
        self.give(Input::FrameSent { clause, offset, length: Duration::from_millis(20), at });
        if done {
            self.give(Input::ClausePlayed { clause });
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll() {
            self.outputs.push((self.now_ms, output.clone()));
            if let Output::Event(event) = &output {
                self.events.push((self.now_ms, event.clone()));
            }
            self.note(&output);
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        let now = self.now_ms;
        match output {
            Output::Publish if self.leg_answers => {
                self.at(now + 50, Input::TrackSubscribed);
                self.at(now + 90, Input::LegActive);
            }
            Output::Synthesize { clause, text } => {
                self.tracks.entry(clause.utterance.0).or_default().clauses.push_back((clause, None));
                let duration = MS_PER_CHARACTER * i64::try_from(text.chars().count()).unwrap();
                let works = self.tts_works;
                self.then(now + self.synthesis_ms, move |world| world.synthesised(clause, duration, works));
            }
            Output::Play { utterance } => {
                assert_eq!(self.playing.replace(utterance).filter(|other| self.has_audio(*other)), None, "two voices");
            }
            Output::Stop { utterance } => {
                self.tracks.remove(&utterance.0);
                self.playing.take_if(|playing| *playing == utterance);
            }
            Output::SpeechStarted { .. } => self.listening_since = Some(now),
            Output::SpeechEnded { at } => {
                self.listening_since = None;
                if self.stt_works {
                    self.then(now + self.stt_ms, move |world| world.recognised(at));
                }
            }
            Output::Retrieve { turn, .. } => {
                let passage = Passage { id: "p1".into(), text: "We open at nine.".into(), score: 1.0 };
                self.at(now + 40, Input::Passages { turn, passages: vec![passage] });
            }
            Output::Generate { generation, messages, may_call, .. } if self.llm_works => {
                let question = messages.last().map(|message| message.text.clone()).unwrap_or_default();
                let (answer, calls) = match &self.workshop.model {
                    Some(model) => model(&messages, may_call),
                    None => ((self.answers)(&question), Vec::new()),
                };
                let mut at = now + self.first_token_ms;
                for token in answer.split_inclusive(' ') {
                    let token = token.to_owned();
                    self.then(at, move |world| world.token(generation, token));
                    at += 15;
                }
                self.then(at, move |world| {
                    if !world.cancelled.contains(&generation) {
                        if !calls.is_empty() {
                            world.give(Input::ToolCalls { generation, calls });
                        }
                        world.give(Input::GenerationDone { generation });
                    }
                });
            }
            Output::CancelGeneration { generation } => {
                self.cancelled.insert(generation);
            }
            Output::Invoke { invocation, tool, arguments } => {
                if let Some((delay, outcome)) = (self.workshop.service)(&tool, &arguments) {
                    self.then(now + delay, move |world| {
                        if !world.workshop.called_off.contains(&invocation) {
                            world.give(Input::ToolFinished { invocation, outcome });
                        }
                    });
                }
                self.workshop.invoked.push((now, tool, arguments));
            }
            Output::CancelInvocation { invocation } => {
                self.workshop.called_off.insert(invocation);
            }
            Output::Event(LedgerEvent::ToolIntent { invocation, durable: true, .. }) if self.acknowledges => {
                self.at(now + 30, Input::ToolRecorded { invocation });
            }
            Output::HangUp { .. } if self.caller_can_be_removed => self.at(now + 60, Input::CallerLeft),
            Output::Event(LedgerEvent::CallHangingUp { .. }) if self.acknowledges => {
                self.at(now + 30, Input::HangUpRecorded);
            }
            _ => {}
        }
    }

    fn has_audio(&self, utterance: UtteranceId) -> bool {
        self.tracks.get(&utterance.0).is_some_and(|track| !track.clauses.is_empty())
    }

    fn token(&mut self, generation: GenerationId, text: String) {
        if !self.cancelled.contains(&generation) {
            self.give(Input::Token { generation, text });
        }
    }

    fn synthesised(&mut self, clause: ClauseId, duration: i64, works: bool) {
        if !works {
            let (provider, error) = ("flite".into(), "out of order".into());
            self.give(Input::ProviderFailed { stage: Stage::Tts, provider, error, of: FailedWork::Clause(clause) });
            return;
        }
        let Some(track) = self.tracks.get_mut(&clause.utterance.0) else { return };
        for (known, length) in &mut track.clauses {
            if *known == clause {
                *length = Some(duration);
            }
        }
        self.give(Input::ClauseAudio { clause });
        let duration = Duration::from_millis(duration.try_into().unwrap());
        self.give(Input::ClauseReady { clause, duration, words: Vec::new() });
    }

    fn recognised(&mut self, until: CallTime) {
        let until_ms = until.as_micros() / 1_000 + 64;
        let mut finals = Vec::new();
        for speech in self.speeches.iter_mut().filter(|speech| !speech.recognised && speech.end <= until_ms) {
            speech.recognised = true;
            finals.push((speech.text.clone(), speech.start, speech.end));
        }
        for (text, start, end) in finals {
            let (start, end) = (CallTime::from_millis(start), CallTime::from_millis(end));
            self.give(Input::Transcript { text, start, end, is_final: true, confidence: Some(0.9) });
        }
    }

    fn note(&mut self, output: &Output) {
        let detail = match output {
            Output::Synthesize { clause, text } => format!(" {}.{} {text:?}", clause.utterance.0, clause.index),
            Output::Play { utterance } | Output::Stop { utterance } => format!(" {}", utterance.0),
            Output::Generate { messages, passages, .. } => {
                let asked: Vec<_> =
                    messages.iter().map(|message| format!("{:?}: {}", message.role, message.text)).collect();
                format!(" {asked:?} with {} passages", passages.len())
            }
            Output::Event(event) => format!(" {}", serde_json::to_string(event).unwrap()),
            Output::State(state) => format!(" {state:?}"),
            Output::HangUp { reason } | Output::Ended { reason } => format!(" {}", reason.as_str()),
            Output::CommandFinished { id, outcome } => format!(" {id} {outcome:?}"),
            _ => String::new(),
        };
        if !matches!(output, Output::Event(LedgerEvent::CallerPartial { .. })) {
            self.lines.push(format!("{:>6} {}{detail}", self.now_ms, output.kind()));
        }
    }

    pub fn log(&self) -> String {
        self.lines.join("\n")
    }

    /// When an output of that kind was first given.
    pub fn first(&self, kind: &str) -> Option<i64> {
        self.outputs.iter().find(|(_, output)| output.kind() == kind).map(|(at, _)| *at)
    }

    /// When outputs of that kind were given.
    pub fn times(&self, kind: &str) -> Vec<i64> {
        self.outputs.iter().filter(|(_, output)| output.kind() == kind).map(|(at, _)| *at).collect()
    }

    /// What the agent said: text, what was heard of it, whether it was interrupted.
    pub fn agent_said(&self) -> Vec<(String, String, bool)> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                LedgerEvent::AgentSaid { text, heard, interrupted, .. } => {
                    Some((text.clone(), heard.clone(), *interrupted))
                }
                _ => None,
            })
            .collect()
    }

    /// The caller's answered turns.
    pub fn caller_said(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                LedgerEvent::CallerSaid { text, backchannel: false, .. } => Some(text.clone()),
                _ => None,
            })
            .collect()
    }

    /// Why and when the call ended.
    pub fn ended(&self) -> Option<(i64, &'static str)> {
        self.outputs.iter().find_map(|(at, output)| match output {
            Output::Ended { reason } => Some((*at, reason.as_str())),
            _ => None,
        })
    }
}
