//! Logging in, and who one is.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use voxplane_platform::redact::Redacted;

use super::super::code::Code;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller};
use super::super::page::Single;
use super::super::router::App;
use crate::auth::{ACCESS_TOKEN_LIFE, LoginRefusal, Role};

/// A login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"email": "admin@example.com", "password": "correct horse battery staple"})))]
pub struct Login {
    /// E-mail address.
    #[schema(value_type = String, format = Email)]
    pub email: Redacted<String>,
    /// Password.
    #[schema(value_type = String, format = Password)]
    pub password: Redacted<String>,
}

/// A token and how long it is good for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Send it as `Authorization: Bearer <token>`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
}

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Stable id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// Role.
    pub role: Role,
    /// Own agency.
    pub agency_id: Option<Uuid>,
    /// Own tenant.
    pub tenant_id: Option<Uuid>,
}

/// Logs in. The first administrator's credential is in the Secret `voxplane-auth`.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Login,
    responses((status = 200, description = "A token for the next 24 hours", body = Single<Session>)),
    security(())
)]
async fn login(State(app): State<Arc<App>>, Body(login): Body<Login>) -> Result<Json<Single<Session>>, ApiError> {
    let principal = app.admin.login(login.email.expose(), login.password.expose(), Instant::now()).map_err(
        |refusal| match refusal {
            LoginRefusal::Wrong => ApiError::new(Code::AuthInvalidCredentials, "wrong e-mail address or password"),
            LoginRefusal::TooMany { retry_after } => {
                ApiError::new(Code::RateLimitMinute, "too many failed logins; wait a minute").retry_in(retry_after)
            }
        },
    )?;
    let access_token = app
        .tokens
        .issue_access(&principal, Timestamp::now())
        .map_err(|error| ApiError::new(Code::SrvInternalError, "no token could be made").caused_by(&error))?;
    let expires_in = ACCESS_TOKEN_LIFE.as_secs();
    Ok(Json(Single { data: Session { access_token, token_type: "Bearer", expires_in } }))
}

/// Says who you are.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth",
    responses((status = 200, description = "You", body = Single<Me>)),
    security(("bearer" = []))
)]
async fn me(caller: Caller) -> Json<Single<Me>> {
    let principal = caller.0;
    Json(Single {
        data: Me {
            id: principal.subject.clone(),
            email: principal.email.clone(),
            role: principal.role,
            agency_id: principal.agency,
            tenant_id: principal.tenant,
        },
    })
}

/// All routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(me))
}
