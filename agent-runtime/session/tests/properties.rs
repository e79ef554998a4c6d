//! No order of inputs wedges a session.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use common::flows::{clinic, decide, following, hang_up, listen, menu, say, set, talk};
use proptest::prelude::*;
use voxplane_session::flow::{AnswerKind, Node};
use voxplane_session::{
    CallTime, ClauseId, Command, Effect, FailedWork, GenerationId, Input, InvocationId, LedgerEvent, Output, Passage,
    Session, SessionConfig, Stage, ToolCall, ToolKind, ToolOutcome, ToolRules, ToolStatus, TurnId, UtteranceId,
};

/// An input, or a reaction to something the session asked for.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Leg,
    Subscribed,
    Voice { loud: bool, windows: u8 },
    Transcript { words: u8, back_ms: i64, is_final: bool },
    Passages,
    Token { text: String, stale: bool },
    Done { stale: bool },
    Calls { tools: Vec<usize>, stale: bool },
    ToolRecorded,
    ToolFinished { ok: bool },
    Audio,
    Ready { ms: u16 },
    Frames(u8),
    Played,
    Dtmf(char),
    Failed(u8),
    Say { interruptible: bool, text: String },
    HangUpCommand,
    Drain(i64),
    Recorded,
    CallerLeft,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = prop_oneof!["[a-z]{1,9}[ .,?]{1,2}", Just("goodbye. ".to_owned()), Just("...".to_owned())];
    let step = prop_oneof![
        6 => (1i64..3_000).prop_map(Step::Wait),
        2 => Just(Step::Leg),
        2 => Just(Step::Subscribed),
        8 => (any::<bool>(), 1u8..40).prop_map(|(loud, windows)| Step::Voice { loud, windows }),
        5 => (0u8..4, 0i64..2_000, any::<bool>())
            .prop_map(|(words, back_ms, is_final)| Step::Transcript { words, back_ms, is_final }),
        3 => Just(Step::Passages),
        6 => (text.clone(), prop::bool::weighted(0.1)).prop_map(|(text, stale)| Step::Token { text, stale }),
        4 => prop::bool::weighted(0.1).prop_map(|stale| Step::Done { stale }),
        4 => (prop::collection::vec(0usize..5, 1..4), prop::bool::weighted(0.1))
            .prop_map(|(tools, stale)| Step::Calls { tools, stale }),
        3 => Just(Step::ToolRecorded),
        4 => any::<bool>().prop_map(|ok| Step::ToolFinished { ok }),
        8 => Just(Step::Audio),
        8 => (0u16..3_000).prop_map(|ms| Step::Ready { ms }),
        8 => (1u8..60).prop_map(Step::Frames),
        6 => Just(Step::Played),
        2 => prop::sample::select(vec!['1', '#', '*']).prop_map(Step::Dtmf),
        1 => (0u8..4).prop_map(Step::Failed),
        2 => (any::<bool>(), text).prop_map(|(interruptible, text)| Step::Say { interruptible, text }),
        1 => Just(Step::HangUpCommand),
        1 => (0i64..90_000).prop_map(Step::Drain),
        2 => Just(Step::Recorded),
        1 => Just(Step::CallerLeft),
    ];
    prop::collection::vec(step, 1..120)
}

/// How far a use of a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Announced { durable: bool },
    Recorded,
    Running,
    CalledOff,
}

const TOOLS: [&str; 5] = ["read", "once", "again", "end_call", "unknown"];

fn tools() -> Vec<ToolRules> {
    let tool = |name: &str, kind, effect| ToolRules {
        name: name.into(),
        kind,
        effect,
        on_start: "One moment.".into(),
        on_complete: "Done.".into(),
        patience: Duration::from_secs(3),
    };
    vec![
        tool("read", ToolKind::Remote, Effect::Read),
        tool("once", ToolKind::Remote, Effect::Once),
        tool("again", ToolKind::Remote, Effect::Idempotent),
        tool("end_call", ToolKind::EndCall, Effect::Idempotent),
    ]
}

/// Watches what a session asks for and holds it to its promises.
struct Watch {
    session: Session,
    now: i64,
    playing: Option<UtteranceId>,
    published: bool,
    ducked: bool,
    generations: HashSet<GenerationId>,
    requested: Vec<ClauseId>,
    ready: HashSet<ClauseId>,
    played: HashSet<ClauseId>,
    last_generation: Option<GenerationId>,
    last_turn: Option<TurnId>,
    uses: BTreeMap<InvocationId, Use>,
    commands: HashSet<String>,
    hanging_up_announced: bool,
    /// Whether the call stands in a node of a flow.
    in_node: bool,
    ended: bool,
    ended_events: u32,
}

impl Watch {
    fn new(config: SessionConfig) -> Self {
        let mut watch = Self {
            session: Session::new(config, CallTime::ZERO),
            now: 0,
            playing: None,
            published: false,
            ducked: false,
            generations: HashSet::new(),
            requested: Vec::new(),
            ready: HashSet::new(),
            played: HashSet::new(),
            last_generation: None,
            last_turn: None,
            uses: BTreeMap::new(),
            commands: HashSet::new(),
            hanging_up_announced: false,
            in_node: false,
            ended: false,
            ended_events: 0,
        };
        watch.drain();
        watch
    }

    /// Brings the call to where people talk, as most calls do.
    fn answer(mut self, answered: bool) -> Self {
        if answered {
            for step in [Step::Audio, Step::Leg, Step::Subscribed] {
                self.take(step);
            }
        }
        self
    }

    fn now(&self) -> CallTime {
        CallTime::from_millis(self.now)
    }

    fn give(&mut self, input: Input) {
        let finished = match &input {
            Input::GenerationDone { generation } => Some(*generation),
            _ => None,
        };
        self.session.handle(self.now(), input);
        finished.map(|generation| self.generations.remove(&generation));
        self.drain();
        if let Some(deadline) = self.session.next_deadline() {
            assert!(deadline > self.now(), "a deadline is left in the past");
        } else {
            assert!(self.ended, "a live session has a deadline");
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            assert!(!self.ended, "{} after the end", output.kind());
            match output {
                Output::Publish => {
                    assert!(!self.published, "published twice");
                    self.published = true;
                }
                Output::Synthesize { clause, .. } => self.requested.push(clause),
                Output::Play { utterance } => {
                    assert!(self.published, "spoke before the answer");
                    assert_eq!(self.playing, None, "two utterances at once");
                    self.playing = Some(utterance);
                    self.ducked = false;
                }
                Output::Stop { utterance } => {
                    self.requested.retain(|clause| clause.utterance != utterance);
                    self.playing.take_if(|playing| *playing == utterance);
                }
                Output::Duck => {
                    assert!(self.playing.is_some() && !self.ducked, "ducked nothing, or twice");
                    self.ducked = true;
                }
                Output::Resume => self.ducked = false,
                Output::Generate { generation, messages, turn, .. } => {
                    assert!(!messages.is_empty());
                    assert!(self.generations.is_empty(), "two generations at once");
                    self.generations.insert(generation);
                    self.last_generation = Some(generation);
                    self.last_turn = Some(turn);
                }
                Output::Retrieve { turn, .. } => self.last_turn = Some(turn),
                Output::CancelGeneration { generation } => {
                    assert!(self.generations.remove(&generation), "cancelled what does not run");
                }
                Output::Invoke { invocation, .. } => {
                    let before = self.uses.insert(invocation, Use::Running);
                    let may = matches!(before, Some(Use::Recorded | Use::Announced { durable: false }));
                    assert!(may, "done without being announced: {before:?}");
                }
                Output::CancelInvocation { invocation } => {
                    let before = self.uses.insert(invocation, Use::CalledOff);
                    assert_eq!(before, Some(Use::Running), "called off what does not run");
                }
                Output::CommandFinished { id, .. } => assert!(self.commands.remove(&id), "{id} finished twice"),
                Output::HangUp { .. } => assert!(self.hanging_up_announced, "hung up without telling the ledger"),
                Output::Event(event) => self.note(&event),
                Output::Ended { .. } => {
                    self.ended = true;
                    assert!(self.generations.is_empty(), "a generation outlives the call");
                    assert!(self.uses.is_empty(), "tools without a result: {:?}", self.uses);
                    assert!(self.commands.is_empty(), "commands without an outcome: {:?}", self.commands);
                    assert_eq!(self.ended_events, 1);
                    assert!(!self.in_node, "a node was never left");
                }
                Output::SpeechStarted { .. }
                | Output::SpeechPaused { .. }
                | Output::SpeechEnded { .. }
                | Output::Instruct { .. }
                | Output::State(_) => {}
            }
        }
    }

    fn note(&mut self, event: &LedgerEvent) {
        match event {
            // An utterance that was played to its end has left the floor; one that was cut short had to be stopped.
            LedgerEvent::AgentSaid { utterance, interrupted, .. } => {
                let was_playing = self.playing.take_if(|playing| playing == utterance).is_some();
                assert_eq!(was_playing, !interrupted, "cut short without being stopped");
            }
            LedgerEvent::ToolIntent { invocation, durable, .. } => {
                let before = self.uses.insert(*invocation, Use::Announced { durable: *durable });
                assert_eq!(before, None, "announced twice");
            }
            LedgerEvent::ToolResult { invocation, .. } => {
                assert!(self.uses.remove(invocation).is_some(), "a result without an intent, or a second one");
            }
            LedgerEvent::CallHangingUp { .. } => self.hanging_up_announced = true,
            LedgerEvent::FlowNodeEntered { .. } => {
                assert!(!std::mem::replace(&mut self.in_node, true), "in two nodes at once");
            }
            LedgerEvent::FlowNodeLeft { .. } => {
                assert!(std::mem::take(&mut self.in_node), "left without having been entered");
            }
            LedgerEvent::CallEnded { .. } => self.ended_events += 1,
            _ => {}
        }
    }

    /// Lets time pass, waking the session whenever it asks for it.
    fn wait(&mut self, ms: i64) {
        let until = self.now + ms;
        let mut wakes = 0;
        while let Some(deadline) = self.session.next_deadline() {
            let deadline = (deadline.as_micros() + 999) / 1_000;
            if deadline > until {
                break;
            }
            self.now = self.now.max(deadline);
            self.give(Input::Tick);
            wakes += 1;
            assert!(wakes < 2_000, "the session only wakes and never rests");
        }
        self.now = self.now.max(until);
    }

    fn head(&self) -> Option<ClauseId> {
        let playing = self.playing?;
        self.requested.iter().copied().find(|clause| clause.utterance == playing && !self.played.contains(clause))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => self.wait(ms),
            Step::Leg => self.give(Input::LegActive),
            Step::Subscribed => self.give(Input::TrackSubscribed),
            Step::Voice { loud, windows } => {
                for _ in 0..windows {
                    self.wait(32);
                    let (start, end) = (CallTime::from_millis(self.now - 32), self.now());
                    self.give(Input::Voice { probability: if loud { 0.9 } else { 0.05 }, start, end });
                }
            }
            Step::Transcript { words, back_ms, is_final } => {
                let text = ["yes", "I", "think", "goodbye"][..usize::from(words)].join(" ");
                let (start, end) = (CallTime::from_millis(self.now - back_ms), self.now());
                self.give(Input::Transcript { text, start, end, is_final, confidence: Some(0.5) });
            }
            Step::Passages => {
                if let Some(turn) = self.last_turn {
                    let passage = Passage { id: "1".into(), text: "t".into(), score: 1.0 };
                    self.give(Input::Passages { turn, passages: vec![passage] });
                }
            }
            Step::Token { text, stale } => {
                if let Some(generation) = self.generation(stale) {
                    self.give(Input::Token { generation, text });
                }
            }
            Step::Done { stale } => {
                if let Some(generation) = self.generation(stale) {
                    self.give(Input::GenerationDone { generation });
                }
            }
            Step::Calls { tools, stale } => {
                if let Some(generation) = self.generation(stale) {
                    let call = |tool: usize| ToolCall {
                        id: tool.to_string(),
                        name: TOOLS[tool].into(),
                        arguments: "{}".into(),
                        problem: None,
                    };
                    self.give(Input::ToolCalls { generation, calls: tools.into_iter().map(call).collect() });
                }
            }
            Step::ToolRecorded => {
                let waiting = |(_, progress): &(&InvocationId, &Use)| **progress == Use::Announced { durable: true };
                if let Some(invocation) = self.uses.iter().find(waiting).map(|(invocation, _)| *invocation) {
                    self.uses.insert(invocation, Use::Recorded);
                    self.give(Input::ToolRecorded { invocation });
                }
            }
            Step::ToolFinished { ok } => {
                let running = |(_, progress): &(&InvocationId, &Use)| **progress == Use::Running;
                if let Some(invocation) = self.uses.iter().find(running).map(|(invocation, _)| *invocation) {
                    let status = if ok { ToolStatus::Ok } else { ToolStatus::Failed };
                    let outcome = ToolOutcome { status, result: "r".into(), error: (!ok).then_some("status") };
                    self.give(Input::ToolFinished { invocation, outcome });
                }
            }
            Step::Audio => {
                if let Some(clause) = self.unready() {
                    self.give(Input::ClauseAudio { clause });
                }
            }
            Step::Ready { ms } => {
                if let Some(clause) = self.unready() {
                    self.ready.insert(clause);
                    let duration = Duration::from_millis(ms.into());
                    self.give(Input::ClauseReady { clause, duration, words: Vec::new() });
                }
            }
            Step::Frames(count) => {
                for n in 0..u32::from(count) {
                    let Some(clause) = self.head() else { return };
                    self.wait(20);
                    let (offset, length) = (Duration::from_millis(20) * n, Duration::from_millis(20));
                    let at = self.now();
                    self.give(Input::FrameSent { clause, offset, length, at });
                }
            }
            Step::Played => {
                if let Some(clause) = self.head().filter(|clause| self.ready.contains(clause)) {
                    self.played.insert(clause);
                    self.give(Input::ClausePlayed { clause });
                }
            }
            Step::Dtmf(digit) => self.give(Input::Dtmf { digit }),
            Step::Failed(which) => {
                let (stage, of) = match (which, self.unready(), self.last_generation) {
                    (0, Some(clause), _) => (Stage::Tts, FailedWork::Clause(clause)),
                    (1, _, Some(generation)) => (Stage::Llm, FailedWork::Generation(generation)),
                    _ => (Stage::Stt, FailedWork::Call),
                };
                if let FailedWork::Generation(generation) = of {
                    self.generations.remove(&generation);
                }
                let was_running = self.last_generation;
                let cancels = matches!(of, FailedWork::Generation(_)).then_some(was_running).flatten();
                if let Some(generation) = cancels {
                    // The engine may cancel what has just failed; that is harmless.
                    self.generations.insert(generation);
                }
                self.give(Input::ProviderFailed { stage, provider: "p".into(), error: "e".into(), of });
                cancels.map(|generation| self.generations.remove(&generation));
            }
            Step::Say { interruptible, text } => {
                let id = format!("c{}-{}", self.now, self.commands.len());
                if self.ended || !self.commands.insert(id.clone()) {
                    return;
                }
                self.give(Input::Command { id, command: Command::Say { text, interruptible } });
            }
            Step::HangUpCommand => {
                if !self.ended && self.commands.insert("hang up".into()) {
                    self.give(Input::Command { id: "hang up".into(), command: Command::HangUp });
                }
            }
            Step::Drain(ms) => self.give(Input::Drain { finish_by: CallTime::from_millis(self.now + ms) }),
            Step::Recorded => self.give(Input::HangUpRecorded),
            Step::CallerLeft => self.give(Input::CallerLeft),
        }
    }

    fn generation(&self, stale: bool) -> Option<GenerationId> {
        let last = self.last_generation?;
        if stale { Some(GenerationId(last.0.saturating_sub(1))) } else { Some(last) }
    }

    fn unready(&self) -> Option<ClauseId> {
        self.requested.iter().copied().find(|clause| !self.ready.contains(clause))
    }
}

fn config(silence: bool, retrieval: bool, barge_in: bool, refusal: bool) -> SessionConfig {
    let mut config = SessionConfig {
        disclosure: "A machine speaks. It listens too.".into(),
        max_duration: Duration::from_secs(120),
        retrieval,
        tools: tools(),
        ..SessionConfig::default()
    };
    config.goodbye.phrases = vec!["goodbye".into()];
    config.goodbye.message = "Farewell.".into();
    config.barge_in.enabled = barge_in;
    if !silence {
        config.silence.prompt_after = None;
    }
    if refusal {
        config.refusal = Some("No.".into());
    }
    config
}

/// Nodes that lead anywhere, also in circles in which nobody is asked.
fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let step = (0..8_u8, 0..6_usize, 0..6_usize);
    prop::collection::vec(step, 6).prop_map(|steps| {
        let node = |(n, (kind, a, b)): (usize, (u8, usize, usize))| {
            let (id, a, b) = (format!("n{n}"), format!("n{a}"), format!("n{b}"));
            let text = AnswerKind::Text { min: 2, max: 20 };
            match kind {
                0 => say(&id, "Hello {x}.", &a),
                1 => say(&id, "{x}", &a),
                2 => menu(&id, "Choose one.", &[('1', &["yes", "think"], &a), ('*', &[], &b)], &b),
                3 => listen(&id, "What?", text, "x", &a, &b),
                4 => decide(&id, "int(plan) > 1 || x == 'yes'", &a, &b),
                5 => set(&id, "x", "{x}{plan}", &a),
                6 => talk(&id, "Be kind.", Some(1), Some(&a)),
                _ => hang_up(&id, "Farewell."),
            }
        };
        steps.into_iter().enumerate().map(node).collect()
    })
}

/// Longest time from the longest call to the end: farewell, ledger, hang-up.
const CLOSING_BOUND_MS: i64 = 20_000 + 1_000 + 5_000 + 1_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_by_itself(
        steps in steps(), answered in prop::bool::weighted(0.8), silence: bool, retrieval: bool, barge_in: bool,
        refusal in prop::bool::weighted(0.1),
    ) {
        let mut watch = Watch::new(config(silence, retrieval, barge_in, refusal)).answer(answered);
        for step in steps {
            watch.take(step);
        }
        // Nothing but time from here on: answering (10 s + 15 s), the longest call, and closing bound it.
        watch.wait(25_000 + 120_000 + CLOSING_BOUND_MS);
        prop_assert!(watch.ended, "still {:?} at {} ms", watch.session.state(), watch.now);
    }

    #[test]
    fn a_caller_who_leaves_ends_it_at_once(steps in steps(), silence: bool, barge_in: bool) {
        let mut watch = Watch::new(config(silence, true, barge_in, false)).answer(true);
        for step in steps {
            watch.take(step);
        }
        watch.give(Input::CallerLeft);
        prop_assert!(watch.ended);
    }

    #[test]
    fn a_hang_up_command_ends_it_within_seconds(steps in steps(), silence: bool, barge_in: bool) {
        let mut watch = Watch::new(config(silence, true, barge_in, false)).answer(true);
        for step in steps {
            watch.take(step);
        }
        watch.take(Step::HangUpCommand);
        // Unless a farewell had begun before, there is none.
        watch.wait(CLOSING_BOUND_MS);
        prop_assert!(watch.ended, "still {:?}", watch.session.state());
    }

    #[test]
    fn every_flow_goes_on_or_ends(
        steps in steps(), nodes in nodes(), known: bool, answered in prop::bool::weighted(0.9), barge_in: bool,
    ) {
        let mut config = if known { clinic() } else { following(nodes) };
        config.max_duration = Duration::from_secs(120);
        config.barge_in.enabled = barge_in;
        let mut watch = Watch::new(config).answer(answered);
        for step in steps {
            watch.take(step);
        }
        watch.wait(25_000 + 120_000 + CLOSING_BOUND_MS);
        prop_assert!(watch.ended, "still {:?} at {} ms", watch.session.state(), watch.now);
    }
}
