//! Ids as types, so that a tenant's id cannot be passed where a call's is expected.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; ids sort by the time they were made (uuidv7).
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default id would be a different one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// An Agency (`status.id`).
    AgencyId
}
id! {
    /// A Tenant (`status.id`).
    TenantId
}
id! {
    /// A VoiceAgent (`status.id`).
    AgentId
}
id! {
    /// A KnowledgeBase (`status.id`).
    KnowledgeBaseId
}
id! {
    /// A call.
    CallId
}
id! {
    /// One stream between a runtime pod and the API.
    SessionId
}
id! {
    /// A command; chosen by who asks, so that asking twice is asking once.
    CommandId
}
