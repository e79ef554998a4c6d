//! Conversations in steps, in virtual time.

mod common;

use common::World;
use common::agent::config;
use common::flows::{ask, clinic, decide, following, hang_up, listen, menu, say, set, talk};
use voxplane_session::flow::{AnswerKind, Flow, FlowError, FlowOutcome, Menu, MenuOption, Node, Step};
use voxplane_session::{GreetingMode, Input, LedgerEvent, Output, SessionConfig};

/// The greeting of the clinic is over, and its menu is being spoken.
const MENU: i64 = 2_500;
/// The menu is over.
const ASKED: i64 = 4_500;

fn key(world: &mut World, at: i64, key: char) {
    world.at(at, Input::Dtmf { digit: key });
}

/// Nodes in the order in which they were entered.
fn way(world: &World) -> Vec<&str> {
    let entered = world.events.iter().filter_map(|(_, event)| match event {
        LedgerEvent::FlowNodeEntered { node, .. } => Some(node.as_str()),
        _ => None,
    });
    entered.collect()
}

fn outcomes(world: &World) -> Vec<(&str, FlowOutcome)> {
    let left = world.events.iter().filter_map(|(_, event)| match event {
        LedgerEvent::FlowNodeLeft { node, outcome, .. } => Some((node.as_str(), *outcome)),
        _ => None,
    });
    left.collect()
}

fn said(world: &World) -> Vec<String> {
    world.agent_said().into_iter().map(|(text, ..)| text).collect()
}

fn values(world: &World) -> Vec<(&str, &str)> {
    let set = world.events.iter().filter_map(|(_, event)| match event {
        LedgerEvent::FlowVariableSet { name, value } => Some((name.as_str(), value.as_str())),
        _ => None,
    });
    set.collect()
}

#[test]
fn a_key_chooses_and_the_call_ends_after_the_branch() {
    let mut world = World::new(clinic());
    key(&mut world, ASKED + 500, '1');
    world.run_until(20_000);
    insta::assert_snapshot!(world.log());
    assert_eq!(way(&world), ["hello", "main", "hours", "end"]);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("flow_ended"));
}

#[test]
fn a_voice_chooses_too() {
    let mut world = World::new(clinic());
    world.caller_says(ASKED + 500, "the opening hours please");
    world.run_until(20_000);
    assert_eq!(way(&world), ["hello", "main", "hours", "end"]);
    assert_eq!(world.caller_said(), ["the opening hours please"]);
}

#[test]
fn one_word_that_is_a_choice_interrupts_the_menu() {
    let mut world = World::new(clinic());
    world.caller_says(MENU, "hours");
    world.run_until(20_000);
    let (_, heard, interrupted) = world.agent_said()[1].clone();
    assert!(interrupted && heard.len() < 20, "{heard:?}\n{}", world.log());
    assert_eq!(way(&world), ["hello", "main", "hours", "end"]);
}

#[test]
fn who_knows_the_menu_types_ahead() {
    let mut world = World::new(clinic());
    key(&mut world, 700, '1');
    world.run_until(20_000);
    assert_eq!(way(&world), ["hello", "main", "hours", "end"]);
    assert_eq!(said(&world), ["Welcome to the clinic.", "We open at nine.", "Take care."], "the menu is not spoken");
    assert!(world.agent_said()[0].2, "the key interrupts the welcome");
}

#[test]
fn keys_during_what_cannot_be_interrupted_are_kept() {
    let mut settings = clinic();
    settings.disclosure = "This call is answered by a machine.".into();
    settings.barge_in.enabled = false;
    let mut world = World::new(settings);
    key(&mut world, 700, '1');
    world.run_until(20_000);
    assert_eq!(way(&world), ["hello", "main", "hours", "end"]);
    assert!(world.agent_said().iter().all(|(.., interrupted)| !interrupted), "{:?}", world.agent_said());
    assert_eq!(said(&world)[0], "This call is answered by a machine.");
}

#[test]
fn answers_are_kept_decided_on_and_spoken() {
    let mut world = World::new(clinic());
    key(&mut world, ASKED + 500, '2');
    world.caller_says(8_000, "Anna Lee");
    for (at, digit) in [(12_500, '4'), (12_700, '2'), (12_900, '4'), (13_100, '2'), (13_300, '#')] {
        key(&mut world, at, digit);
    }
    world.caller_says(16_500, "yes that is right");
    world.run_until(30_000);
    assert_eq!(
        values(&world),
        [("caller", "Anna Lee"), ("digits", "4242"), ("sure", "yes"), ("plan", "silver for Anna Lee")],
        "{}",
        world.log()
    );
    assert_eq!(way(&world), ["hello", "main", "name", "number", "sure", "decide", "booked", "thanks", "end"]);
    assert!(said(&world).contains(&"Booked: silver for Anna Lee.".to_owned()), "{:?}", said(&world));
}

#[test]
fn digits_are_spoken_too_and_a_pause_ends_typed_ones() {
    let digits = |min, max| AnswerKind::Digits { min, max };
    let nodes = || vec![listen("a", "Number?", digits(2, 6), "n", "end", "end"), hang_up("end", "Bye.")];
    let mut world = World::new(following(nodes()));
    world.caller_says(2_000, "it is four oh two");
    world.run_until(10_000);
    assert_eq!(values(&world), [("n", "402")]);

    let mut world = World::new(following(nodes()));
    for (at, digit) in [(2_000, '9'), (2_300, '*'), (2_600, '1'), (2_900, '2')] {
        key(&mut world, at, digit);
    }
    world.run_until(10_000);
    assert_eq!(values(&world), [("n", "12")], "a star begins anew");
    let answered = world.first("flow.variable_set").unwrap();
    assert!((5_900..=5_910).contains(&answered), "three seconds after the last key: {answered}");
}

#[test]
fn silence_repeats_the_question_and_then_goes_elsewhere() {
    let mut world = World::new(clinic());
    world.run_until(60_000);
    assert_eq!(said(&world)[2], "I heard nothing. For hours press one, to book press two.");
    assert_eq!(outcomes(&world)[1], ("main", FlowOutcome::NoInput));
    assert_eq!(way(&world), ["hello", "main", "end"]);
    assert!(world.times("silence.prompted").is_empty(), "the question is repeated instead");
    let repeated = world.first("flow.repeated").unwrap();
    assert!((7_900..8_500).contains(&repeated), "four seconds after the menu: {repeated}");
}

#[test]
fn a_wrong_answer_repeats_the_question_and_then_goes_elsewhere() {
    let mut world = World::new(clinic());
    key(&mut world, ASKED + 200, '9');
    world.caller_says(10_500, "what do you mean");
    world.run_until(60_000);
    assert_eq!(said(&world)[2], "I did not understand. For hours press one, to book press two.");
    assert_eq!(outcomes(&world)[1], ("main", FlowOutcome::NoMatch));
    assert_eq!(way(&world), ["hello", "main", "end"]);
}

#[test]
fn goodbye_ends_the_call_wherever_it_stands() {
    for (at, node) in [(800, "hello"), (ASKED + 500, "main")] {
        let mut world = World::new(clinic());
        world.caller_says(at, "thank you goodbye");
        world.run_until(20_000);
        assert_eq!(world.ended().map(|(_, reason)| reason), Some("goodbye"), "{}", world.log());
        assert!(way(&world).contains(&node));
        assert_eq!(outcomes(&world).last().map(|(_, outcome)| *outcome), Some(FlowOutcome::CallEnded));
    }
}

#[test]
fn a_goodbye_that_is_an_answer_is_an_answer() {
    let text = AnswerKind::Text { min: 1, max: 100 };
    let nodes = vec![listen("a", "Your message?", text, "m", "end", "end"), hang_up("end", "Thank you.")];
    let mut world = World::new(following(nodes));
    world.caller_says(2_500, "call me back goodbye");
    world.run_until(10_000);
    assert_eq!(values(&world), [("m", "call me back goodbye")]);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("flow_ended"));
}

#[test]
fn the_model_talks_as_told_until_its_turns_are_over() {
    let mut world = World::new(clinic()).answers(|_| "Certainly.".into());
    key(&mut world, ASKED + 500, '0');
    world.caller_says(6_500, "do you treat children");
    world.caller_says(10_500, "and what does it cost");
    world.run_until(30_000);
    let told: Vec<_> = world
        .outputs
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Instruct { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["The plan is silver.", ""], "told, and then told no more");
    assert_eq!(world.times("generate").len(), 2);
    assert_eq!(outcomes(&world)[2], ("talk", FlowOutcome::Turns));
    assert_eq!(way(&world), ["hello", "main", "talk", "end"]);
}

#[test]
fn a_phrase_ends_the_models_part_and_silence_is_prompted_in_it() {
    let nodes = vec![say("a", "Hello.", "talk"), talk("talk", "", None, Some("end")), hang_up("end", "Bye.")];
    let mut world = World::new(following(nodes));
    world.caller_says(12_000, "thanks that is all");
    world.run_until(30_000);
    assert_eq!(world.times("silence.prompted").len(), 1, "{}", world.log());
    assert_eq!(outcomes(&world)[1], ("talk", FlowOutcome::Phrase));
    assert_eq!(world.first("generate"), None, "the phrase is no question to the model");
}

#[test]
fn keys_in_the_models_part_are_words_as_in_any_call() {
    let mut world = World::new(following(vec![talk("talk", "", None, None)]));
    key(&mut world, 2_000, '4');
    world.run_until(8_000);
    assert_eq!(world.caller_said(), ["[keypad] 4"]);
}

#[test]
fn what_a_caller_says_is_never_read_again() {
    let text = AnswerKind::Text { min: 1, max: 100 };
    let nodes = vec![
        listen("a", "Name?", text, "caller", "b", "end"),
        decide("b", "caller == 'plan' || caller.contains('{plan}')", "c", "end"),
        say("c", "Hello {caller}.", "end"),
        hang_up("end", "Bye."),
    ];
    let mut world = World::new(following(nodes));
    world.caller_says(2_000, "{plan} {{ plan }} 1 == 1");
    world.run_until(20_000);
    assert!(said(&world).contains(&"Hello {plan} {{ plan }} 1 == 1.".to_owned()), "{:?}", said(&world));
}

#[test]
fn a_condition_that_cannot_be_judged_is_passed_over_and_told() {
    let nodes = vec![decide("a", "int(plan) > 3", "b", "end"), say("b", "No.", "end"), hang_up("end", "Bye.")];
    let mut world = World::new(following(nodes));
    world.run_until(20_000);
    let left = world.events.iter().find_map(|(_, event)| match event {
        LedgerEvent::FlowNodeLeft { failed, choice, .. } => Some((failed.clone(), *choice)),
        _ => None,
    });
    assert_eq!(left, Some((vec![0], None)));
    assert_eq!(said(&world), ["Bye."], "a call that begins with its end is answered and told so");
}

#[test]
fn a_value_put_into_itself_stays_bounded() {
    let nodes = vec![menu("m", "Again?", &[('1', &[], "double")], "m"), set("double", "plan", "{plan}{plan}", "m")];
    let mut world = World::new(following(nodes));
    for n in 0..20 {
        key(&mut world, 1_000 + n * 100, '1');
    }
    world.run_until(5_000);
    let longest = values(&world).iter().map(|(_, value)| value.len()).max();
    assert_eq!(longest, Some(1_000));
}

#[test]
fn nobody_there_is_left_even_by_a_flow_that_asks_for_ever() {
    let nodes = vec![menu("m", "Hello?", &[('1', &[], "m")], "m")];
    let mut world = World::new(following(nodes));
    world.run_until(120_000);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("silence"));
    assert!(world.ended().unwrap().0 < 70_000, "{:?}", world.ended());
}

#[test]
fn a_flow_that_turns_in_a_circle_ends_the_call() {
    let nodes = vec![menu("m", "Hello?", &[('1', &[], "a")], "m"), set("a", "x", "1", "b"), set("b", "x", "2", "a")];
    let mut world = World::new(following(nodes));
    key(&mut world, 2_000, '1');
    world.run_until(20_000);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("error"));
}

#[test]
fn a_flow_speaks_first_whatever_the_mode_of_the_greeting() {
    let mut world = World::new(SessionConfig { greeting_mode: GreetingMode::CallerFirst, ..clinic() });
    world.run_until(3_000);
    assert_eq!(said(&world)[0], "Welcome to the clinic.");
    let refused = SessionConfig { refusal: Some("We are busy.".into()), ..clinic() };
    let mut world = World::new(refused);
    world.run_until(10_000);
    assert_eq!((said(&world), way(&world).len()), (vec!["We are busy.".to_owned()], 0));
    assert_eq!(config().flow.map(|_| ()), None);
}

#[test]
fn a_node_that_does_not_exist_is_found_before_the_call() {
    let option = MenuOption { key: Some('1'), phrases: Vec::new(), next: "x".into() };
    let step = Step::Menu(Menu { ask: ask("?", "m"), options: vec![option] });
    let flow = Flow::new("m".into(), vec![Node { id: "m".into(), step }], Default::default());
    assert_eq!(flow.unwrap_err(), FlowError::Missing { from: "node \"m\"".into(), to: "x".into() });
}
