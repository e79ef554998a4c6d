//! Twilio's API as far as numbers go: <https://www.twilio.com/docs/phone-numbers/api>.

mod incoming;
mod local;
mod pattern;

use std::collections::HashMap;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::world::Shared;

/// The account.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// Its password.
pub const AUTH_TOKEN: &str = "simulated-auth-token";
/// An API key of the account.
pub const API_KEY: &str = "SK00000000000000000000000000000001";
/// Its secret.
pub const API_SECRET: &str = "simulated-api-secret";
/// The account's trunk.
pub const TRUNK: &str = "TK00000000000000000000000000000001";

pub(crate) fn router(world: Shared) -> Router {
    let account = Router::new()
        .route("/AvailablePhoneNumbers/{country}/Local.json", get(local::list))
        .route("/IncomingPhoneNumbers.json", get(incoming::list).post(incoming::create))
        .route(
            "/IncomingPhoneNumbers/{resource}",
            get(incoming::fetch).post(incoming::update).delete(incoming::delete),
        );
    Router::new()
        .nest("/2010-04-01/Accounts/{account}", account)
        .fallback(nowhere)
        .layer(middleware::from_fn(authenticate))
        .with_state(world)
}

/// User and password: the account's, or an API key's. <https://www.twilio.com/docs/usage/requests-to-twilio>.
async fn authenticate(request: Request, next: Next) -> Response {
    match credentials(request.headers()) {
        Some([user, password]) if user == ACCOUNT && password == AUTH_TOKEN => {}
        Some([user, password]) if user == API_KEY && password == API_SECRET => {}
        _ => return exception(StatusCode::UNAUTHORIZED, 20003, "Authenticate"),
    }
    let path = request.uri().path().to_owned();
    let account = path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.split('/').next());
    if account == Some(ACCOUNT) { next.run(request).await } else { not_found(&path) }
}

fn credentials(headers: &HeaderMap) -> Option<[String; 2]> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some([user.to_owned(), password.to_owned()])
}

/// An error: <https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions>.
fn exception(status: StatusCode, code: u32, message: &str) -> Response {
    let body = json!({
        "code": code,
        "message": message,
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status.as_u16(),
    });
    (status, Json(body)).into_response()
}

async fn nowhere(request: Request) -> Response {
    not_found(request.uri().path())
}

fn not_found(path: &str) -> Response {
    exception(StatusCode::NOT_FOUND, 20404, &format!("The requested resource {path} was not found"))
}

fn invalid(message: &str) -> Response {
    exception(StatusCode::BAD_REQUEST, 20001, message)
}

/// The error of a fault.
pub(crate) fn fault(status: u16) -> Response {
    let (code, message) = match status {
        429 => (20429, "Too Many Requests"),
        500 => (20500, "Internal Server Error"),
        503 => (20503, "Service is unavailable, please try again"),
        other => (20000 + u32::from(other), "Simulated"),
    };
    exception(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, message)
}

type Parameters = HashMap<String, String>;
type World = State<Shared>;
type Segments = Path<HashMap<String, String>>;

/// `PN….json` without its ending.
fn sid(segments: &HashMap<String, String>) -> &str {
    let resource = segments.get("resource").map_or("", String::as_str);
    resource.strip_suffix(".json").unwrap_or_default()
}
