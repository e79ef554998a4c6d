//! Wire types of the REST API.

mod branding;
mod call;
mod resource;
mod spec;

pub use branding::BrandingView;
pub use call::{CallView, EventView, TranscriptView};
pub use resource::{Kind, ResourceView};
pub use spec::{AgencySpec, KnowledgeBaseSpec, PhoneNumberSpec, TenantSpec, VoiceAgentSpec, insert_schemas};
