//! References and contact details shared by the kinds.

use crate::schema::OBJECT_NAME;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Names another Voxplane resource in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the resource, in this object's namespace.
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub name: String,
}

impl LocalRef {
    /// A reference to the object called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Names a Secret in the same namespace. It must be of type `voxplane.dev/credentials` and carry the label
/// `voxplane.dev/provider` with the name of the provider that will read it: other Secrets are refused, so that a
/// reference cannot be used to read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalSecretRef {
    /// Name of the Secret, in this object's namespace.
    #[schemars(length(min = 1, max = 63), pattern(OBJECT_NAME))]
    pub name: String,
}

impl LocalSecretRef {
    /// A reference to the Secret called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Whom to reach about this resource. For people only; nothing is sent by the platform itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// Name of a person or a team. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub name: Option<String>,
    /// E-mail address. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), pattern(r"^[^@\s]+@[^@\s]+$"))]
    pub email: Option<String>,
    /// Telephone number in E.164 form (`+15550100`). Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), pattern(crate::schema::E164))]
    pub phone: Option<String>,
}
