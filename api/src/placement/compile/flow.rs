//! A conversation in steps → the message for the runtime. Pure.
//!
//! Variables that stay as they are during a call are put into the texts here; those that the flow gives values to, and
//! those that conditions look at, travel along.

use std::collections::BTreeSet;

use voxplane_control::v1 as wire;
use voxplane_crds::Effective;
use voxplane_crds::flow::{assigned_names, check, expression, hears_anything, phrases};
use voxplane_crds::template::{Piece, Template};
use voxplane_crds::variables::{Fault, Names, Values};
use voxplane_crds::voice_agent::flow::{AnswerKind, Flow, Listen, Menu, Node, Retry, Step, built_in};
use wire::flow_node::Step as Wire;

use super::{positive, seconds};

/// Name of what a pod must be able to do for an agent with a flow.
pub const CAPABILITY: &str = "feature/flow";

/// Puts a flow into the configuration of a call. `settings` has its texts filled in.
///
/// # Errors
/// Everything that is wrong with the flow; no caller may hear a part of it.
pub fn add(
    config: &mut wire::CallConfig,
    flow: &Flow,
    names: &Names,
    values: &Values,
    settings: &Effective<'_>,
) -> Result<(), Vec<Fault>> {
    let faults = check(flow, names);
    if !faults.is_empty() {
        return Err(faults);
    }
    let compiler = Compiler { assigned: assigned_names(flow), values, settings };
    let nodes = flow.nodes.iter().map(|node| compiler.node(node)).collect();
    config.flow = Some(wire::Flow { start: flow.start.clone(), nodes });
    config.variables = compiler.variables(flow, names);
    if let Some(stt) = &mut config.stt {
        listen_for(stt, flow);
    }
    Ok(())
}

/// Makes the flow begin with these words instead of its greeting.
pub fn greet_with(flow: &mut wire::Flow, words: String) {
    let greeting = Some(plain(words));
    let mut greeted = false;
    for node in &mut flow.nodes {
        if let Some(Wire::Say(say)) = &mut node.step
            && say.greeting
        {
            say.text.clone_from(&greeting);
            greeted = true;
        }
    }
    if !greeted {
        // No id of a resource has a space, so this one is free.
        let id = "closed greeting".to_owned();
        let next = std::mem::replace(&mut flow.start, id.clone());
        let say = wire::FlowSay { text: greeting, interruptible: true, greeting: true, next };
        flow.nodes.push(wire::FlowNode { id, step: Some(Wire::Say(say)) });
    }
}

/// Tells a recogniser that knows phrases only what the flow listens for. One that may hear anything stays as it is unless
/// the flow wants nothing but its phrases.
fn listen_for(stt: &mut wire::SttConfig, flow: &Flow) {
    if stt.phrases.is_empty() && hears_anything(flow) {
        return;
    }
    for phrase in phrases(flow) {
        if !stt.phrases.iter().any(|known| known.eq_ignore_ascii_case(&phrase)) {
            stt.phrases.push(phrase);
        }
    }
}

struct Compiler<'a> {
    assigned: BTreeSet<&'a str>,
    values: &'a Values,
    settings: &'a Effective<'a>,
}

impl Compiler<'_> {
    fn node(&self, node: &Node) -> wire::FlowNode {
        wire::FlowNode { id: node.id.clone(), step: node.step().map(|step| self.step(step)) }
    }

    fn step(&self, step: Step<'_>) -> Wire {
        match step {
            Step::Greet(greet) => Wire::Say(wire::FlowSay {
                text: Some(match &greet.text {
                    Some(text) => self.text(text),
                    None => plain(self.settings.greeting.value.text.clone()),
                }),
                interruptible: greet.interruptible,
                greeting: true,
                next: greet.next.clone(),
            }),
            Step::Say(say) => Wire::Say(wire::FlowSay {
                text: Some(self.text(&say.text)),
                interruptible: say.interruptible,
                greeting: false,
                next: say.next.clone(),
            }),
            Step::Listen(listen) => Wire::Listen(self.listen(listen)),
            Step::Menu(menu) => Wire::Menu(self.menu(menu)),
            Step::Condition(condition) => Wire::Condition(wire::FlowCondition {
                branches: condition
                    .branches
                    .iter()
                    .map(|branch| wire::FlowBranch { when: branch.when.clone(), next: branch.next.clone() })
                    .collect(),
                otherwise: condition.otherwise.clone(),
            }),
            Step::Set(set) => Wire::Set(wire::FlowSet {
                assignments: set
                    .variables
                    .iter()
                    .map(|one| wire::FlowAssignment { name: one.name.clone(), value: Some(self.text(&one.value)) })
                    .collect(),
                next: set.next.clone(),
            }),
            Step::Agent(agent) => Wire::Agent(wire::FlowAgent {
                instructions: agent.instructions.as_ref().map(|text| self.text(text)),
                phrases: agent.phrases.clone(),
                max_turns: agent.max_turns.map(positive).unwrap_or_default(),
                next: agent.next.clone().unwrap_or_default(),
            }),
            Step::Hangup(hangup) => Wire::HangUp(wire::FlowHangUp {
                text: Some(match &hangup.text {
                    Some(text) => self.text(text),
                    None => plain(self.settings.goodbye.value.message.clone()),
                }),
            }),
        }
    }

    fn listen(&self, listen: &Listen) -> wire::FlowListen {
        let Listen { text, interruptible, timeout_seconds, retries, no_input, no_match, otherwise, .. } = listen;
        let ask = wire::FlowAsk {
            text: Some(self.text(text)),
            interruptible: *interruptible,
            timeout_ms: seconds(*timeout_seconds),
            retries: positive(*retries),
            no_input: Some(self.retry(no_input.as_ref(), built_in::NO_INPUT, otherwise)),
            no_match: Some(self.retry(no_match.as_ref(), built_in::NO_MATCH, otherwise)),
        };
        let words = |phrases: Vec<&str>| match listen.kind {
            AnswerKind::YesNo => phrases.into_iter().map(str::to_owned).collect(),
            AnswerKind::Text | AnswerKind::Digits => Vec::new(),
        };
        wire::FlowListen {
            ask: Some(ask),
            variable: listen.variable.clone(),
            kind: match listen.kind {
                AnswerKind::Text => wire::flow_listen::Kind::Text,
                AnswerKind::Digits => wire::flow_listen::Kind::Digits,
                AnswerKind::YesNo => wire::flow_listen::Kind::YesNo,
            }
            .into(),
            min_length: positive(listen.min_length),
            max_length: positive(listen.longest()),
            yes_phrases: words(listen.yes()),
            no_phrases: words(listen.no()),
            next: listen.next.clone(),
        }
    }

    fn menu(&self, menu: &Menu) -> wire::FlowMenu {
        let Menu { text, options, interruptible, timeout_seconds, retries, no_input, no_match, otherwise } = menu;
        wire::FlowMenu {
            ask: Some(wire::FlowAsk {
                text: Some(self.text(text)),
                interruptible: *interruptible,
                timeout_ms: seconds(*timeout_seconds),
                retries: positive(*retries),
                no_input: Some(self.retry(no_input.as_ref(), built_in::NO_INPUT, otherwise)),
                no_match: Some(self.retry(no_match.as_ref(), built_in::NO_MATCH, otherwise)),
            }),
            options: options
                .iter()
                .map(|option| wire::FlowOption {
                    key: option.key.clone().unwrap_or_default(),
                    phrases: option.phrases.clone(),
                    next: option.next.clone(),
                })
                .collect(),
        }
    }

    fn retry(&self, retry: Option<&Retry>, built_in: &str, otherwise: &str) -> wire::FlowRetry {
        let text = retry.and_then(|retry| retry.text.as_deref()).unwrap_or(built_in);
        let next = retry.and_then(|retry| retry.next.as_deref()).unwrap_or(otherwise);
        wire::FlowRetry { text: Some(self.text(text)), next: next.to_owned() }
    }

    /// Values that stay are put in; the others are for the runtime to put in. The text was checked before.
    fn text(&self, text: &str) -> wire::FlowText {
        let stays = |name: &str| self.values.get(name).filter(|_| !self.assigned.contains(name));
        let template = Template::parse(text).unwrap_or_default().fill(stays);
        let part = |piece: &Piece| wire::FlowTextPart {
            part: Some(match piece {
                Piece::Text(words) => wire::flow_text_part::Part::Words(words.clone()),
                Piece::Variable(name) => wire::flow_text_part::Part::Variable(name.clone()),
            }),
        };
        wire::FlowText { parts: template.pieces().iter().map(part).collect() }
    }

    /// What the runtime must know when the call begins: values that the flow may change, and those that conditions look at.
    /// No others, so that the hash of the configuration does not follow the clock.
    fn variables(&self, flow: &Flow, names: &Names) -> Vec<wire::Variable> {
        let known = names.with(self.assigned.iter().copied());
        let conditions = flow.nodes.iter().filter_map(|node| node.condition.as_ref());
        let looked_at = conditions
            .flat_map(|condition| &condition.branches)
            .filter_map(|branch| expression::check(&branch.when, &known).ok())
            .flat_map(|condition| condition.names);
        let wanted: BTreeSet<String> = self.assigned.iter().map(ToString::to_string).chain(looked_at).collect();
        wanted
            .into_iter()
            .filter_map(|name| Some(wire::Variable { value: self.values.get(&name)?.to_owned(), name }))
            .collect()
    }
}

fn plain(words: String) -> wire::FlowText {
    wire::FlowText { parts: vec![wire::FlowTextPart { part: Some(wire::flow_text_part::Part::Words(words)) }] }
}

#[cfg(test)]
mod tests;
