//! The five Voxplane resource types, their names, labels and condition vocabulary.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`agency`], [`tenant`], [`voice_agent`], [`phone_number`], [`knowledge_base`] | one resource kind each |
//! | [`agent_defaults`], [`effective`] | settings that agents inherit, and what they come to |
//! | [`template`], [`variables`], [`texts`] | what agents say, with values put in |
//! | [`flow`] | whether a conversation in steps can be followed |
//! | [`hours`] | whether a tenant is open at a time |
//! | [`duty`] | which entry of a number's schedule counts at a time |
//! | [`members`] | who may work with an agency or a tenant |
//! | [`profile`] | who an agency or a tenant is as a business, and how it looks |
//! | [`refs`] | references and contact details shared by the kinds |
//! | [`status`] | what every status has, whatever its kind |
//! | [`conditions`] | condition types and reasons, and how a condition list is updated |
//! | [`names`] | every name derived from a resource: namespaces, pools, objects outside the cluster |
//! | [`labels`] | labels, annotations, the finalizer, field managers |
//! | [`schema`] | schema parts that the derive cannot write |
//! | [`watching`] | how long to wait after a failed watch |
//!
//! The crate has no client and does no I/O. The doc comments of the types are the text of `kubectl explain`.

mod defaults;

pub mod agency;
pub mod agent_defaults;
pub mod conditions;
pub mod duty;
pub mod effective;
pub mod flow;
pub mod hours;
pub mod knowledge_base;
pub mod labels;
pub mod members;
pub mod names;
pub mod phone_number;
pub mod profile;
pub mod refs;
pub mod schema;
pub mod status;
pub mod template;
pub mod tenant;
pub mod texts;
pub mod variables;
pub mod voice_agent;
pub mod watching;

pub use agency::{Agency, AgencySpec, AgencyStatus};
pub use agent_defaults::AgentDefaults;
pub use effective::{Effective, Origin, effective};
pub use knowledge_base::{KnowledgeBase, KnowledgeBaseSpec, KnowledgeBaseStatus};
pub use phone_number::{PhoneNumber, PhoneNumberSpec, PhoneNumberStatus};
pub use tenant::{Tenant, TenantSpec, TenantStatus};
pub use voice_agent::{VoiceAgent, VoiceAgentSpec, VoiceAgentStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// API group of all kinds.
pub const GROUP: &str = "voxplane.dev";
/// The version every kind is served and stored in.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all five kinds, in the order in which a reader meets them, as they are installed.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    [Agency::crd(), Tenant::crd(), VoiceAgent::crd(), PhoneNumber::crd(), KnowledgeBase::crd()]
        .into_iter()
        .map(schema::with_flowing_text)
        .collect()
}
