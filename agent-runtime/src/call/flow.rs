//! The API's `Flow` → the engine's.

use std::sync::Arc;
use std::time::Duration;

use voxplane_control::v1::{
    CallConfig, FlowAsk, FlowBranch, FlowListen, FlowNode, FlowOption, FlowRetry, FlowText, flow_listen::Kind,
    flow_node::Step as Wire, flow_text_part::Part as WirePart,
};
use voxplane_session::flow::{
    AnswerKind, Ask, Branch, Expression, Flow, FlowError, Listen, Menu, MenuOption, Node, Part, Retry, Say, Step, Talk,
    Text,
};

/// Why a flow is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFlow {
    /// It cannot be followed.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// A newer API wrote it.
    #[error("node {0:?} is of a kind that this runtime does not know")]
    UnknownKind(String),
}

/// The flow of a call, if it has one.
pub(super) fn of(config: &CallConfig) -> Result<Option<Arc<Flow>>, BadFlow> {
    let Some(flow) = &config.flow else { return Ok(None) };
    let nodes = flow.nodes.iter().map(node).collect::<Result<Vec<_>, _>>()?;
    let values = config.variables.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect();
    Ok(Some(Arc::new(Flow::new(flow.start.clone(), nodes, values)?)))
}

fn node(node: &FlowNode) -> Result<Node, BadFlow> {
    let unknown = || BadFlow::UnknownKind(node.id.clone());
    let step = match node.step.as_ref().ok_or_else(unknown)? {
        Wire::Say(say) => Step::Say(Say {
            text: text(say.text.as_ref()),
            interruptible: say.interruptible,
            greeting: say.greeting,
            next: say.next.clone(),
        }),
        Wire::Listen(listen) => Step::Listen(Listen {
            ask: ask(listen.ask.as_ref()),
            variable: listen.variable.clone(),
            kind: kind(listen).ok_or_else(unknown)?,
            next: listen.next.clone(),
        }),
        Wire::Menu(menu) => {
            Step::Menu(Menu { ask: ask(menu.ask.as_ref()), options: menu.options.iter().map(option).collect() })
        }
        Wire::Condition(condition) => Step::Condition {
            branches: condition.branches.iter().map(|one| branch(&node.id, one)).collect::<Result<_, _>>()?,
            otherwise: condition.otherwise.clone(),
        },
        Wire::Set(set) => Step::Set {
            values: set.assignments.iter().map(|one| (one.name.clone(), text(one.value.as_ref()))).collect(),
            next: set.next.clone(),
        },
        Wire::Agent(agent) => Step::Agent(Talk {
            instructions: text(agent.instructions.as_ref()),
            phrases: agent.phrases.clone(),
            max_turns: Some(agent.max_turns).filter(|most| *most > 0),
            next: Some(agent.next.clone()).filter(|next| !next.is_empty()),
        }),
        Wire::HangUp(hang_up) => Step::HangUp { text: text(hang_up.text.as_ref()) },
    };
    Ok(Node { id: node.id.clone(), step })
}

fn text(text: Option<&FlowText>) -> Text {
    let parts = text.into_iter().flat_map(|text| &text.parts).filter_map(|part| {
        Some(match part.part.as_ref()? {
            WirePart::Words(words) => Part::Words(words.clone()),
            WirePart::Variable(name) => Part::Variable(name.clone()),
        })
    });
    Text(parts.collect())
}

fn ask(ask: Option<&FlowAsk>) -> Ask {
    let ask = ask.cloned().unwrap_or_default();
    Ask {
        text: text(ask.text.as_ref()),
        interruptible: ask.interruptible,
        timeout: Duration::from_millis(ask.timeout_ms.into()),
        retries: ask.retries,
        no_input: retry(ask.no_input),
        no_match: retry(ask.no_match),
    }
}

fn retry(retry: Option<FlowRetry>) -> Retry {
    let retry = retry.unwrap_or_default();
    Retry { text: text(retry.text.as_ref()), next: retry.next }
}

fn option(option: &FlowOption) -> MenuOption {
    MenuOption { key: option.key.chars().next(), phrases: option.phrases.clone(), next: option.next.clone() }
}

fn branch(node: &str, branch: &FlowBranch) -> Result<Branch, FlowError> {
    let when =
        Expression::parse(&branch.when).map_err(|error| FlowError::Expression { node: node.to_owned(), error })?;
    Ok(Branch { when, next: branch.next.clone() })
}

fn kind(listen: &FlowListen) -> Option<AnswerKind> {
    let length = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    let (min, max) = (length(listen.min_length), length(listen.max_length));
    Some(match listen.kind() {
        Kind::Text => AnswerKind::Text { min, max },
        Kind::Digits => AnswerKind::Digits { min, max },
        Kind::YesNo => AnswerKind::YesNo { yes: listen.yes_phrases.clone(), no: listen.no_phrases.clone() },
        Kind::Unspecified => return None,
    })
}

#[cfg(test)]
mod tests {
    use voxplane_control::v1::{Flow as WireFlow, FlowCondition, FlowHangUp};

    use super::*;

    fn config(nodes: Vec<(&str, Option<Wire>)>) -> CallConfig {
        let nodes = nodes.into_iter().map(|(id, step)| FlowNode { id: id.into(), step }).collect();
        CallConfig { flow: Some(WireFlow { start: "a".into(), nodes }), ..CallConfig::default() }
    }

    #[test]
    fn a_call_without_a_flow_has_none() {
        assert!(of(&CallConfig::default()).unwrap().is_none());
        assert!(of(&config(vec![("a", Some(Wire::HangUp(FlowHangUp::default())))])).unwrap().is_some());
    }

    #[test]
    fn a_flow_that_cannot_be_followed_is_refused_with_the_node() {
        let decide = |when: &str, otherwise: &str| {
            Some(Wire::Condition(FlowCondition {
                branches: vec![FlowBranch { when: when.into(), next: "a".into() }],
                otherwise: otherwise.into(),
            }))
        };
        for (nodes, words) in [
            (vec![("a", None)], "node \"a\" is of a kind"),
            (vec![("b", Some(Wire::HangUp(FlowHangUp::default())))], "no node \"a\", which the start names"),
            (vec![("a", decide("x == ", "a"))], "a condition of node \"a\" cannot be read"),
            (vec![("a", decide("x == 'y'", "z"))], "no node \"z\", which node \"a\" names"),
            (vec![("a", Some(Wire::Listen(FlowListen::default())))], "node \"a\" is of a kind"),
        ] {
            let error = of(&config(nodes)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
