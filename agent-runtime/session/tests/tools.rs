//! Tools in virtual time: from the caller's wish to the spoken answer, and everything that comes in between.

#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::World;
use common::agent::config;
use common::tools::{asks_then_says, call, done, results};
use voxplane_session::{
    Effect, Input, LedgerEvent, Message, Output, SessionConfig, ToolCall, ToolKind, ToolRules, ToolStatus,
};

fn tool(name: &str, effect: Effect) -> ToolRules {
    ToolRules {
        name: name.into(),
        kind: ToolKind::Remote,
        effect,
        on_start: String::new(),
        on_complete: String::new(),
        patience: Duration::from_secs(5),
    }
}

/// An agent that can look something up, book it, and hang up.
fn with_tools() -> SessionConfig {
    let end_call = ToolRules { kind: ToolKind::EndCall, ..tool("end_call", Effect::Idempotent) };
    SessionConfig { tools: vec![tool("look_up", Effect::Read), tool("book", Effect::Once), end_call], ..config() }
}

/// What the ledger knows of results: (tool, status, error).
fn told(world: &World) -> Vec<(String, ToolStatus, Option<&'static str>)> {
    let result = |event: &LedgerEvent| match event {
        LedgerEvent::ToolResult { tool, status, error, .. } => Some((tool.clone(), *status, *error)),
        _ => None,
    };
    world.events.iter().filter_map(|(_, event)| result(event)).collect()
}

/// The conversations that the model was given.
fn asked(world: &World) -> Vec<(Vec<Message>, bool)> {
    let generate = |output: &Output| match output {
        Output::Generate { messages, may_call, .. } => Some((messages.clone(), *may_call)),
        _ => None,
    };
    world.outputs.iter().filter_map(|(_, output)| generate(output)).collect()
}

fn spoken(world: &World) -> Vec<String> {
    world.agent_said().into_iter().map(|(_, heard, _)| heard).collect()
}

#[test]
fn a_tool_is_used_and_its_result_is_the_answer() {
    let mut config = with_tools();
    config.tools[0].on_start = "One moment.".into();
    config.tools[0].on_complete = "Here it is.".into();
    let mut world = World::new(config);
    world.workshop.model = Some(asks_then_says(vec![call("look_up", r#"{"day":"friday"}"#)], "Friday is free."));
    world.workshop.service = Box::new(|_, _| Some((2_000, done(r#"{"free":true}"#))));
    world.caller_says(3_000, "is friday free");
    world.run_until(15_000);
    assert_eq!(spoken(&world), ["Hello from the clinic.", "One moment.", "Here it is.", "Friday is free."]);
    assert_eq!(world.workshop.invoked.len(), 1);
    let (invoked_at, tool, arguments) = &world.workshop.invoked[0];
    assert_eq!((tool.as_str(), arguments.as_str()), ("look_up", r#"{"day":"friday"}"#));
    assert!(world.times("play")[1] < invoked_at + 500, "the first words do not wait for the result");
    let asked = asked(&world);
    assert_eq!(asked.len(), 2);
    assert_eq!(results(&asked[1].0), [("look_up".to_owned(), r#"{"free":true}"#.to_owned())]);
    assert_eq!(told(&world), [("look_up".to_owned(), ToolStatus::Ok, None)]);
    assert_eq!(world.times("turn.completed").len(), 1);
}

#[test]
fn several_calls_run_side_by_side_and_the_model_reads_all_results() {
    let mut world = World::new(with_tools());
    let calls = vec![call("look_up", "{}"), call("book", "{}")];
    world.workshop.model = Some(asks_then_says(calls, "Both are done."));
    world.workshop.service = Box::new(|tool, _| Some((if tool == "book" { 1_500 } else { 800 }, done(tool))));
    world.caller_says(3_000, "look and book");
    world.run_until(12_000);
    let at: Vec<i64> = world.workshop.invoked.iter().map(|(at, ..)| *at).collect();
    assert!(at[1] - at[0] <= 50, "{at:?}");
    let asked = asked(&world);
    assert_eq!(results(&asked[1].0), [("look_up".into(), "look_up".into()), ("book".into(), "book".into())]);
    let message = asked[1].0.iter().find(|message| !message.tools.is_empty()).unwrap();
    assert_eq!(message.tools.len(), 2, "one message: their results belong together");
}

#[test]
fn what_changes_something_is_in_the_ledger_first() {
    let run = |acknowledges| {
        let mut world = World::new(with_tools());
        world.acknowledges = acknowledges;
        world.workshop.model = Some(asks_then_says(vec![call("look_up", "{}"), call("book", "{}")], "That is that."));
        world.workshop.service = Box::new(|_, _| Some((100, done("ok"))));
        world.caller_says(3_000, "book it");
        world.run_until(10_000);
        world
    };
    let world = run(true);
    let intents = world.times("tool.intent");
    let invoked: Vec<_> =
        world.workshop.invoked.iter().map(|(at, tool, _)| (*at - intents[0], tool.as_str())).collect();
    assert_eq!(invoked, [(0, "look_up"), (30, "book")], "what only reads waits for nobody");

    let world = run(false);
    assert_eq!(world.workshop.invoked.len(), 1, "no record, no effect");
    assert_eq!(told(&world)[1], ("book".to_owned(), ToolStatus::Failed, Some("not_recorded")));
    let waited = world.times("tool.result")[1] - world.times("tool.intent")[1];
    assert_eq!(waited, 1_000);
    assert_eq!(spoken(&world).last().unwrap(), "That is that.", "the call goes on");
}

#[test]
fn what_makes_no_sense_is_not_done_and_the_model_is_told() {
    let mut world = World::new(with_tools());
    let wrong = ToolCall { problem: Some("day is needed".into()), ..call("book", "{}") };
    let long = call("look_up", &format!("\"{}\"", "x".repeat(9_000)));
    world.workshop.model = Some(asks_then_says(vec![wrong, call("fly", "{}"), long], "Which day?"));
    world.caller_says(3_000, "book it");
    world.run_until(10_000);
    assert_eq!(world.workshop.invoked, []);
    let told: Vec<_> = told(&world).into_iter().map(|(_, status, error)| (status, error.unwrap())).collect();
    let failed = |error| (ToolStatus::Failed, error);
    assert_eq!(told, [failed("invalid_arguments"), failed("unknown_tool"), failed("invalid_arguments")]);
    let results = results(&asked(&world)[1].0);
    assert_eq!(results[0].1, "day is needed");
    assert_eq!(results[1].1, "There is no tool \"fly\".");
    assert_eq!(spoken(&world).last().unwrap(), "Which day?");
}

#[test]
fn a_service_that_never_answers_does_not_end_the_call() {
    let mut world = World::new(with_tools());
    world.workshop.model = Some(asks_then_says(vec![call("look_up", "{}"), call("book", "{}")], "I am sorry."));
    world.caller_says(3_000, "book it");
    world.run_until(14_000);
    assert_eq!(
        told(&world),
        [
            ("look_up".to_owned(), ToolStatus::Failed, Some("timeout")),
            ("book".to_owned(), ToolStatus::Unknown, Some("timeout")),
        ]
    );
    assert_eq!(world.workshop.called_off.len(), 2);
    assert_eq!(spoken(&world).last().unwrap(), "I am sorry.");
    assert_eq!(world.ended(), None);
}

/// Results that the model read, by generation.
type Read = Rc<RefCell<Vec<Vec<(String, String)>>>>;

/// Says what it was told last, and asks for `tool` when the caller mentions it.
fn attentive(tool: &'static str, seen: Read) -> common::tools::Model {
    Box::new(move |messages, may_call| {
        seen.borrow_mut().push(results(messages));
        let last = messages.last().unwrap();
        match last.text.as_str() {
            "" => ("It is done.".to_owned(), Vec::new()),
            text if text.contains(tool) && may_call => (String::new(), vec![call(tool, "{}")]),
            _ => ("We close at five.".to_owned(), Vec::new()),
        }
    })
}

#[test]
fn a_caller_who_asks_for_something_else_calls_off_what_only_reads() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut world = World::new(SessionConfig { tools: vec![tool("weather", Effect::Read)], ..config() });
    world.workshop.model = Some(attentive("weather", seen.clone()));
    world.workshop.service = Box::new(|_, _| Some((4_000, done("sunny"))));
    let end = world.caller_says(3_000, "how is the weather");
    world.caller_says(end + 2_000, "when do you close");
    world.run_until(12_000);
    assert_eq!(told(&world), [("weather".to_owned(), ToolStatus::Failed, Some("called_off"))]);
    assert_eq!(spoken(&world), ["Hello from the clinic.", "We close at five."]);
    assert!(seen.borrow()[1][0].1.starts_with("It was called off"), "{:?}", seen.borrow());
}

#[test]
fn what_changes_something_goes_on_and_the_caller_hears_of_it() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut world = World::new(with_tools());
    world.workshop.model = Some(attentive("book", seen.clone()));
    world.workshop.service = Box::new(|_, _| Some((4_500, done("number 7"))));
    let end = world.caller_says(3_000, "book a table");
    world.caller_says(end + 1_500, "when do you close");
    world.run_until(14_000);
    assert_eq!(world.workshop.invoked.len(), 1, "once");
    assert!(world.workshop.called_off.is_empty());
    assert_eq!(told(&world), [("book".to_owned(), ToolStatus::Ok, None)]);
    assert_eq!(spoken(&world), ["Hello from the clinic.", "We close at five.", "It is done."]);
    let seen = seen.borrow();
    assert!(seen[1][0].1.starts_with("This is still being done"), "{seen:?}");
    assert_eq!(seen[2], [("book".to_owned(), "number 7".to_owned())]);
    // The caller's question stands last while the booking goes on.
    assert_eq!(asked(&world)[1].0.last().unwrap().text, "when do you close");
}

#[test]
fn words_over_the_announcement_do_not_stop_the_work() {
    let mut config = with_tools();
    config.tools[0].on_start = "One moment please, I am looking that up for you in our books.".into();
    let mut world = World::new(config);
    world.workshop.model = Some(asks_then_says(vec![call("look_up", "{}")], "Friday is free."));
    world.workshop.service = Box::new(|_, _| Some((4_500, done("free"))));
    let end = world.caller_says(3_000, "is friday free");
    // A long sound over the announcement that turns out to be no words at all.
    world.caller_sounds(end + 1_500, 900);
    world.run_until(16_000);
    assert_eq!(world.times("barge_in.committed").len(), 1);
    assert_eq!(told(&world), [("look_up".to_owned(), ToolStatus::Ok, None)]);
    assert_eq!(spoken(&world).last().unwrap(), "Friday is free.");
}

#[test]
fn a_caller_who_hangs_up_leaves_an_honest_ledger() {
    for (name, status) in [("look_up", ToolStatus::Failed), ("book", ToolStatus::Unknown)] {
        let mut world = World::new(with_tools());
        world.workshop.model = Some(asks_then_says(vec![call(name, "{}")], "Done."));
        let end = world.caller_says(3_000, "do it");
        world.at(end + 1_500, Input::CallerLeft);
        world.run_until(10_000);
        let last: Vec<_> = world.events.iter().rev().take(2).map(|(_, event)| event.name()).collect();
        assert_eq!(last, ["call.ended", "tool.result"], "{name}");
        let error = if name == "book" { "call_ended" } else { "called_off" };
        assert_eq!(told(&world), [(name.to_owned(), status, Some(error))]);
    }
}

#[test]
fn a_drain_ends_the_call_in_time_whatever_a_tool_does() {
    let mut world = World::new(with_tools());
    world.workshop.model = Some(asks_then_says(vec![call("book", "{}")], "Done."));
    world.workshop.service = Box::new(|_, _| Some((1_500, done("ok"))));
    let end = world.caller_says(3_000, "do it");
    world.at(end + 1_000, Input::Drain { finish_by: voxplane_session::CallTime::from_millis(9_000) });
    world.run_until(20_000);
    let (at, reason) = world.ended().unwrap();
    assert!(reason == "drained" && at < 9_500, "{reason} at {at}");
    assert_eq!(told(&world), [("book".to_owned(), ToolStatus::Ok, None)], "it was done during the last words");
}

#[test]
fn the_agent_hangs_up_when_there_is_nothing_more_to_do() {
    let mut world = World::new(with_tools());
    world.workshop.model = Some(asks_then_says(vec![call("end_call", "{}")], "?"));
    world.caller_says(3_000, "that was all thank you");
    world.run_until(20_000);
    assert_eq!(spoken(&world), ["Hello from the clinic.", "Goodbye, take care."]);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("agent_hung_up"));
    assert_eq!(told(&world), [("end_call".to_owned(), ToolStatus::Ok, None)]);

    let mut world = World::new(with_tools());
    world.workshop.model = Some(Box::new(|_, _| ("Have a nice day.".into(), vec![call("end_call", "{}")])));
    world.caller_says(3_000, "that was all thank you");
    world.run_until(20_000);
    assert_eq!(spoken(&world), ["Hello from the clinic.", "Have a nice day."], "the model's own last words are enough");
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("agent_hung_up"));
}

#[test]
fn a_caller_who_is_not_done_is_not_hung_up_on() {
    let mut world = World::new(with_tools());
    let words = "It was a pleasure to talk to you, have a very nice day and see you soon.";
    world.workshop.model = Some(Box::new(move |messages, _| match messages.last().unwrap().text.as_str() {
        "wait one more question" => ("Of course.".into(), Vec::new()),
        _ => (words.into(), vec![call("end_call", "{}")]),
    }));
    let end = world.caller_says(3_000, "that was all thank you");
    world.caller_says(end + 2_000, "wait one more question");
    world.run_until(12_000);
    assert_eq!(world.ended(), None);
    assert_eq!(spoken(&world).last().unwrap(), "Of course.");
    assert_eq!(told(&world), [("end_call".to_owned(), ToolStatus::Failed, Some("called_off"))]);
}

#[test]
fn the_agent_does_not_hang_up_on_a_failure() {
    let mut world = World::new(with_tools());
    world.workshop.model =
        Some(asks_then_says(vec![call("book", "{}"), call("end_call", "{}")], "That failed, sorry."));
    world.acknowledges = false;
    world.caller_says(3_000, "book it and goodnight");
    world.run_until(10_000);
    assert_eq!(world.ended(), None);
    assert_eq!(spoken(&world).last().unwrap(), "That failed, sorry.");
    assert_eq!(told(&world)[1], ("end_call".to_owned(), ToolStatus::Failed, Some("other_failed")));
}

#[test]
fn a_model_that_never_stops_asking_is_stopped() {
    let mut world = World::new(with_tools());
    world.workshop.model = Some(Box::new(|_, may_call| {
        let words = if may_call { "" } else { "I give up." };
        // It asks even when it may not.
        (words.into(), vec![call("look_up", "{}")])
    }));
    world.workshop.service = Box::new(|_, _| Some((50, done("again"))));
    world.caller_says(3_000, "look it up");
    world.run_until(15_000);
    let may_call: Vec<bool> = asked(&world).into_iter().map(|(_, may_call)| may_call).collect();
    assert_eq!(may_call, [true, true, true, true, true, false]);
    assert_eq!(world.workshop.invoked.len(), 5);
    assert_eq!(spoken(&world).last().unwrap(), "I give up.");
}

#[test]
fn a_result_is_no_longer_than_a_model_can_read() {
    let mut world = World::new(with_tools());
    world.workshop.model = Some(asks_then_says(vec![call("look_up", "{}")], "Much."));
    world.workshop.service = Box::new(|_, _| Some((50, done(&"ä".repeat(10_000)))));
    world.caller_says(3_000, "look it up");
    world.run_until(8_000);
    let [(_, result)] = &results(&asked(&world)[1].0)[..] else { panic!("one result") };
    assert!(result.chars().count() < 4_100 && result.ends_with("(shortened)"));
}
