//! The flow as it was configured.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use thiserror::Error;

use super::expression::Expression;

/// Longest text that is spoken at once, in characters: about four minutes.
const MAX_TEXT: usize = 4_000;

/// Words and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Part>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words as they are.
    Words(String),
    /// What the variable of this name holds.
    Variable(String),
}

impl Text {
    /// Words without variables.
    pub fn words(text: impl Into<String>) -> Self {
        Self(vec![Part::Words(text.into())])
    }

    /// The text with values put in as they are; a variable without a value is nothing.
    pub(crate) fn fill(&self, values: &BTreeMap<String, String>) -> String {
        let mut whole = String::new();
        for part in &self.0 {
            whole.push_str(match part {
                Part::Words(words) => words,
                Part::Variable(name) => values.get(name).map_or("", String::as_str),
            });
        }
        if let Some((end, _)) = whole.char_indices().nth(MAX_TEXT) {
            whole.truncate(end);
        }
        whole
    }
}

/// A step of a conversation.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// What it does.
    pub step: Step,
}

/// What a node does.
#[derive(Debug)]
pub enum Step {
    /// Says something.
    Say(Say),
    /// Asks, and keeps the answer.
    Listen(Listen),
    /// Lets the caller choose.
    Menu(Menu),
    /// Goes on by what the variables hold.
    Condition {
        /// Looked at in this order.
        branches: Vec<Branch>,
        /// The node that follows when none holds.
        otherwise: String,
    },
    /// Gives variables other values, in this order.
    Set {
        /// Names and values.
        values: Vec<(String, Text)>,
        /// The node that follows.
        next: String,
    },
    /// The language model has the conversation.
    Agent(Talk),
    /// Takes leave and ends the call.
    HangUp {
        /// The last words; empty: none.
        text: Text,
    },
}

/// Something said.
#[derive(Debug)]
pub struct Say {
    /// What.
    pub text: Text,
    /// Whether the caller may interrupt it.
    pub interruptible: bool,
    /// Whether it is the greeting.
    pub greeting: bool,
    /// The node that follows.
    pub next: String,
}

/// How a question is asked.
#[derive(Debug)]
pub struct Ask {
    /// The question.
    pub text: Text,
    /// Whether the caller may speak before it is over.
    pub interruptible: bool,
    /// Silence after it that counts as no answer.
    pub timeout: Duration,
    /// How many times it is repeated.
    pub retries: u32,
    /// When nothing is said.
    pub no_input: Retry,
    /// When what is said does not count.
    pub no_match: Retry,
}

/// What happens when a question goes wrong.
#[derive(Debug)]
pub struct Retry {
    /// Said before the question is repeated.
    pub text: Text,
    /// The node that follows after all repetitions.
    pub next: String,
}

/// A question whose answer is kept.
#[derive(Debug)]
pub struct Listen {
    /// How it is asked.
    pub ask: Ask,
    /// The variable that gets the answer.
    pub variable: String,
    /// What counts as an answer.
    pub kind: AnswerKind,
    /// The node that follows an answer.
    pub next: String,
}

/// What counts as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerKind {
    /// Anything of so many characters.
    Text {
        /// The shortest.
        min: usize,
        /// The longest.
        max: usize,
    },
    /// So many digits.
    Digits {
        /// The fewest.
        min: usize,
        /// The most; then no `#` is waited for.
        max: usize,
    },
    /// Yes or no.
    YesNo {
        /// What means yes.
        yes: Vec<String>,
        /// What means no.
        no: Vec<String>,
    },
}

/// A choice.
#[derive(Debug)]
pub struct Menu {
    /// How it is offered.
    pub ask: Ask,
    /// What there is to choose from.
    pub options: Vec<MenuOption>,
}

/// One choice.
#[derive(Debug)]
pub struct MenuOption {
    /// The key that chooses it.
    pub key: Option<char>,
    /// Words that choose it.
    pub phrases: Vec<String>,
    /// The node that follows.
    pub next: String,
}

/// One way to go on.
#[derive(Debug)]
pub struct Branch {
    /// When it is taken.
    pub when: Expression,
    /// The node that follows.
    pub next: String,
}

/// The language model's part.
#[derive(Debug)]
pub struct Talk {
    /// What it is told beyond the prompt; empty: nothing.
    pub instructions: Text,
    /// What the caller says to go on.
    pub phrases: Vec<String>,
    /// Answers after which the flow goes on.
    pub max_turns: Option<u32>,
    /// The node that follows; `None`: the conversation lasts until the call ends.
    pub next: Option<String>,
}

impl Step {
    /// The word in the ledger.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Say(Say { greeting: true, .. }) => "greet",
            Self::Say(_) => "say",
            Self::Listen(_) => "listen",
            Self::Menu(_) => "menu",
            Self::Condition { .. } => "condition",
            Self::Set { .. } => "set",
            Self::Agent(_) => "agent",
            Self::HangUp { .. } => "hangup",
        }
    }

    /// How it asks, if it does.
    pub(crate) fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Listen(listen) => Some(&listen.ask),
            Self::Menu(menu) => Some(&menu.ask),
            _ => None,
        }
    }

    fn successors(&self) -> Vec<&str> {
        match self {
            Self::Say(say) => vec![&say.next],
            Self::Listen(Listen { ask, next, .. }) => vec![next, &ask.no_input.next, &ask.no_match.next],
            Self::Menu(Menu { ask, options }) => {
                let chosen = options.iter().map(|option| option.next.as_str());
                chosen.chain([ask.no_input.next.as_str(), ask.no_match.next.as_str()]).collect()
            }
            Self::Condition { branches, otherwise } => {
                branches.iter().map(|branch| branch.next.as_str()).chain([otherwise.as_str()]).collect()
            }
            Self::Set { next, .. } => vec![next],
            Self::Agent(talk) => talk.next.as_deref().into_iter().collect(),
            Self::HangUp { .. } => Vec::new(),
        }
    }
}

/// A flow that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowError {
    /// A node that is named does not exist.
    #[error("there is no node {to:?}, which {from} names")]
    Missing {
        /// Who names it.
        from: String,
        /// Its id.
        to: String,
    },
    /// A condition that is no expression.
    #[error("a condition of node {node:?} cannot be read: {error}")]
    Expression {
        /// The node.
        node: String,
        /// Why.
        error: String,
    },
}

/// A conversation in steps.
#[derive(Debug)]
pub struct Flow {
    start: String,
    nodes: HashMap<String, Node>,
    values: BTreeMap<String, String>,
}

impl Flow {
    /// A flow with the values of its variables at the start of the call.
    ///
    /// # Errors
    /// When a node is named that does not exist.
    pub fn new(start: String, nodes: Vec<Node>, values: BTreeMap<String, String>) -> Result<Self, FlowError> {
        let nodes: HashMap<String, Node> = nodes.into_iter().map(|node| (node.id.clone(), node)).collect();
        let missing = |from: String, to: &str| FlowError::Missing { from, to: to.to_owned() };
        if !nodes.contains_key(&start) {
            return Err(missing("the start".into(), &start));
        }
        for node in nodes.values() {
            if let Some(to) = node.step.successors().into_iter().find(|to| !nodes.contains_key(*to)) {
                return Err(missing(format!("node {:?}", node.id), to));
            }
        }
        Ok(Self { start, nodes, values })
    }

    pub(crate) fn start(&self) -> &str {
        &self.start
    }

    pub(crate) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// How many nodes there are: no way without a question is longer.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }
}
