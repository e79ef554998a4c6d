//! Telnyx's API as far as numbers go: <https://developers.telnyx.com/docs/numbers/phone-numbers/number-orders>.

mod available;
mod numbers;
mod orders;
mod voice;

use std::collections::HashMap;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::world::Shared;

/// The account's API key.
pub const API_KEY: &str = "KEY0000000000000000000000000000001_simulated";
/// The account's SIP connection.
pub const CONNECTION: &str = "1000000000000000001";

pub(crate) fn router(world: Shared) -> Router {
    Router::new()
        .route("/v2/available_phone_numbers", get(available::list))
        .route("/v2/number_orders", get(orders::list).post(orders::create))
        .route("/v2/number_orders/{id}", get(orders::retrieve))
        .route("/v2/phone_numbers", get(numbers::list))
        .route("/v2/phone_numbers/{id}", patch(numbers::update).delete(numbers::delete).get(numbers::retrieve))
        .route("/v2/phone_numbers/{id}/voice", get(voice::retrieve).patch(voice::update))
        .fallback(nowhere)
        .layer(middleware::from_fn(authenticate))
        .with_state(world)
}

/// <https://developers.telnyx.com/development/api-fundamentals/authentication>
async fn authenticate(request: Request, next: Next) -> Response {
    let key =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if key == Some(API_KEY) {
        next.run(request).await
    } else {
        let detail = "The required authentication headers were either invalid or not included in the request.";
        errors(StatusCode::UNAUTHORIZED, "10009", "Authentication failed", detail)
    }
}

/// An error: <https://developers.telnyx.com/development/api-fundamentals/api-errors>.
fn errors(status: StatusCode, code: &str, title: &str, detail: &str) -> Response {
    let meta = json!({ "url": format!("https://developers.telnyx.com/docs/overview/errors/{code}") });
    let body = json!({ "errors": [{ "code": code, "title": title, "detail": detail, "meta": meta }] });
    (status, Json(body)).into_response()
}

async fn nowhere() -> Response {
    not_found()
}

fn not_found() -> Response {
    let detail = "The requested resource or URL could not be found.";
    errors(StatusCode::NOT_FOUND, "10005", "Resource not found", detail)
}

fn bad_request(detail: &str) -> Response {
    errors(StatusCode::BAD_REQUEST, "10015", "Bad Request", detail)
}

/// The error of a fault.
pub(crate) fn fault(status: u16) -> Response {
    let (code, title) = match status {
        429 => ("10011", "Too many requests"),
        408 => ("10008", "Request timeout"),
        _ => ("10007", "Unexpected error"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    errors(status, code, title, "Simulated.")
}

type Parameters = HashMap<String, String>;
type World = State<Shared>;
type Id = Path<String>;

/// A page of a list; `None`: the parameters are no page.
fn page(query: &Parameters, limit: Option<usize>, found: &[Value]) -> Option<Response> {
    let number = |name: &str, default: usize| {
        query.get(name).map_or(Some(default), |text| text.parse().ok()).filter(|number| *number > 0)
    };
    let (page_number, page_size) = (number("page[number]", 1)?, number("page[size]", 20)?);
    if page_size > 250 {
        return None;
    }
    let page_size = page_size.min(limit.unwrap_or(250));
    let shown: Vec<&Value> = found.iter().skip((page_number - 1) * page_size).take(page_size).collect();
    let meta = json!({
        "total_pages": found.len().div_ceil(page_size),
        "total_results": found.len(),
        "page_number": page_number,
        "page_size": page_size,
    });
    Some(Json(json!({ "data": shown, "meta": meta })).into_response())
}
