//! Every name derived from a resource. Nowhere else is a namespace or a pool's name put together.

use crate::voice_agent::Placement;
use std::fmt;

/// The namespace the platform itself runs in by default.
pub const SYSTEM_NAMESPACE: &str = "voxplane-system";
/// Prefix of every namespace the operator makes.
pub const NAMESPACE_PREFIX: &str = "vx-";
/// Stands between agency and tenant in a namespace's name. Neither name may contain it.
pub const NAMESPACE_SEPARATOR: &str = "--";

/// Longest name of an agency.
pub const MAX_AGENCY: usize = 20;
/// Longest name of a tenant.
pub const MAX_TENANT: usize = 30;
/// Longest name of any other kind.
pub const MAX_OTHER: usize = 40;

/// Deployment of a tenant's pooled runtime pods. Names of dedicated pools begin with it, too.
pub const POOL_DEPLOYMENT: &str = "voxplane-runtime";
/// Names of Deployments whose pods have an image that is tried begin with it and end with the agent's.
pub const CANARY_DEPLOYMENT: &str = "voxplane-canary";
/// ServiceAccount of pooled runtime pods. Every pool's account is called like its Deployment.
pub const POOL_SERVICE_ACCOUNT: &str = "voxplane-runtime";
/// Secret with all provider keys of the pooled runtime pods.
pub const POOL_CREDENTIALS: &str = "voxplane-runtime-credentials";
/// Key of a pool's Secret that holds the hash of all others; pods report it.
pub const CREDENTIALS_HASH_KEY: &str = "_hash";
/// Disruption budget that protects pods with calls, of all pools of a tenant.
pub const POOL_DISRUPTION_BUDGET: &str = "voxplane-runtime-busy";
/// ConfigMap in every tenant namespace with the certificate authority of the API's control port (key `ca.crt`).
pub const CONTROL_CA_CONFIG_MAP: &str = "voxplane-control-ca";
/// Secret in the system namespace with the API's control certificate (`ca.crt`, `tls.crt`, `tls.key`).
pub const CONTROL_TLS_SECRET: &str = "voxplane-control-tls";
/// Service of the API in the system namespace.
pub const API_SERVICE: &str = "voxplane-api";
/// ServiceAccount of the operator in the system namespace.
pub const OPERATOR_SERVICE_ACCOUNT: &str = "voxplane-operator";

/// ClusterRole bound in tenant namespaces for people who manage agents, numbers and knowledge.
pub const TENANT_ADMIN_ROLE: &str = "voxplane-tenant-admin";
/// ClusterRole bound in tenant namespaces for people who look.
pub const TENANT_VIEW_ROLE: &str = "voxplane-tenant-view";
/// ClusterRole that the operator binds to itself in the namespaces it makes.
pub const RUNTIME_MANAGER_ROLE: &str = "voxplane-runtime-manager";

/// The namespace of an agency's tenants.
#[must_use]
pub fn agency_namespace(agency: &str) -> String {
    format!("{NAMESPACE_PREFIX}{agency}")
}

/// The namespace of a tenant's agents, numbers and knowledge.
#[must_use]
pub fn tenant_namespace(agency: &str, tenant: &str) -> String {
    format!("{NAMESPACE_PREFIX}{agency}{NAMESPACE_SEPARATOR}{tenant}")
}

/// The name under which a pool's pods find the key of a Secret. Names of Secrets that can be referenced hold no
/// underscore, so that no Secret of a tenant's can pass for one of its agency's.
#[must_use]
pub fn credential(secret: &str, is_the_agencys: bool) -> String {
    if is_the_agencys { format!("agency_{secret}") } else { secret.to_owned() }
}

/// Whose namespace it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamespaceOwner {
    /// An agency's, where its tenants live.
    Agency(String),
    /// A tenant's.
    Tenant {
        /// Name of the agency.
        agency: String,
        /// Name of the tenant.
        tenant: String,
    },
}

/// Whose namespace `namespace` is by its name, if it can be one of ours. The name alone proves nothing: the namespace
/// must also carry our labels.
#[must_use]
pub fn owner_of_namespace(namespace: &str) -> Option<NamespaceOwner> {
    let rest = namespace.strip_prefix(NAMESPACE_PREFIX)?;
    match rest.split_once(NAMESPACE_SEPARATOR) {
        None => is_agency_name(rest).then(|| NamespaceOwner::Agency(rest.to_owned())),
        Some((agency, tenant)) => (is_agency_name(agency) && is_tenant_name(tenant))
            .then(|| NamespaceOwner::Tenant { agency: agency.to_owned(), tenant: tenant.to_owned() }),
    }
}

/// Whether an agency may be called this.
#[must_use]
pub fn is_agency_name(name: &str) -> bool {
    is_part(name, MAX_AGENCY)
}

/// Whether a tenant may be called this.
#[must_use]
pub fn is_tenant_name(name: &str) -> bool {
    is_part(name, MAX_TENANT)
}

fn is_part(name: &str, longest: usize) -> bool {
    !name.is_empty()
        && name.len() <= longest
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains(NAMESPACE_SEPARATOR)
}

/// Whether an agent, number or knowledge base may be called this.
fn is_object_name(name: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= MAX_OTHER
        && edge(name.bytes().next())
        && edge(name.bytes().last())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// A pool of runtime pods, as the control protocol and the database name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId {
    namespace: String,
    deployment: String,
}

impl PoolId {
    /// The pool that all agents of a tenant share.
    #[must_use]
    pub fn pooled(agency: &str, tenant: &str) -> Self {
        Self::pooled_in(tenant_namespace(agency, tenant))
    }

    /// The shared pool in a tenant namespace.
    pub fn pooled_in(namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), deployment: POOL_DEPLOYMENT.to_owned() }
    }

    /// The pool of one agent alone, in a tenant namespace.
    pub fn dedicated_in(namespace: impl Into<String>, agent: &str) -> Self {
        Self { namespace: namespace.into(), deployment: format!("{POOL_DEPLOYMENT}-{agent}") }
    }

    /// The pods with the image that an agent tries beside its dedicated pool: a pool of its own.
    pub fn canary_in(namespace: impl Into<String>, agent: &str) -> Self {
        Self { namespace: namespace.into(), deployment: format!("{CANARY_DEPLOYMENT}-{agent}") }
    }

    /// The pool that an agent asks for.
    pub fn asked_for(namespace: impl Into<String>, agent: &str, placement: Placement) -> Self {
        match placement {
            Placement::Pooled => Self::pooled_in(namespace),
            Placement::Dedicated => Self::dedicated_in(namespace, agent),
        }
    }

    /// The pool whose pods run as the ServiceAccount `username` (`system:serviceaccount:<namespace>:<name>`), if it is
    /// one of ours. Nobody but the operator makes ServiceAccounts in a tenant namespace.
    #[must_use]
    pub fn of_service_account(username: &str) -> Option<Self> {
        let (namespace, name) = username.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        Self::of_parts(namespace, name)
    }

    /// The pool that is written `<namespace>/<deployment>`, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, deployment) = text.split_once('/')?;
        Self::of_parts(namespace, deployment)
    }

    fn of_parts(namespace: &str, deployment: &str) -> Option<Self> {
        let tenant = matches!(owner_of_namespace(namespace), Some(NamespaceOwner::Tenant { .. }));
        let of_agent = |prefix: &str| {
            let agent = deployment.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
            agent.is_some_and(is_object_name)
        };
        let ours = deployment == POOL_DEPLOYMENT || of_agent(POOL_DEPLOYMENT) || of_agent(CANARY_DEPLOYMENT);
        (tenant && ours).then(|| Self { namespace: namespace.to_owned(), deployment: deployment.to_owned() })
    }

    /// Name of the pool's Deployment, and of the ServiceAccount of its pods.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Name of the Secret with the pool's provider keys.
    #[must_use]
    pub fn credentials(&self) -> String {
        format!("{}-credentials", self.deployment)
    }

    /// Whether all agents of the tenant share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.deployment == POOL_DEPLOYMENT
    }

    /// Whether its pods have an image that is tried.
    #[must_use]
    pub fn is_canary(&self) -> bool {
        self.deployment.strip_prefix(CANARY_DEPLOYMENT).is_some_and(|rest| rest.starts_with('-'))
    }

    /// The namespace of the pods.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.deployment)
    }
}

/// A name for an object outside the cluster: readable, at most `longest` bytes, and different for different inputs
/// even where the readable part had to be cut. `longest` must leave room for 9 bytes.
///
/// The suffix is FNV-1a (64 bit, folded to 32): stable across versions of Rust and of this crate, which the standard
/// library's hashers do not promise. It separates names; it protects nothing.
#[must_use]
pub fn bounded(parts: &[&str], longest: usize) -> String {
    let readable = parts.join("-");
    let hash = parts.iter().fold(FNV_OFFSET, |hash, part| {
        // 0xff occurs in no UTF-8 text, so ("a", "b") and ("ab") differ.
        part.bytes().chain([0xff]).fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
    });
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    let room = longest.saturating_sub(9);
    let cut = (0..=room.min(readable.len())).rev().find(|end| readable.is_char_boundary(*end)).unwrap_or(0);
    format!("{}-{folded:08x}", readable[..cut].trim_end_matches('-'))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests;
