//! Who may work with an agency or a tenant in Kubernetes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// `namespace` is a reserved word of CEL, which rules write as `__namespace__`.
/// Somebody who may work with the resources, as the API server knows them, and what they may do.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.kind == 'ServiceAccount') == (has(self.__namespace__) && self.__namespace__ != '')")
        .message("`namespace` is that of a ServiceAccount: give it for that kind, and for no other"),
    validation = Rule::new("self.kind == 'ServiceAccount' || !self.name.startsWith('system:')")
        .message("names that begin with `system:` belong to Kubernetes, for example everybody who is logged in: name people or groups of your identity provider, or a ServiceAccount by its `kind`"),
    validation = Rule::new("self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("a ServiceAccount's name consists of lower-case letters, digits, dashes and dots"),
    validation = Rule::new("!has(self.__namespace__) || !self.__namespace__.startsWith('vx-')")
        .message("accounts in namespaces of agencies and tenants are those of runtime pods: name one of another namespace")
)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Its name, as the API server knows it: of a user or group what the identity provider says.
    #[schemars(length(min = 1, max = 253), pattern(r"^\S(.*\S)?$"))]
    pub name: String,
    /// Namespace of a ServiceAccount. Omitted: it is none.
    // Part of the list's key, so it is always written.
    #[serde(default)]
    #[schemars(length(max = 63), pattern("^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"))]
    pub namespace: String,
    /// What they may do. `Viewer`: look. `Editor`: change, too, but neither make nor delete what costs money (a
    /// tenant's numbers, an agency's tenants). `Admin`: everything but what needs the right `set-limits`.
    pub role: MemberRole,
}

/// What a member is.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MemberKind {
    /// A person.
    User,
    /// Everybody whom the identity provider counts to it.
    Group,
    /// A program in the cluster.
    ServiceAccount,
}

/// What a member may do.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MemberRole {
    /// Everything but what needs the right `set-limits`.
    Admin,
    /// Change what is there.
    Editor,
    /// Look.
    Viewer,
}

impl MemberRole {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Editor, Self::Viewer];
}
