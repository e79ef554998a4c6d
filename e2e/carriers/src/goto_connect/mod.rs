//! GoTo Connect's API as far as numbers go: tokens (<https://developer.goto.com/guides/Authentication/05_HOW_refreshToken>)
//! and Voice Admin (<https://developer.goto.com/GoToConnect>). What is not published is as docs/carriers.md says.

mod numbers;
mod orders;
mod tokens;

use std::collections::HashMap;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub use tokens::Tokens;

use crate::world::{Shared, lock};

/// The account.
pub const ACCOUNT_KEY: &str = "4266846632996939781";
/// The OAuth client.
pub const CLIENT_ID: &str = "11111111-2222-4333-8444-555555555555";
/// Its secret.
pub const CLIENT_SECRET: &str = "simulated-client-secret";
/// The refresh token that the account's administrator got first.
pub const REFRESH_TOKEN: &str = "simulated-refresh-token-0";
/// A line of the account.
pub const LINE: &str = "744244a8-d866-45cf-9c6f-8585b1e7e064";

pub(crate) fn router(world: Shared) -> Router {
    let admin = Router::new()
        .route("/accounts/{key}", get(account))
        .route("/lines", get(lines))
        .route("/lines/{id}", get(line))
        .route("/phone-numbers", get(numbers::list))
        .route("/phone-numbers/available", get(numbers::available))
        .route("/phone-numbers/{id}", get(numbers::retrieve).patch(numbers::update))
        .route("/phone-number-orders", get(orders::list).post(orders::create))
        .route("/phone-number-orders/{id}", get(orders::retrieve))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(world.clone(), authenticate));
    Router::new()
        .route("/oauth/token", post(tokens::grant))
        .nest("/voice-admin/v1", admin)
        .fallback(nowhere)
        .with_state(world)
}

async fn authenticate(State(world): World, request: Request, next: Next) -> Response {
    let token =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let refused = lock(&world).tokens.judge(token);
    match refused {
        Some((status, code, message)) => problem(status, code, message),
        None => next.run(request).await,
    }
}

/// An error, as every GoTo API has it.
fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errorCode": code, "reference": "00000000-0000-4000-8000-000000000000", "message": message });
    (status, Json(body)).into_response()
}

async fn nowhere() -> Response {
    not_found()
}

fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "The resource was not found.")
}

fn bad_request(code: &str, message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, code, message)
}

/// The error of a fault.
pub(crate) fn fault(status: u16) -> Response {
    let code = match status {
        401 => "AUTHN_MALFORMED_TOKEN",
        403 => "AUTHZ_INSUFFICIENT_SCOPE",
        404 => "NOT_FOUND",
        429 => "TOO_MANY_REQUESTS",
        400..=499 => "BAD_REQUEST",
        _ => "UNKNOWN_ERROR",
    };
    problem(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, "Simulated.")
}

type Parameters = HashMap<String, String>;
type World = State<Shared>;
type Id = Path<String>;

/// Whether the account key is there and right; else the error.
fn wrong_account(key: Option<&str>) -> Option<Response> {
    let message = "The account key is invalid.";
    (key != Some(ACCOUNT_KEY)).then(|| bad_request("INVALID_ACCOUNT_KEY", message))
}

/// A page of a list. The marker is opaque to clients.
fn page(query: &Parameters, limit: Option<usize>, found: &[Value]) -> Response {
    let size = query.get("pageSize").and_then(|size| size.parse().ok()).unwrap_or(50).clamp(1, 100);
    let size = limit.unwrap_or(100).min(size);
    let start = match query.get("pageMarker").map(|marker| marker.strip_prefix("page-").and_then(|at| at.parse().ok()))
    {
        None => 0,
        Some(Some(at)) => at,
        Some(None) => return bad_request("BAD_REQUEST", "The page marker is invalid."),
    };
    let shown: Vec<&Value> = found.iter().skip(start).take(size).collect();
    let mut body = json!({ "items": shown });
    if start + size < found.len() {
        body["nextPageMarker"] = format!("page-{}", start + size).into();
    }
    Json(body).into_response()
}

async fn account(Path(key): Id) -> Response {
    wrong_account(Some(&key)).unwrap_or_else(|| Json(json!({ "key": key, "name": "Simulated Agency" })).into_response())
}

fn line_resource(index: usize, id: &str) -> Value {
    json!({ "id": id, "accountKey": ACCOUNT_KEY, "number": (1001 + index).to_string(), "name": "Voice agents" })
}

async fn lines(State(world): World, Query(query): Query<Parameters>) -> Response {
    if let Some(refused) = wrong_account(query.get("accountKey").map(String::as_str)) {
        return refused;
    }
    let world = lock(&world);
    let found: Vec<Value> = world.connections.iter().enumerate().map(|(index, id)| line_resource(index, id)).collect();
    page(&query, world.page_limit, &found)
}

async fn line(State(world): World, Path(id): Id) -> Response {
    match lock(&world).connections.iter().position(|line| *line == id) {
        Some(index) => Json(line_resource(index, &id)).into_response(),
        None => not_found(),
    }
}
