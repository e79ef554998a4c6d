//! One shape for the five kinds.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use voxplane_crds::conditions::{find, types};
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::status::CommonStatus;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};
use voxplane_store::resources::ResourceKind;

use super::spec;
use crate::auth::Permission;
use crate::cluster::{Directory, id_of};

/// A resource, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceView<S> {
    /// Stable id; survives deletion and re-creation under the same name.
    pub id: Uuid,
    /// Name, unique within the tenant (tenants: within the agency).
    pub name: String,
    /// The agency it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency_id: Option<Uuid>,
    /// The tenant it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Uuid>,
    /// What it should be.
    pub spec: S,
    /// Whether it is.
    pub ready: ReadyView,
    /// What the platform observed, in detail.
    pub conditions: Vec<ConditionView>,
    /// When it was created.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// Changes with every change; the ETag, to be sent back in `If-Match`.
    pub version: String,
}

/// Whether the resource can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadyView {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionView {
    /// What is observed, for example `Programmed`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// When `status` last changed.
    #[schema(value_type = String, format = DateTime)]
    pub last_transition_at: Timestamp,
}

/// What the REST API needs to know about a kind.
pub trait Kind: Resource<DynamicType = ()> + Clone + Send + Sync + 'static {
    /// The spec on the wire.
    type Spec: From<Value> + Serialize;
    /// Permission to read it.
    const VIEW: Permission;
    /// The kind in the database.
    const STORED: ResourceKind;

    /// Its reflector.
    fn store(directory: &Directory) -> &kube::runtime::reflector::Store<Self>;
    /// Its spec, as JSON.
    fn spec_json(&self) -> Value;
    /// Its id, once registered.
    fn id(&self) -> Option<Uuid>;
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
    /// Agency and tenant it belongs to; `None` while one of them is not registered.
    fn owner(&self, directory: &Directory) -> Option<(Uuid, Option<Uuid>)>;
}

macro_rules! kinds {
    ($($kind:ident, $spec:ident, $store:ident, $permission:ident, $owner:expr;)*) => {
        $(
            impl From<Value> for spec::$spec {
                fn from(value: Value) -> Self {
                    Self(value)
                }
            }

            impl Kind for $kind {
                type Spec = spec::$spec;
                const VIEW: Permission = Permission::$permission;
                const STORED: ResourceKind = ResourceKind::$kind;

                fn store(directory: &Directory) -> &kube::runtime::reflector::Store<Self> {
                    &directory.$store
                }
                fn spec_json(&self) -> Value {
                    serde_json::to_value(&self.spec).unwrap_or_else(|_| spec::empty())
                }
                fn id(&self) -> Option<Uuid> {
                    id_of(self.status.as_ref())
                }
                fn conditions(&self) -> &[Condition] {
                    self.status.as_ref().map(CommonStatus::conditions).unwrap_or_default()
                }
                fn owner(&self, directory: &Directory) -> Option<(Uuid, Option<Uuid>)> {
                    let owner: fn(&Self, &Directory) -> Option<(Uuid, Option<Uuid>)> = $owner;
                    owner(self, directory)
                }
            }
        )*
    };
}

kinds! {
    Agency, AgencySpec, agencies, AgenciesView, |agency, _| Some((agency.id()?, None));
    Tenant, TenantSpec, tenants, TenantsView, |tenant, directory| {
        let Some(NamespaceOwner::Agency(agency)) = names::owner_of_namespace(&tenant.namespace()?) else {
            return None;
        };
        Some((directory.agency(&agency)?.id()?, Some(tenant.id()?)))
    };
    VoiceAgent, VoiceAgentSpec, agents, VoiceAgentsView, |agent, directory| tenant_of(agent.namespace(), directory);
    PhoneNumber, PhoneNumberSpec, numbers, PhoneNumbersView, |number, directory| tenant_of(number.namespace(), directory);
    KnowledgeBase, KnowledgeBaseSpec, bases, KnowledgeView, |base, directory| tenant_of(base.namespace(), directory);
}

fn tenant_of(namespace: Option<String>, directory: &Directory) -> Option<(Uuid, Option<Uuid>)> {
    let (agency, tenant) = directory.owners(&namespace?)?;
    Some((agency.id()?, Some(tenant.id()?)))
}

impl<S: From<Value>> ResourceView<S> {
    /// Shows an object under the id it is known by.
    pub fn of<K: Kind<Spec = S>>(object: &K, id: Uuid, agency: Uuid, tenant: Option<Uuid>) -> Self {
        Self {
            id,
            name: object.name_any(),
            agency_id: (agency != id).then_some(agency),
            tenant_id: tenant.filter(|tenant| *tenant != id),
            spec: S::from(object.spec_json()),
            ready: ready(object.conditions()),
            conditions: object.conditions().iter().map(ConditionView::from).collect(),
            created_at: object.creation_timestamp().map(|time| time.0),
            version: object.resource_version().unwrap_or_default(),
        }
    }
}

fn ready(conditions: &[Condition]) -> ReadyView {
    match find(conditions, types::READY) {
        Some(ready) => {
            ReadyView { status: ready.status.clone(), reason: ready.reason.clone(), message: ready.message.clone() }
        }
        None => ReadyView {
            status: "Unknown".to_owned(),
            reason: "Pending".to_owned(),
            message: "not looked at yet".to_owned(),
        },
    }
}

impl From<&Condition> for ConditionView {
    fn from(condition: &Condition) -> Self {
        Self {
            type_: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            last_transition_at: condition.last_transition_time.0,
        }
    }
}
