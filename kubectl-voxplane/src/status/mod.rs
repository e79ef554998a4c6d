//! The tree of everything, and what is broken in it. Pure.

mod node;
mod text;

pub use node::{Node, Problem};
pub use text::{render, tone, tree};

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;
use voxplane_crds::labels;
use voxplane_crds::names::agency_namespace;

use crate::explain;
use crate::health::{self, Finding, Health, is_busy};
use crate::world::{self, Kind, World, number, pool_of_agent, pool_of_pod, text as text_of, within};

/// The answer of `status`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What is broken, causes before what follows from them.
    pub broken: Vec<Problem>,
    /// Everything, from the top.
    pub agencies: Vec<Node>,
    /// Objects in namespaces that belong to nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Node>,
    /// Kinds that may not be read, so that nothing is said about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<&'static str>,
}

impl Report {
    /// Everything about what was read.
    #[must_use]
    pub fn of(world: &World, now: Timestamp) -> Self {
        let agencies: Vec<Node> = world.agency_names().iter().map(|name| agency(world, name, now)).collect();
        let strays: Vec<Node> =
            world.strays().map(|(kind, object)| Node::of(kind, object, health::of_resource(object, now))).collect();
        let mut broken: Vec<Problem> =
            agencies.iter().chain(&strays).flat_map(Node::walk).filter_map(Node::problem).collect();
        // A stable sort: within each, from the top of the tree down.
        broken.sort_by_key(|problem| problem.rank);
        Self { broken, agencies, strays, hidden: world.hidden.iter().map(|kind| kind.as_str()).collect() }
    }

    /// Whether somebody has to do something.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }
}

fn agency(world: &World, name: &str, now: Timestamp) -> Node {
    let tenants = world.tenant_names(name);
    let mut node = match world.agency(name) {
        Some(agency) => Node::of(Kind::Agency, agency, health::of_resource(agency, now)),
        None => Node::bare(Kind::Agency, None, name, absent(world, Kind::Agency, "the agency")),
    };
    node.facts.push(count(tenants.len(), "tenant"));
    if let Some(agency) = world.agency(name) {
        node.facts.extend(given(agency, "/spec/company/name", ""));
        node.facts.extend(given(agency, "/spec/billing/plan", "plan "));
        for carrier in agency.data.pointer("/status/carriers").and_then(Value::as_array).into_iter().flatten() {
            let (name, message) = (carrier["name"].as_str().unwrap_or("?"), carrier["message"].as_str());
            let numbers = usize::try_from(carrier["numbers"].as_i64().unwrap_or_default()).unwrap_or_default();
            node.facts.push(match message {
                Some(_) => format!("carrier {name} has a problem"),
                None => format!("carrier {name}: {}", count(numbers, "number")),
            });
        }
    }
    node.children = tenants.iter().map(|tenant_name| tenant(world, name, tenant_name, now)).collect();
    node
}

/// What somebody wrote about an agency or a tenant, if they did.
fn given(object: &DynamicObject, pointer: &str, before: &str) -> Option<String> {
    let text = text_of(object, pointer);
    (!text.is_empty()).then(|| format!("{before}{text}"))
}

fn tenant(world: &World, agency: &str, name: &str, now: Timestamp) -> Node {
    let namespace = world::home(agency, name);
    let mut node = match world.tenant(agency, name) {
        Some(tenant) => Node::of(Kind::Tenant, tenant, health::of_resource(tenant, now)),
        None => {
            let finding = absent(world, Kind::Tenant, "the tenant");
            Node::bare(Kind::Tenant, Some(agency_namespace(agency)), name, finding)
        }
    };
    node.facts.extend(world.tenant(agency, name).and_then(|tenant| given(tenant, "/spec/businessType", "")));
    let agents = within(&world.agents, &namespace);
    let pools = pools(world, &namespace, &agents, now);
    node.children.extend(within(&world.bases, &namespace).into_iter().map(|base| knowledge_base(base, now)));
    node.children.extend(agents.into_iter().map(|agent| voice_agent(agent, world, now)));
    node.children.extend(within(&world.numbers, &namespace).into_iter().map(|found| phone_number(found, now)));
    node.children.extend(pools);
    node
}

/// Why an object that must exist was not read.
fn absent(world: &World, kind: Kind, what: &str) -> Finding {
    if world.hidden.contains(&kind) {
        return Finding::hidden();
    }
    let remedy = "Create it again, or delete what is left below it.";
    Finding::missing(format!("{what} does not exist, but things in its namespaces do"), remedy)
}

fn knowledge_base(base: &DynamicObject, now: Timestamp) -> Node {
    let mut node = Node::of(Kind::KnowledgeBase, base, health::of_resource(base, now));
    let of = |pointer| usize::try_from(number(base, pointer).unwrap_or_default()).unwrap_or_default();
    node.facts.push(count(of("/status/documents"), "document"));
    node.facts.push(count(of("/status/chunks"), "passage"));
    node
}

fn voice_agent(agent: &DynamicObject, world: &World, now: Timestamp) -> Node {
    let mut node = Node::of(Kind::VoiceAgent, agent, health::of_resource(agent, now));
    node.facts.extend(explain::providers(agent, world));
    node
}

fn phone_number(found: &DynamicObject, now: Timestamp) -> Node {
    let mut node = Node::of(Kind::PhoneNumber, found, health::of_resource(found, now));
    let number = Some(text_of(found, "/spec/number")).filter(|number| !number.is_empty());
    let number = number.unwrap_or_else(|| text_of(found, "/status/number"));
    node.facts.push(format!(
        "{} → {}",
        if number.is_empty() { "no number yet" } else { number },
        answers(found).unwrap_or_else(|| "nobody".to_owned())
    ));
    let schedule = found.data.pointer("/spec/schedule").and_then(Value::as_array);
    node.facts.extend(schedule.into_iter().flatten().filter_map(|entry| {
        Some(format!("{} → {} at times", entry["name"].as_str()?, entry["agentRef"]["name"].as_str()?))
    }));
    node
}

/// Who answers a number: one agent, or several.
fn answers(found: &DynamicObject) -> Option<String> {
    let name = text_of(found, "/spec/agentRef/name");
    if !name.is_empty() {
        return Some(name.to_owned());
    }
    let squad = found.data.pointer("/spec/squad")?;
    let names: Vec<_> = squad["agents"].as_array()?.iter().filter_map(|member| member["name"].as_str()).collect();
    Some(format!("{} of {}", squad["routing"].as_str().unwrap_or("RoundRobin"), names.join(", ")))
}

/// A tenant's pools, by name. Usually all its agents share one.
fn pools(world: &World, namespace: &str, agents: &[&DynamicObject], now: Timestamp) -> Vec<Node> {
    let mut pods: Vec<&Pod> = world
        .pods
        .iter()
        .filter(|pod| pod.metadata.namespace.as_deref() == Some(namespace))
        .filter(|pod| pod.labels().get(labels::COMPONENT).is_some_and(|value| value == labels::COMPONENT_RUNTIME))
        .collect();
    pods.sort_by_key(|pod| pod.name_any());
    let names: BTreeSet<String> =
        agents.iter().map(|agent| pool_of_agent(agent)).chain(pods.iter().map(|pod| pool_of_pod(pod))).collect();
    let pool = |name: &String| {
        let pods: Vec<&Pod> = pods.iter().copied().filter(|pod| pool_of_pod(pod) == *name).collect();
        let of = agents.iter().filter(|agent| pool_of_agent(agent) == *name);
        let slots = of.filter_map(|agent| agent.data.pointer("/status/slots")).next();
        pool(world, namespace, name, &pods, slots, now)
    };
    names.iter().map(pool).collect()
}

/// One pool. What its connected pods report stands in the status of each of its agents.
fn pool(world: &World, namespace: &str, name: &str, pods: &[&Pod], slots: Option<&Value>, now: Timestamp) -> Node {
    let children: Vec<Node> = pods.iter().map(|pod| runtime_pod(pod, namespace, now)).collect();
    let ready = children.iter().filter(|pod| pod.health == Health::Ready).count();
    let mut node = Node::pool(namespace, name, &children);
    if world.hidden.contains(&Kind::Pod) {
        node.health = Health::Hidden;
        "Hidden".clone_into(&mut node.reason);
    } else {
        node.facts.push(format!("{ready} of {} pods ready", children.len()));
    }
    node.facts.push(slots.map_or_else(
        || "slots not reported".to_owned(),
        |slots| {
            let of = |name: &str| slots[name].as_i64().unwrap_or_default();
            format!("{} of {} slots busy", of("busy"), of("ready"))
        },
    ));
    node.children = children;
    node
}

fn runtime_pod(pod: &Pod, namespace: &str, now: Timestamp) -> Node {
    let mut node = Node::bare(Kind::Pod, Some(namespace.to_owned()), &pod.name_any(), health::of_pod(pod, now));
    let place = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    node.facts.push(place.map_or_else(|| "on no node".to_owned(), |place| format!("on {place}")));
    node.facts.push(if is_busy(pod) { "carries calls" } else { "idle" }.to_owned());
    node
}

/// `1 pod`, `2 pods`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
