//! Specs on the wire. They have the same shape as in the custom resources, so that a YAML file and a request body
//! teach each other; their OpenAPI schemas are taken from the CRDs and cannot drift.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! specs {
    ($($(#[$doc:meta])* $name:ident of $kind:path;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub Value);

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new().into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*

        /// Replaces the placeholders of the specs in an OpenAPI document by the schemas of the CRDs.
        pub fn insert_schemas(document: &mut Value) {
            let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
                return;
            };
            $(schemas.insert(stringify!($name).to_owned(), spec_schema(&<$kind>::crd()));)*
        }
    };
}

specs! {
    /// What an agency should be.
    AgencySpec of voxplane_crds::Agency;
    /// What a tenant should be.
    TenantSpec of voxplane_crds::Tenant;
    /// What a voice agent should be.
    VoiceAgentSpec of voxplane_crds::VoiceAgent;
    /// What a phone number should be.
    PhoneNumberSpec of voxplane_crds::PhoneNumber;
    /// What a knowledge base should be.
    KnowledgeBaseSpec of voxplane_crds::KnowledgeBase;
}

fn spec_schema(crd: &CustomResourceDefinition) -> Value {
    let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
    let spec = schema.and_then(|schema| schema.properties.as_ref()?.get("spec"));
    let mut value = spec.and_then(|spec| serde_json::to_value(spec).ok()).unwrap_or_else(|| json!({"type": "object"}));
    clean(&mut value);
    value
}

/// Drops Kubernetes' extensions, and turns `nullable` (OpenAPI 3.0) into a type union (3.1).
fn clean(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !key.starts_with("x-kubernetes-"));
            if object.remove("nullable") == Some(Value::Bool(true))
                && let Some(Value::String(kind)) = object.get("type").cloned()
            {
                object.insert("type".to_owned(), json!([kind, "null"]));
            }
            object.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

/// An object without content, for specs that are absent.
pub fn empty() -> Value {
    Value::Object(Map::new())
}
