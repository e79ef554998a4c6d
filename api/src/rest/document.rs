//! The OpenAPI document. Made from the routes themselves, so that it cannot describe others.

mod errors;

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::error::ErrorBody;
use super::router::routes;
use super::views::insert_schemas;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Voxplane",
        description = "Voice agents, phone numbers and calls. Resources are the same ones that `kubectl` shows; \
                       calls and their transcripts are here only.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "auth", description = "Logging in, and who one is."),
        (name = "agencies", description = "Resellers of the platform; changed as custom resources."),
        (name = "tenants", description = "Customers of an agency; changed as custom resources."),
        (name = "voice agents", description = "Who answers the calls, and how."),
        (name = "phone numbers", description = "Which number leads to which agent; changed as custom resources."),
        (name = "knowledge bases", description = "What agents know; changed as custom resources."),
        (name = "calls", description = "What happened, what was said, and hanging up."),
        (name = "service", description = "The API itself.")
    ),
    components(schemas(ErrorBody)),
    modifiers(&Bearer)
)]
pub struct Base;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Made once: everybody may ask for it, and it never changes.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let (_, document) = routes().split_for_parts();
    let mut value = serde_json::to_value(document).unwrap_or_default();
    insert_schemas(&mut value);
    errors::insert_errors(&mut value);
    value
});

/// The document, as JSON.
pub fn openapi() -> Value {
    DOCUMENT.clone()
}
