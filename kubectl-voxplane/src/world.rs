//! What was read from the cluster, as plain data. Nothing here talks to anybody.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;
use voxplane_crds::conditions;
use voxplane_crds::names::{NamespaceOwner, POOL_DEPLOYMENT, owner_of_namespace, tenant_namespace};

/// Kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Agency.
    Agency,
    /// Tenant.
    Tenant,
    /// KnowledgeBase.
    KnowledgeBase,
    /// VoiceAgent.
    VoiceAgent,
    /// PhoneNumber.
    PhoneNumber,
    /// Runtime pods.
    Pod,
}

impl Kind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agency => "Agency",
            Self::Tenant => "Tenant",
            Self::KnowledgeBase => "KnowledgeBase",
            Self::VoiceAgent => "VoiceAgent",
            Self::PhoneNumber => "PhoneNumber",
            Self::Pod => "Pod",
        }
    }
}

/// How much to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// One agency and all that is below it.
    Agency(String),
    /// One tenant, and its agency as far as that may be read.
    Tenant {
        /// Name of the agency.
        agency: String,
        /// Name of the tenant.
        tenant: String,
    },
}

impl Scope {
    /// The scope that a namespace stands for; `None` if it is none of ours.
    #[must_use]
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        Some(match owner_of_namespace(namespace)? {
            NamespaceOwner::Agency(agency) => Self::Agency(agency),
            NamespaceOwner::Tenant { agency, tenant } => Self::Tenant { agency, tenant },
        })
    }

    /// Whether an agency is in it.
    #[must_use]
    pub fn has_agency(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Agency(agency) | Self::Tenant { agency, .. } => agency == name,
        }
    }

    /// Whether a tenant is in it.
    #[must_use]
    pub fn has_tenant(&self, of_agency: &str, name: &str) -> bool {
        match self {
            Self::Tenant { tenant, .. } => self.has_agency(of_agency) && tenant == name,
            _ => self.has_agency(of_agency),
        }
    }
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Agencies.
    pub agencies: Vec<DynamicObject>,
    /// Tenants.
    pub tenants: Vec<DynamicObject>,
    /// VoiceAgents.
    pub agents: Vec<DynamicObject>,
    /// PhoneNumbers.
    pub numbers: Vec<DynamicObject>,
    /// KnowledgeBases.
    pub bases: Vec<DynamicObject>,
    /// Runtime pods.
    pub pods: Vec<Pod>,
    /// Kinds that may not be read.
    pub hidden: BTreeSet<Kind>,
}

impl World {
    /// The agency of a name.
    #[must_use]
    pub fn agency(&self, name: &str) -> Option<&DynamicObject> {
        self.agencies.iter().find(|agency| agency.name_any() == name)
    }

    /// The tenant of an agency.
    #[must_use]
    pub fn tenant(&self, agency: &str, name: &str) -> Option<&DynamicObject> {
        let namespace = voxplane_crds::names::agency_namespace(agency);
        self.tenants.iter().find(|tenant| tenant.name_any() == name && lies_in(tenant, &namespace))
    }

    /// Agency and tenant that a tenant namespace belongs to, as far as they were read.
    #[must_use]
    pub fn owners(&self, namespace: &str) -> (Option<&DynamicObject>, Option<&DynamicObject>) {
        match owner_of_namespace(namespace) {
            Some(NamespaceOwner::Tenant { agency, tenant }) => (self.agency(&agency), self.tenant(&agency, &tenant)),
            _ => (None, None),
        }
    }

    /// Names of agencies, also of those that are known only by what belongs to them, in order.
    #[must_use]
    pub fn agency_names(&self) -> BTreeSet<String> {
        let own = self.agencies.iter().map(kube::ResourceExt::name_any);
        let below = self.namespaces().filter_map(|namespace| match owner_of_namespace(&namespace)? {
            NamespaceOwner::Agency(agency) | NamespaceOwner::Tenant { agency, .. } => Some(agency),
        });
        own.chain(below).collect()
    }

    /// Names of an agency's tenants, also of those that are known only by what belongs to them, in order.
    #[must_use]
    pub fn tenant_names(&self, of_agency: &str) -> BTreeSet<String> {
        let namespace = voxplane_crds::names::agency_namespace(of_agency);
        let own = self.tenants.iter().filter(|tenant| lies_in(tenant, &namespace)).map(kube::ResourceExt::name_any);
        let below = self.namespaces().filter_map(|namespace| match owner_of_namespace(&namespace)? {
            NamespaceOwner::Tenant { agency, tenant } if agency == of_agency => Some(tenant),
            _ => None,
        });
        own.chain(below).collect()
    }

    /// Objects that lie in no namespace that could be one of ours.
    pub fn strays(&self) -> impl Iterator<Item = (Kind, &DynamicObject)> {
        let all = [
            (Kind::Tenant, &self.tenants),
            (Kind::KnowledgeBase, &self.bases),
            (Kind::VoiceAgent, &self.agents),
            (Kind::PhoneNumber, &self.numbers),
        ];
        all.into_iter().flat_map(|(kind, objects)| objects.iter().map(move |object| (kind, object))).filter(
            |(kind, object)| {
                let owner = owner_of_namespace(&object.namespace().unwrap_or_default());
                !matches!(
                    (kind, owner),
                    (Kind::Tenant, Some(NamespaceOwner::Agency(_)))
                        | (
                            Kind::KnowledgeBase | Kind::VoiceAgent | Kind::PhoneNumber,
                            Some(NamespaceOwner::Tenant { .. })
                        )
                )
            },
        )
    }

    fn namespaces(&self) -> impl Iterator<Item = String> {
        let objects = self.agents.iter().chain(&self.numbers).chain(&self.bases).chain(&self.tenants);
        objects.filter_map(kube::ResourceExt::namespace)
    }

    /// Keeps what is in the scope.
    pub fn narrow(&mut self, scope: &Scope) {
        let of_tenant = |namespace: Option<String>| match owner_of_namespace(&namespace.unwrap_or_default()) {
            Some(NamespaceOwner::Tenant { agency, tenant }) => scope.has_tenant(&agency, &tenant),
            _ => *scope == Scope::All,
        };
        let tenants_of = |tenant: &DynamicObject| match owner_of_namespace(&tenant.namespace().unwrap_or_default()) {
            Some(NamespaceOwner::Agency(agency)) => scope.has_tenant(&agency, &tenant.name_any()),
            _ => *scope == Scope::All,
        };
        self.agencies.retain(|agency| scope.has_agency(&agency.name_any()));
        self.tenants.retain(tenants_of);
        for objects in [&mut self.agents, &mut self.numbers, &mut self.bases] {
            objects.retain(|object| of_tenant(object.namespace()));
        }
        self.pods.retain(|pod| of_tenant(pod.namespace()));
    }
}

/// Whether an object lies in a namespace.
#[must_use]
pub fn lies_in(object: &DynamicObject, namespace: &str) -> bool {
    object.metadata.namespace.as_deref() == Some(namespace)
}

/// The objects of a namespace, by name.
pub fn within<'a>(objects: &'a [DynamicObject], namespace: &str) -> Vec<&'a DynamicObject> {
    let mut found: Vec<_> = objects.iter().filter(|object| lies_in(object, namespace)).collect();
    found.sort_by_key(|object| object.name_any());
    found
}

/// Label with the name of the Deployment of a pod's pool; pods of a tenant's shared pool may lack it.
const POOL: &str = "voxplane.dev/pool";

/// Name of the pool that a pod belongs to.
#[must_use]
pub fn pool_of_pod(pod: &Pod) -> String {
    pod.labels().get(POOL).cloned().unwrap_or_else(|| POOL_DEPLOYMENT.to_owned())
}

/// Name of the pool that carries an agent's calls; the tenant's shared one until the operator says otherwise.
#[must_use]
pub fn pool_of_agent(agent: &DynamicObject) -> String {
    let pool = text(agent, "/status/pool");
    pool.split_once('/').map_or(POOL_DEPLOYMENT, |(_, deployment)| deployment).to_owned()
}

/// The namespace of a tenant's things.
#[must_use]
pub fn home(agency: &str, tenant: &str) -> String {
    tenant_namespace(agency, tenant)
}

/// A text in an object, by JSON pointer; empty if it is not there.
#[must_use]
pub fn text<'a>(object: &'a DynamicObject, pointer: &str) -> &'a str {
    object.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number in an object, by JSON pointer.
#[must_use]
pub fn number(object: &DynamicObject, pointer: &str) -> Option<i64> {
    object.data.pointer(pointer).and_then(Value::as_i64)
}

/// Whether something is true in an object, by JSON pointer.
#[must_use]
pub fn is_set(object: &DynamicObject, pointer: &str) -> bool {
    object.data.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// A condition of an object.
#[must_use]
pub fn condition(object: &DynamicObject, type_: &str) -> Option<Condition> {
    let all = object.data.pointer("/status/conditions")?.as_array()?;
    // One that cannot be read must not hide the others.
    let readable: Vec<Condition> =
        all.iter().filter_map(|condition| serde_json::from_value(condition.clone()).ok()).collect();
    conditions::find(&readable, type_).cloned()
}
