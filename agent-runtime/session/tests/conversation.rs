//! Whole conversations in virtual time.

mod common;

use std::time::Duration;

use common::World;
use common::agent::config;
use voxplane_session::{
    BargeInTrigger, Command, CommandOutcome, GreetingMode, Input, LedgerEvent, Output, SessionConfig, TurnRules,
};

/// Greeting is 1320 ms of audio and starts about 220 ms into the call.
const GREETED: i64 = 1_700;

#[test]
fn a_question_is_answered_and_goodbye_ends_the_call() {
    let mut world = World::new(SessionConfig { retrieval: true, ..config() })
        .answers(|_| "We open at nine. On Saturday at ten.".into());
    world.caller_says(2_500, "when do you open");
    world.caller_says(8_000, "thank you goodbye");
    world.run_until(20_000);
    insta::assert_snapshot!(world.log());
}

#[test]
fn disclosure_comes_first_and_cannot_be_interrupted() {
    let mut world = World::new(SessionConfig {
        disclosure: "This call is answered by a machine.".into(),
        consent_message: "It is recorded.".into(),
        ..config()
    });
    world.caller_says(500, "hello is anybody there");
    world.run_until(12_000);
    let said = world.agent_said();
    assert_eq!(said[0].0, "This call is answered by a machine.");
    assert_eq!(said[1].0, "It is recorded.");
    assert!(!said[0].2 && !said[1].2, "uninterrupted: {said:?}");
    assert_eq!(world.first("duck"), None);
    assert_eq!(world.caller_said(), ["hello is anybody there"], "what was said meanwhile is answered afterwards");
}

#[test]
fn the_call_is_answered_only_when_there_is_something_to_say() {
    let mut world = World::new(config());
    world.synthesis_ms = 900;
    world.run_until(5_000);
    assert_eq!(world.first("publish"), Some(900));
    // Subscribed after 50 ms, active after 90 ms.
    assert_eq!(world.first("call.answered"), Some(990));
    assert_eq!(world.first("play"), Some(990));
}

#[test]
fn a_caller_first_agent_publishes_at_once_and_listens() {
    let mut world = World::new(SessionConfig { greeting_mode: GreetingMode::CallerFirst, ..config() });
    world.caller_says(1_000, "is this the clinic");
    world.run_until(6_000);
    assert_eq!(world.first("publish"), Some(0));
    assert_eq!(world.agent_said()[0].0, "You said is this the clinic.");
}

/// Five sentences with a pause of 700 ms in the middle of each.
fn a_hesitant_caller(turn: TurnRules) -> (Vec<String>, Vec<i64>) {
    let mut world = World::new(SessionConfig { turn, ..config() }).answers(|_| "Yes.".into());
    let mut ends = Vec::new();
    for n in 0..5 {
        let middle = world.caller_says(2_500 + n * 8_000, "I would like to come");
        ends.push(world.caller_says(middle + 700, "on Tuesday if I may"));
    }
    world.run_until(45_000);
    let answered: Vec<i64> = world.times("generate");
    let waits = ends.iter().filter_map(|end| answered.iter().find(|at| *at >= end).map(|at| at - end)).collect();
    (world.caller_said(), waits)
}

#[test]
fn a_caller_who_pauses_is_cut_once_and_then_waited_for() {
    let fixed = TurnRules { silence: Duration::from_millis(500), ..TurnRules::default() };
    let (said, _) = a_hesitant_caller(fixed);
    assert_eq!(said.len(), 10, "every pause is taken for the end: {said:?}");

    let adaptive = TurnRules { longest_silence: Some(Duration::from_millis(1_200)), ..fixed };
    let (said, waits) = a_hesitant_caller(adaptive);
    assert_eq!(said.len(), 6, "only the first pause is taken for the end: {said:?}");
    assert!(said[2..].iter().all(|turn| turn == "I would like to come on Tuesday if I may"), "{said:?}");
    assert!(waits.iter().all(|wait| *wait <= 1_200 + 100), "{waits:?}");
}

#[test]
fn a_caller_who_does_not_pause_is_answered_as_fast_as_by_fixed_rules() {
    let answered = |longest_silence| {
        let turn = TurnRules { silence: Duration::from_millis(500), longest_silence, ..TurnRules::default() };
        let mut world = World::new(SessionConfig { turn, ..config() });
        for n in 0..4 {
            world.caller_says(2_500 + n * 8_000, "when do you open on Tuesday");
        }
        world.run_until(36_000);
        world.times("generate")
    };
    assert_eq!(answered(Some(Duration::from_millis(2_000))), answered(None));
}

#[test]
fn an_interruption_ducks_then_commits_and_cuts_the_history() {
    let mut world = World::new(config()).answers(|question| {
        if question.contains("open") {
            "We are open every day from nine to five and on Saturdays from ten.".into()
        } else {
            "Sure.".into()
        }
    });
    world.caller_says(2_500, "when do you open");
    world.caller_says(6_000, "no wait I mean something else");
    world.run_until(14_000);
    let onset = 6_000;
    let ducked = world.first("duck").expect("ducked");
    assert!((onset..=onset + 70).contains(&ducked), "ducked at {ducked}");
    let stopped = world.times("stop").into_iter().find(|at| *at > onset).expect("stopped");
    assert!(stopped <= onset + 700, "committed at {stopped}");
    let (full, heard, interrupted) = world.agent_said()[1].clone();
    assert!(interrupted && full.starts_with(&heard) && heard.len() < full.len(), "heard {heard:?}");
    assert!(!heard.is_empty());
    let Some(Output::Generate { messages, .. }) =
        world.outputs.iter().rev().map(|(_, output)| output).find(|output| output.kind() == "generate").cloned()
    else {
        panic!("the interruption was not answered");
    };
    let texts: Vec<_> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["Hello from the clinic.", "when do you open", heard.as_str(), "no wait I mean something else"]);
}

#[test]
fn a_cough_ducks_and_resumes() {
    let mut world = World::new(config());
    world.caller_sounds(800, 130);
    world.run_until(5_000);
    let (ducked, resumed) = (world.first("duck").expect("ducked"), world.first("resume").expect("resumed"));
    assert!(resumed - ducked < 400, "ducked for {} ms", resumed - ducked);
    assert_eq!(world.agent_said(), [("Hello from the clinic.".into(), "Hello from the clinic.".into(), false)]);
    assert!(world.caller_said().is_empty());
}

#[test]
fn a_backchannel_is_noted_and_the_agent_goes_on() {
    let mut world = World::new(config());
    world.caller_says(700, "mhmm");
    world.run_until(5_000);
    assert!(!world.agent_said()[0].2);
    assert!(world.caller_said().is_empty());
    let backchannels = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, LedgerEvent::CallerSaid { backchannel: true, text, .. } if text == "mhmm"))
        .count();
    assert_eq!(backchannels, 1);
}

#[test]
fn what_commits_an_interruption() {
    type Act = fn(&mut World);
    let cases: [(&str, Act, BargeInTrigger); 3] = [
        (
            "two words",
            |world| {
                world.caller_says(600, "hi you two");
            },
            BargeInTrigger::Words,
        ),
        ("half a second of speech", |world| world.caller_sounds(600, 800), BargeInTrigger::Speech),
        ("a key", |world| world.at(600, Input::Dtmf { digit: '1' }), BargeInTrigger::Dtmf),
    ];
    for (name, act, expected) in cases {
        let mut world = World::new(config());
        act(&mut world);
        world.run_until(3_000);
        let trigger = world.events.iter().find_map(|(_, event)| match event {
            LedgerEvent::BargeInCommitted { trigger, .. } => Some(*trigger),
            _ => None,
        });
        assert_eq!(trigger, Some(expected), "{name}\n{}", world.log());
        assert!(world.times("stop")[0] <= 600 + 700, "{name}");
    }
}

#[test]
fn with_barge_in_disabled_the_agent_finishes_first() {
    let mut settings = config();
    settings.barge_in.enabled = false;
    let mut world = World::new(settings);
    world.caller_says(600, "hello hello hello");
    world.run_until(6_000);
    assert_eq!(world.first("duck"), None);
    assert!(!world.agent_said()[0].2);
    assert_eq!(world.caller_said(), ["hello hello hello"]);
}

#[test]
fn a_caller_who_goes_on_speaking_calls_the_answer_off() {
    let mut world = World::new(config());
    world.first_token_ms = 700;
    let end = world.caller_says(2_500, "I would like to");
    world.caller_says(end + 900, "book an appointment");
    world.run_until(12_000);
    assert_eq!(world.times("generate").len(), 2);
    assert_eq!(world.times("cancel_generation").len(), 1);
    assert_eq!(world.caller_said(), ["I would like to", "book an appointment"]);
    assert_eq!(world.agent_said().last().expect("answered").0, "You said I would like to book an appointment.");
}

#[test]
fn a_missing_final_transcript_is_replaced_by_the_partial_in_time() {
    let mut world = World::new(config());
    let end = world.caller_says(2_500, "when do you open today");
    world.stt_ms = 60_000;
    world.run_until(8_000);
    let decided = world.first("generate").expect("answered all the same");
    assert!(decided <= end + 350 + 1_500 + 64, "decided at {decided}, speech ended at {end}");
    assert_eq!(world.caller_said(), ["when do you open"], "the last partial was one word short");
}

#[test]
fn a_caller_whose_client_sends_no_silence_is_answered_as_quickly() {
    let answered = |sends_silence| {
        let mut world = World::new(config());
        world.sends_silence = sends_silence;
        world.caller_says(2_500, "when do you open");
        world.run_until(8_000);
        world.first("generate").expect("answered")
    };
    let difference: i64 = answered(true) - answered(false);
    assert!(difference.abs() <= 32, "{difference} ms");
}

#[test]
fn keys_become_a_turn() {
    let mut world = World::new(config());
    world.at(GREETED + 500, Input::Dtmf { digit: '4' });
    world.at(GREETED + 900, Input::Dtmf { digit: '2' });
    world.at(GREETED + 1_000, Input::Dtmf { digit: '#' });
    world.run_until(8_000);
    assert_eq!(world.caller_said(), ["[keypad] 42"]);
}

#[test]
fn texts_from_outside_are_spoken_in_turn() {
    let mut world = World::new(config());
    for (at, id, text) in [(2_000, "a", "Please hold the line."), (2_100, "b", "Somebody will be with you.")] {
        world.command(at, id, Command::Say { text: text.into(), interruptible: false });
    }
    world.command(2_200, "c", Command::Say { text: "...".into(), interruptible: true });
    world.run_until(8_000);
    let texts: Vec<_> = world.agent_said().into_iter().map(|(text, ..)| text).collect();
    assert_eq!(texts, ["Hello from the clinic.", "Please hold the line.", "Somebody will be with you."]);
    let outcomes: Vec<_> = world
        .outputs
        .iter()
        .filter_map(|(_, output)| match output {
            Output::CommandFinished { id, outcome } => Some((id.as_str(), *outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [("c", CommandOutcome::EmptyText), ("a", CommandOutcome::Done), ("b", CommandOutcome::Done)]);
}

/// The silence and the recogniser run side by side; each is told for itself.
#[test]
fn a_slow_recogniser_is_not_blamed_on_the_silence() {
    for (stt_ms, end_of_turn, stt) in [(20, 500, 372..=412), (600, 500, 952..=992)] {
        let mut world = World::new(config());
        world.stt_ms = stt_ms;
        world.caller_says(2_496, "when do you open");
        world.run_until(9_000);
        let latency = world.events.iter().find_map(|(_, event)| match event {
            LedgerEvent::TurnCompleted { latency, .. } => Some(latency.clone()),
            _ => None,
        });
        let latency = latency.expect("a completed turn");
        assert_eq!(latency.end_of_turn_ms, Some(end_of_turn), "{latency:?}");
        assert!(stt.contains(&latency.stt_ms.unwrap()), "{latency:?}");
        assert!(latency.total_ms >= latency.stt_ms.max(latency.end_of_turn_ms), "{latency:?}");
    }
}
