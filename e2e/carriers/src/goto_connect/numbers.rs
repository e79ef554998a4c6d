//! The account's numbers (<https://developer.goto.com/guides/GoToConnect/13_HOW_useVoiceAdminApis>) and those for sale.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::JsonRejection};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCOUNT_KEY, Id, Parameters, World, bad_request, not_found, page, wrong_account};
use crate::world::{Holder, Owned, lock};

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    if let Some(refused) = wrong_account(query.get("accountKey").map(String::as_str)) {
        return refused;
    }
    let world = lock(&world);
    let found: Vec<Value> = world
        .owned()
        .iter()
        .filter(|owned| query.get("number").is_none_or(|wanted| owned.number.contains(wanted.as_str())))
        .map(resource)
        .collect();
    page(&query, world.page_limit, &found)
}

pub(super) async fn retrieve(State(world): World, Path(id): Id) -> Response {
    match lock(&world).owned_by_id(&id) {
        Some(owned) => Json(resource(owned)).into_response(),
        None => not_found(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    name: Option<String>,
    route_to: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

pub(super) async fn update(
    State(world): World,
    Path(id): Id,
    changes: Result<Json<Changes>, JsonRejection>,
) -> Response {
    let Ok(Json(changes)) = changes else { return bad_request("MALFORMED_REQUEST", "The request is malformed.") };
    let mut world = lock(&world);
    if changes.route_to.as_ref().is_some_and(|target| target.kind != "EXTENSION") {
        return bad_request("BAD_REQUEST", "routeTo.type is invalid.");
    }
    if changes.route_to.as_ref().is_some_and(|target| !world.connections.contains(&target.id)) {
        return not_found();
    }
    let Some(owned) = world.owned_by_id(&id) else { return not_found() };
    owned.route = changes.route_to.map(|target| target.id).or(owned.route.take());
    owned.reference = changes.name.or(owned.reference.take());
    Json(resource(owned)).into_response()
}

pub(super) async fn available(State(world): World, Query(query): Query<Parameters>) -> Response {
    if let Some(refused) = wrong_account(query.get("accountKey").map(String::as_str)) {
        return refused;
    }
    let area_code = query.get("areaCode");
    if area_code.is_some_and(|code| !is_area_code(code)) {
        return bad_request("INVALID_AREA_CODE", "The area code is invalid.");
    }
    let world = lock(&world);
    let found: Vec<Value> = world
        .numbers
        .iter()
        .filter(|number| number.holder == Holder::Nobody && matches!(number.country.as_str(), "US" | "CA"))
        .filter(|number| area_code.is_none_or(|code| number.area_code == *code))
        .map(|number| json!({ "number": number.number, "locality": number.locality, "region": number.region }))
        .collect();
    page(&query, world.page_limit, &found)
}

/// Area codes of North America.
pub(super) fn is_area_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with(['0', '1'])
}

fn resource(owned: &Owned) -> Value {
    json!({
        "id": owned.id,
        "accountKey": ACCOUNT_KEY,
        "number": owned.number,
        "name": owned.reference,
        "callerIdName": "",
        "routeTo": owned.route.as_ref().map(|id| json!({ "id": id, "type": "EXTENSION" })),
    })
}
