//! The configuration that an agent's calls use, and where each value comes from. Pure.

mod effective;
mod fields;
mod flow;
mod inherited;
mod text;

pub use effective::Fact;
pub use fields::{Field, Source};
pub use text::render;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;
use voxplane_crds::{Origin, VoiceAgentSpec};

use self::inherited::{Inherited, Levels};
use crate::health;
use crate::status::Node;
use crate::world::{Kind, World, text as text_of, within};

/// The providers of an agent, its own or inherited. `None` where its owners cannot be read and may say otherwise.
#[must_use]
pub fn providers(agent: &DynamicObject, world: &World) -> Option<String> {
    let mut unread = vec![];
    let levels = Levels::of(&agent.namespace().unwrap_or_default(), world, &mut unread);
    let spec = serde_json::from_value::<VoiceAgentSpec>(agent.data["spec"].clone()).ok()?;
    let settings = levels.settle(&spec);
    let (stt, llm, tts) = (settings.stt, settings.llm, settings.tts);
    let known = unread.is_empty() || [stt.origin, llm.origin, tts.origin] == [Origin::Agent; 3];
    known.then(|| [stt.value.provider.as_str(), llm.value.provider.as_str(), tts.value.provider.as_str()].join(" + "))
}

/// The answer of `explain`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The agent, without what belongs to it.
    pub agent: Node,
    /// Numbers that lead to it.
    pub numbers: Vec<Node>,
    /// What it answers from, as the spec names them.
    pub knowledge_bases: Vec<Node>,
    /// What follows from several fields or several objects together.
    pub effective: Vec<Fact>,
    /// Every field of the agent's spec.
    pub fields: Vec<Field>,
    /// What this plugin could not understand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Explanation {
    /// Explains an agent of a tenant that was read.
    #[must_use]
    pub fn of(agent: &DynamicObject, world: &World, now: Timestamp) -> Self {
        let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
        let spec = &agent.data["spec"];
        let mut notes = vec![];
        let typed = serde_json::from_value::<VoiceAgentSpec>(spec.clone());
        if let Err(error) = &typed {
            notes.push(format!(
                "This plugin is older than the cluster's definitions, so some of what follows from the fields is not \
                 shown ({error})."
            ));
        }
        let numbers: Vec<_> =
            within(&world.numbers, &namespace).into_iter().filter(|number| leads_to(number, &name)).collect();
        let levels = Levels::of(&namespace, world, &mut notes);
        let settings = typed.as_ref().ok().map(|typed| levels.settle(typed));
        let effective = effective::of(agent, settings.as_ref(), &numbers, world, now);
        let inherited = Inherited::of(settings.as_ref());
        notes.extend(inherited.shadows(agent, &levels));
        Self {
            agent: Node::of(Kind::VoiceAgent, agent, health::of_resource(agent, now)),
            numbers: numbers.iter().map(|number| number_node(number, now)).collect(),
            knowledge_bases: knowledge(spec, &namespace, world, now),
            effective,
            fields: fields::of(agent, &inherited),
            notes,
        }
    }
}

/// Whether a number names the agent: alone, in a squad, or at given times.
fn leads_to(number: &DynamicObject, agent: &str) -> bool {
    let list = |pointer| number.data.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    text_of(number, "/spec/agentRef/name") == agent
        || list("/spec/squad/agents").any(|member| member["name"] == agent)
        || list("/spec/schedule").any(|entry| entry["agentRef"]["name"] == agent)
}

fn number_node(number: &DynamicObject, now: Timestamp) -> Node {
    let mut node = Node::of(Kind::PhoneNumber, number, health::of_resource(number, now));
    node.facts.extend(
        ["/spec/number", "/status/number"]
            .map(|pointer| text_of(number, pointer))
            .iter()
            .find_map(|number| (!number.is_empty()).then(|| (*number).to_owned())),
    );
    node
}

fn knowledge(spec: &Value, namespace: &str, world: &World, now: Timestamp) -> Vec<Node> {
    let named = spec["knowledgeBases"].as_array().into_iter().flatten().filter_map(|base| base["name"].as_str());
    let found = within(&world.bases, namespace);
    named
        .map(|name| match found.iter().find(|base| base.name_any() == name) {
            Some(base) => {
                let mut node = Node::of(Kind::KnowledgeBase, base, health::of_resource(base, now));
                let passages = crate::world::number(base, "/status/chunks").unwrap_or_default();
                node.facts.push(format!("{passages} passages"));
                node
            }
            None => {
                let finding = health::Finding::missing(
                    "there is no KnowledgeBase of this name in the namespace",
                    "Create it, or take its name out of spec.knowledgeBases.",
                );
                Node::bare(Kind::KnowledgeBase, Some(namespace.to_owned()), name, finding)
            }
        })
        .collect()
}
