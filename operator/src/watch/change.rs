//! What changed.

use std::fmt;

use kube::{Resource, ResourceExt as _};

use super::Extent;

/// Names an object of a known kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its namespace; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// A cluster-scoped object.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { namespace: None, name: name.into() }
    }

    /// An object in a namespace.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), name: name.into() }
    }

    /// The key of an object.
    pub fn of(object: &impl Resource) -> Self {
        Self { namespace: object.namespace(), name: object.name_any() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Something that controllers may have to look at again. Every controller decides which of its objects it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An Agency appeared, changed or went.
    Agency {
        /// Its name.
        name: String,
        /// How much of it.
        extent: Extent,
    },
    /// A Tenant appeared, changed or went.
    Tenant(ObjectKey, Extent),
    /// A VoiceAgent appeared, changed or went.
    VoiceAgent(ObjectKey, Extent),
    /// A PhoneNumber appeared, changed or went.
    PhoneNumber {
        /// The object.
        key: ObjectKey,
        /// How much of it.
        extent: Extent,
        /// The number it claims, so that others who claim it are looked at again.
        number: Option<String>,
    },
    /// A KnowledgeBase appeared, changed or went.
    KnowledgeBase(ObjectKey, Extent),
    /// One of our namespaces appeared, changed or went.
    Namespace {
        /// Its name.
        name: String,
    },
    /// A pool's Deployment or its pods changed, or pods reported something new.
    Pool {
        /// The tenant's namespace.
        namespace: String,
        /// Name of the pool's Deployment; none: it may be any pool there.
        deployment: Option<String>,
    },
    /// What is programmed in LiveKit for an agency changed.
    Trunks {
        /// Name of the agency.
        agency: String,
    },
    /// The certificate authority of the control port changed.
    ControlCa,
    /// The database came back or went away.
    Database,
}
