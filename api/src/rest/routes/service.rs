//! Health, and the document that describes this API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::router::App;

/// Whether this replica serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// `healthy` or `degraded`. What is wrong is said on the admin port only.
    pub status: &'static str,
}

/// Says whether the API serves requests.
#[utoipa::path(
    get, path = "/health", tag = "service",
    responses(
        (status = 200, description = "It serves", body = HealthView),
        (status = 503, description = "It does not", body = HealthView)
    ),
    security(())
)]
async fn health(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.health.is_ready() {
        (StatusCode::OK, Json(HealthView { status: "healthy" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(HealthView { status: "degraded" }))
    }
}

/// This API as an OpenAPI document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "The document", body = Object)),
    security(())
)]
async fn openapi_json() -> Json<serde_json::Value> {
    Json(super::super::document::openapi())
}

/// All routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(openapi_json))
}
