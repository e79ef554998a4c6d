//! One line of the tree.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;

use crate::health::{Finding, Health};
use crate::world::Kind;

/// An object in the tree.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// How it does.
    pub health: Health,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// Worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// What belongs to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
    #[serde(skip)]
    follows: bool,
}

/// Something that somebody has to do something about.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Kind of the object.
    pub kind: &'static str,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What is wrong, in a word.
    pub reason: String,
    /// What is wrong, in a sentence about this object.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// What comes first is a cause of what comes later.
    #[serde(skip)]
    pub rank: u8,
}

impl Node {
    /// A resource.
    #[must_use]
    pub fn of(kind: Kind, object: &DynamicObject, finding: Finding) -> Self {
        Self::bare(kind, object.namespace(), &object.name_any(), finding)
    }

    /// An object of which no more is known.
    #[must_use]
    pub fn bare(kind: Kind, namespace: Option<String>, name: &str, finding: Finding) -> Self {
        Self {
            kind: kind.as_str(),
            namespace,
            name: name.to_owned(),
            health: finding.health,
            reason: finding.reason,
            message: finding.message,
            remedy: finding.remedy,
            follows: finding.follows,
            facts: vec![],
            children: vec![],
        }
    }

    /// A pool: as well as the best of its pods, because one pod is enough to take calls. It is never broken itself: its
    /// pods or its agents are.
    #[must_use]
    pub fn pool(namespace: &str, name: &str, pods: &[Node]) -> Self {
        let ready = pods.iter().any(|pod| pod.health == Health::Ready);
        Self {
            kind: "Pool",
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
            health: if ready { Health::Ready } else { Health::Waiting },
            reason: if ready { "Ready" } else { "NoPodReady" }.to_owned(),
            message: String::new(),
            remedy: String::new(),
            facts: vec![],
            children: vec![],
            follows: false,
        }
    }

    /// Itself and everything below it.
    #[must_use]
    pub fn walk(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Self::walk));
        all
    }

    /// What somebody has to do about it.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        (self.health == Health::Broken).then(|| Problem {
            kind: self.kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            reason: self.reason.clone(),
            message: self.message.clone(),
            remedy: self.remedy.clone(),
            rank: self.rank(),
        })
    }

    /// Owners before what they own; pods before the agents that wait for them; followers last.
    fn rank(&self) -> u8 {
        let place = match self.kind {
            "Agency" => 0,
            "Tenant" => 1,
            "KnowledgeBase" => 2,
            "Pod" => 3,
            "VoiceAgent" => 4,
            _ => 5,
        };
        if self.follows { place + 10 } else { place }
    }
}

impl Problem {
    /// Kind, namespace and name.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}
