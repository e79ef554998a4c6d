//! The account's numbers: <https://developers.telnyx.com/api-reference/phone-number-configurations/list-phone-numbers>.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Id, Parameters, World, bad_request, errors, not_found, page};
use crate::world::{Owned, lock};

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    let world = lock(&world);
    let filter = |name: &str| query.get(&format!("filter[{name}]"));
    let by_number = |owned: &Owned| match filter("phone_number") {
        // "Requires at least three digits. Non-numerical characters will result in no values being returned."
        Some(part) => {
            part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_digit()) && owned.number.contains(part.as_str())
        }
        None => true,
    };
    let found: Vec<Value> = world
        .owned()
        .iter()
        .filter(|owned| by_number(owned))
        .filter(|owned| filter("customer_reference").is_none_or(|wanted| owned.reference.as_ref() == Some(wanted)))
        .filter(|owned| filter("connection_id").is_none_or(|wanted| owned.route.as_ref() == Some(wanted)))
        .map(resource)
        .collect();
    page(&query, world.page_limit, &found).unwrap_or_else(|| bad_request("page is invalid"))
}

pub(super) async fn retrieve(State(world): World, Path(id): Id) -> Response {
    match lock(&world).owned_by_id(&id) {
        Some(owned) => Json(json!({ "data": resource(owned) })).into_response(),
        None => not_found(),
    }
}

#[derive(Deserialize)]
pub(super) struct Changes {
    connection_id: Option<String>,
    customer_reference: Option<String>,
}

pub(super) async fn update(
    State(world): World,
    Path(id): Id,
    changes: Result<Json<Changes>, JsonRejection>,
) -> Response {
    let Ok(Json(changes)) = changes else {
        return errors(StatusCode::BAD_REQUEST, "10023", "Invalid JSON", "The supplied JSON was invalid.");
    };
    let mut world = lock(&world);
    if changes.connection_id.as_ref().is_some_and(|id| !world.connections.contains(id)) {
        let title = "Associated resource does not exist";
        return errors(StatusCode::UNPROCESSABLE_ENTITY, "10017", title, "The connection does not exist.");
    }
    let Some(owned) = world.owned_by_id(&id) else { return not_found() };
    owned.route = changes.connection_id.or(owned.route.take());
    owned.reference = changes.customer_reference.or(owned.reference.take());
    Json(json!({ "data": resource(owned) })).into_response()
}

pub(super) async fn delete(State(world): World, Path(id): Id) -> Response {
    let mut world = lock(&world);
    let Some(owned) = world.owned_by_id(&id).cloned() else { return not_found() };
    world.release(&id);
    Json(json!({ "data": resource(&owned) })).into_response()
}

fn resource(owned: &Owned) -> Value {
    json!({
        "id": owned.id,
        "record_type": "phone_number",
        "phone_number": owned.number,
        "status": "active",
        "phone_number_type": "local",
        "customer_reference": owned.reference,
        "connection_id": owned.route,
        "deletion_lock_enabled": false,
        "tags": [],
    })
}
