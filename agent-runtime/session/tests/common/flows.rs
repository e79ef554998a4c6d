//! Flows that the tests follow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use voxplane_session::SessionConfig;
use voxplane_session::flow::{
    AnswerKind, Ask, Branch, Expression, Flow, Listen, Menu, MenuOption, Node, Part, Retry, Say, Step, Talk, Text,
};

/// `words` with `{name}` for a variable.
pub fn text(words: &str) -> Text {
    let mut parts = Vec::new();
    for piece in words.split_inclusive(['{', '}']) {
        match piece.strip_suffix('}') {
            Some(name) => parts.push(Part::Variable(name.to_owned())),
            None => parts.push(Part::Words(piece.trim_end_matches('{').to_owned())),
        }
    }
    Text(parts)
}

fn node(id: &str, step: Step) -> Node {
    Node { id: id.into(), step }
}

pub fn say(id: &str, words: &str, next: &str) -> Node {
    node(id, Step::Say(Say { text: text(words), interruptible: true, greeting: false, next: next.into() }))
}

/// A question that is repeated once.
pub fn ask(words: &str, otherwise: &str) -> Ask {
    let retry = |words: &str| Retry { text: text(words), next: otherwise.into() };
    Ask {
        text: text(words),
        interruptible: true,
        timeout: Duration::from_secs(4),
        retries: 1,
        no_input: retry("I heard nothing."),
        no_match: retry("I did not understand."),
    }
}

pub fn listen(id: &str, words: &str, kind: AnswerKind, variable: &str, next: &str, otherwise: &str) -> Node {
    let listen = Listen { ask: ask(words, otherwise), variable: variable.into(), kind, next: next.into() };
    node(id, Step::Listen(listen))
}

/// A menu of keys, phrases and successors.
pub fn menu(id: &str, words: &str, options: &[(char, &[&str], &str)], otherwise: &str) -> Node {
    let options = options.iter().map(|(key, phrases, next)| MenuOption {
        key: Some(*key),
        phrases: phrases.iter().map(ToString::to_string).collect(),
        next: (*next).into(),
    });
    node(id, Step::Menu(Menu { ask: ask(words, otherwise), options: options.collect() }))
}

pub fn decide(id: &str, when: &str, next: &str, otherwise: &str) -> Node {
    let branches = vec![Branch { when: Expression::parse(when).unwrap(), next: next.into() }];
    node(id, Step::Condition { branches, otherwise: otherwise.into() })
}

pub fn set(id: &str, name: &str, value: &str, next: &str) -> Node {
    node(id, Step::Set { values: vec![(name.into(), text(value))], next: next.into() })
}

pub fn talk(id: &str, instructions: &str, max_turns: Option<u32>, next: Option<&str>) -> Node {
    let phrases = next.map(|_| vec!["that is all".to_owned()]).unwrap_or_default();
    let instructions = text(instructions);
    node(id, Step::Agent(Talk { instructions, phrases, max_turns, next: next.map(str::to_owned) }))
}

pub fn hang_up(id: &str, words: &str) -> Node {
    node(id, Step::HangUp { text: text(words) })
}

/// An agent that follows these nodes, beginning with the first.
pub fn following(nodes: Vec<Node>) -> SessionConfig {
    let values = BTreeMap::from([("plan".to_owned(), "silver".to_owned())]);
    let start = nodes[0].id.clone();
    let flow = Flow::new(start, nodes, values).unwrap();
    SessionConfig { flow: Some(Arc::new(flow)), ..super::agent::config() }
}

/// A clinic: a menu, a question of each kind, a decision, the model, an end.
pub fn clinic() -> SessionConfig {
    let yes_no = AnswerKind::YesNo { yes: vec!["yes".into()], no: vec!["no".into()] };
    following(vec![
        say("hello", "Welcome to the clinic.", "main"),
        menu(
            "main",
            "For hours press one, to book press two.",
            &[
                ('1', &["hours", "opening hours"], "hours"),
                ('2', &["book", "an appointment"], "name"),
                ('0', &["somebody"], "talk"),
            ],
            "end",
        ),
        say("hours", "We open at nine.", "end"),
        listen("name", "What is your name?", AnswerKind::Text { min: 2, max: 40 }, "caller", "number", "end"),
        listen("number", "Your four digits, {caller}?", AnswerKind::Digits { min: 4, max: 4 }, "digits", "sure", "end"),
        listen("sure", "{digits}, right?", yes_no, "sure", "decide", "end"),
        decide("decide", "sure == 'yes' && int(digits) > 1000", "booked", "main"),
        set("booked", "plan", "{plan} for {caller}", "thanks"),
        say("thanks", "Booked: {plan}.", "end"),
        talk("talk", "The plan is {plan}.", Some(2), Some("end")),
        hang_up("end", "Take care."),
    ])
}
