//! A conversation in steps: what is said, asked and decided, in which order.
//!
//! The list of nodes is flat and each names its successors, so that two managers of the object can own different nodes.
//! What the schema cannot see (that successors exist, that the caller is asked before the flow turns in a circle) is
//! checked in [`crate::flow`].

use crate::defaults::defaults;
use crate::schema::{NOT_RESERVED, VARIABLE};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Id of a node.
const NODE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A conversation in steps.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Id of the node that the call begins with, after the tenant's disclosure and consent message.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub start: String,
    /// The steps. Their order means nothing: each names the ones that follow.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub nodes: Vec<Node>,
}

/// One step of a flow.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.greet), has(self.say), has(self.listen), has(self.menu), has(self.condition), has(self.set), has(self.agent), has(self.hangup)].filter(given, given).size() == 1")
        .message("a node is exactly one of `greet`, `say`, `listen`, `menu`, `condition`, `set`, `agent` and `hangup`: give one of them")
)]
pub struct Node {
    /// Name of the node, as `next` of others and the ledger say it.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub id: String,
    /// Says the first words. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greet: Option<Greet>,
    /// Says something. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<Say>,
    /// Asks, and keeps the answer in a variable. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<Listen>,
    /// Lets the caller choose by key or by voice. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub menu: Option<Menu>,
    /// Goes on by what the variables hold. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Gives variables other values. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Set>,
    /// Hands the conversation to the language model. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Talk>,
    /// Takes leave and ends the call. Omitted: it is another kind of node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangup: Option<Hangup>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// The first words.
    Greet(&'a Greet),
    /// Something said.
    Say(&'a Say),
    /// A question.
    Listen(&'a Listen),
    /// A choice.
    Menu(&'a Menu),
    /// A decision.
    Condition(&'a Condition),
    /// Other values.
    Set(&'a Set),
    /// The language model.
    Agent(&'a Talk),
    /// The end.
    Hangup(&'a Hangup),
}

impl Step<'_> {
    /// The field that holds it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Greet(_) => "greet",
            Self::Say(_) => "say",
            Self::Listen(_) => "listen",
            Self::Menu(_) => "menu",
            Self::Condition(_) => "condition",
            Self::Set(_) => "set",
            Self::Agent(_) => "agent",
            Self::Hangup(_) => "hangup",
        }
    }
}

impl Node {
    /// What the node is; `None` when it is nothing, which the schema does not let through.
    #[must_use]
    pub fn step(&self) -> Option<Step<'_>> {
        let Self { id: _, greet, say, listen, menu, condition, set, agent, hangup } = self;
        None.or(greet.as_ref().map(Step::Greet))
            .or(say.as_ref().map(Step::Say))
            .or(listen.as_ref().map(Step::Listen))
            .or(menu.as_ref().map(Step::Menu))
            .or(condition.as_ref().map(Step::Condition))
            .or(set.as_ref().map(Step::Set))
            .or(agent.as_ref().map(Step::Agent))
            .or(hangup.as_ref().map(Step::Hangup))
    }
}

/// The first words of the conversation.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greet {
    /// What is said. Omitted: the text of the agent's `greeting`, its own or inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1_000))]
    pub text: Option<String>,
    /// Whether the caller may interrupt it, if `bargeIn` lets them at all. Omitted: true.
    #[serde(default = "default::interruptible")]
    pub interruptible: bool,
    /// Id of the node that follows.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
}

/// Something said.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Say {
    /// What is said.
    #[schemars(length(min = 1, max = 2_000))]
    pub text: String,
    /// Whether the caller may interrupt it, if `bargeIn` lets them at all. Omitted: true.
    #[serde(default = "default::interruptible")]
    pub interruptible: bool,
    /// Id of the node that follows.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
}

/// A question whose answer is kept.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.maxLength) || self.minLength <= self.maxLength")
        .message("`minLength` is at most `maxLength`: raise `maxLength`, or lower `minLength`"),
    validation = Rule::new("self.kind != 'Digits' || (self.minLength <= 32 && (!has(self.maxLength) || self.maxLength <= 32))")
        .message("an answer of kind `Digits` has at most 32 digits: lower `minLength` or `maxLength`"),
    validation = Rule::new("self.kind == 'YesNo' || !(has(self.yesPhrases) || has(self.noPhrases))")
        .message("`yesPhrases` and `noPhrases` belong to the kind `YesNo`: remove them, or set `kind: YesNo`")
)]
pub struct Listen {
    /// The question.
    #[schemars(length(min = 1, max = 1_000))]
    pub text: String,
    /// Variable that gets the answer. A variable of the spec may be named too: the answer replaces its value.
    #[schemars(length(min = 1, max = 40), pattern(VARIABLE))]
    pub variable: String,
    /// `Text`: whatever the caller says. `Digits`: digits, typed on the keypad (`#` ends them) or spoken. `YesNo`: yes or
    /// no, spoken or as the keys 1 and 2; the variable then holds `yes` or `no`. Omitted: `Text`.
    #[serde(default)]
    pub kind: AnswerKind,
    /// The shortest answer that counts, in characters or digits. Omitted: 1.
    #[serde(default = "default::min_length")]
    #[schemars(range(min = 1, max = 200))]
    pub min_length: i32,
    /// The longest answer that counts, in characters or digits; so many digits need no `#`. Omitted: 200 characters, or 32
    /// digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub max_length: Option<i32>,
    /// What counts as yes. Omitted: `yes`, `yeah`, `yes please`, `correct` and `right`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub yes_phrases: Vec<String>,
    /// What counts as no. Omitted: `no`, `nope`, `no thank you` and `wrong`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub no_phrases: Vec<String>,
    /// Whether the caller may answer before the question is over, if `bargeIn` lets them at all. Keys may always be
    /// pressed. Omitted: true.
    #[serde(default = "default::interruptible")]
    pub interruptible: bool,
    /// Seconds of silence after the question until it counts as unanswered. Omitted: 6.
    #[serde(default = "default::timeout_seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: i32,
    /// How many times the question is repeated. Omitted: 2.
    #[serde(default = "default::retries")]
    #[schemars(range(min = 0, max = 5))]
    pub retries: i32,
    /// When nothing is said. Omitted: a neutral sentence in English before the question is repeated, at last `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_input: Option<Retry>,
    /// When the answer does not count. Omitted: a neutral sentence in English before the question is repeated, at last
    /// `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_match: Option<Retry>,
    /// Id of the node that follows an answer.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
    /// Id of the node that follows when there is no answer after all repetitions; the variable is then as it was.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub otherwise: String,
}

/// What counts as an answer.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AnswerKind {
    /// Whatever the caller says.
    #[default]
    Text,
    /// Digits.
    Digits,
    /// Yes or no.
    YesNo,
}

/// What happens when a question or a choice goes wrong.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Said before the question is repeated. Omitted: a neutral sentence in English. Empty: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub text: Option<String>,
    /// Id of the node that follows after all repetitions. Omitted: the one that `otherwise` of the node names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: Option<String>,
}

/// A choice.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Menu {
    /// What there is to choose from.
    #[schemars(length(min = 1, max = 2_000))]
    pub text: String,
    /// The choices.
    #[schemars(length(min = 1, max = 12))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub options: Vec<MenuOption>,
    /// Whether the caller may choose by voice before the text is over, if `bargeIn` lets them at all. Keys may always be
    /// pressed. Omitted: true.
    #[serde(default = "default::interruptible")]
    pub interruptible: bool,
    /// Seconds of silence after the text until nothing counts as chosen. Omitted: 6.
    #[serde(default = "default::timeout_seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: i32,
    /// How many times the text is repeated. Omitted: 2.
    #[serde(default = "default::retries")]
    #[schemars(range(min = 0, max = 5))]
    pub retries: i32,
    /// When nothing is said. Omitted: a neutral sentence in English before the text is repeated, at last `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_input: Option<Retry>,
    /// When nothing of it is chosen. Omitted: a neutral sentence in English before the text is repeated, at last
    /// `otherwise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_match: Option<Retry>,
    /// Id of the node that follows when nothing is chosen after all repetitions.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub otherwise: String,
}

/// One choice.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.key) || has(self.phrases)")
        .message("an option is chosen by a `key`, by `phrases`, or by either: give at least one of them")
)]
pub struct MenuOption {
    /// Key that chooses it: a digit, `*` or `#`. Omitted: it is chosen by voice only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1), pattern("^[0-9*#]$"))]
    pub key: Option<String>,
    /// Words that choose it, wherever they are in what the caller says. Omitted: it is chosen by its key only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 10), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub phrases: Vec<String>,
    /// Id of the node that follows.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
}

/// A decision.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Looked at in this order; the first that holds decides.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub branches: Vec<Branch>,
    /// Id of the node that follows when none holds.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub otherwise: String,
}

/// One way to go on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// A CEL expression over variables, all of which are texts: `plan == "gold"`, `int(persons) > 8`,
    /// `call.weekday in ["Saturday", "Sunday"]`.
    #[schemars(length(min = 1, max = 500))]
    pub when: String,
    /// Id of the node that follows.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
}

/// Other values.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Set {
    /// Variables and their new values.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub variables: Vec<Assignment>,
    /// Id of the node that follows.
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: String,
}

/// A variable and its new value.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(NOT_RESERVED)
        .message("this name has a meaning of its own: use another one, for example with `my_` before it")
)]
pub struct Assignment {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 40), pattern(VARIABLE))]
    pub name: String,
    /// Its new value; it may refer to variables.
    #[schemars(length(max = 1_000))]
    pub value: String,
}

/// A free conversation with the language model, until one of the ends is reached.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.next) == (has(self.phrases) || has(self.maxTurns))")
        .message("`next` is reached by `phrases` or `maxTurns`: give `next` and at least one of them, or none of the three (the conversation then lasts until the call ends)")
)]
pub struct Talk {
    /// What the language model is told beyond `persona` and `prompt`, while it has the conversation. Omitted: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4_000))]
    pub instructions: Option<String>,
    /// What the caller says to go on to `next`: a turn that is, or ends with, one of these. Omitted: nothing they say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 100)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub phrases: Vec<String>,
    /// Answers after which the flow goes on to `next`. Omitted: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_turns: Option<i32>,
    /// Id of the node that follows. Omitted: the conversation lasts until the call ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), pattern(NODE))]
    pub next: Option<String>,
}

/// The end of the call.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hangup {
    /// The last words. Omitted: the message of the agent's `goodbye`, its own or inherited. Empty: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_000))]
    pub text: Option<String>,
}

/// Built-in sentences and words, for flows that do not state them.
pub mod built_in {
    /// When nothing is said.
    pub const NO_INPUT: &str = "I did not hear anything.";
    /// When the answer does not count.
    pub const NO_MATCH: &str = "I did not understand that.";
    /// What counts as yes.
    pub const YES: &[&str] = &["yes", "yeah", "yes please", "correct", "right"];
    /// What counts as no.
    pub const NO: &[&str] = &["no", "nope", "no thank you", "wrong"];
    /// The longest text that is kept, in characters.
    pub const TEXT_LENGTH: i32 = 200;
    /// The most digits that are kept.
    pub const DIGITS: i32 = 32;
}

impl Listen {
    /// What counts as yes.
    #[must_use]
    pub fn yes(&self) -> Vec<&str> {
        stated_or(&self.yes_phrases, built_in::YES)
    }

    /// What counts as no.
    #[must_use]
    pub fn no(&self) -> Vec<&str> {
        stated_or(&self.no_phrases, built_in::NO)
    }

    /// The longest answer that counts.
    #[must_use]
    pub fn longest(&self) -> i32 {
        self.max_length.unwrap_or(match self.kind {
            AnswerKind::Digits => built_in::DIGITS,
            AnswerKind::Text | AnswerKind::YesNo => built_in::TEXT_LENGTH,
        })
    }
}

fn stated_or<'a>(stated: &'a [String], otherwise: &[&'static str]) -> Vec<&'a str> {
    if stated.is_empty() { otherwise.to_vec() } else { stated.iter().map(String::as_str).collect() }
}

defaults! {
    interruptible: bool = true;
    timeout_seconds: i32 = 6;
    retries: i32 = 2;
    min_length: i32 = 1;
}
