//! Orders: by area code. They go through states, and the number is known when one is completed.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::numbers::is_area_code;
use super::{ACCOUNT_KEY, Id, Parameters, World, bad_request, not_found, page, wrong_account};
use crate::world::{Holder, Order, OrderStatus, World as Everything, lock};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    account_key: Option<String>,
    #[serde(default)]
    area_code: String,
}

pub(super) async fn create(State(world): World, body: Result<Json<Body>, JsonRejection>) -> Response {
    let Ok(Json(body)) = body else { return bad_request("MALFORMED_REQUEST", "The request is malformed.") };
    if let Some(refused) = wrong_account(body.account_key.as_deref()) {
        return refused;
    }
    if !is_area_code(&body.area_code) {
        return bad_request("INVALID_AREA_CODE", "The area code is invalid.");
    }
    let mut world = lock(&world);
    let picked = world
        .numbers
        .iter()
        .find(|number| number.holder == Holder::Nobody && number.area_code == body.area_code)
        .map(|number| number.number.clone());
    let Some(number) = picked.filter(|number| world.pay(number, None)) else {
        return bad_request("NO_PHONE_NUMBER_FOUND", "No phone number was found for the area code.");
    };
    let status = if std::mem::take(&mut world.doom_next_order) { OrderStatus::Doomed } else { OrderStatus::Pending };
    let (sequence, polls_left) = (world.next(), world.pending_polls);
    let order = Order {
        id: format!("00000000-0000-4000-a000-{sequence:012x}"),
        number,
        reference: None,
        polls_left,
        status,
        sequence,
    };
    let body = resource(&world, &order);
    world.orders.push(order);
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(super) async fn retrieve(State(world): World, Path(id): Id) -> Response {
    let mut world = lock(&world);
    match world.orders.iter().position(|order| order.id == id) {
        Some(index) => Json(show(&mut world, index)).into_response(),
        None => not_found(),
    }
}

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    if let Some(refused) = wrong_account(query.get("accountKey").map(String::as_str)) {
        return refused;
    }
    let mut world = lock(&world);
    let found: Vec<Value> = (0..world.orders.len()).rev().map(|index| show(&mut world, index)).collect();
    page(&query, world.page_limit, &found)
}

fn show(world: &mut Everything, index: usize) -> Value {
    let order = world.show(index, |sequence| format!("00000000-0000-4000-b000-{sequence:012x}"));
    resource(world, &order)
}

fn resource(world: &Everything, order: &Order) -> Value {
    let status = match order.status {
        OrderStatus::Pending | OrderStatus::Doomed => "PENDING",
        OrderStatus::Success => "COMPLETED",
        OrderStatus::Failure => "FAILED",
    };
    let area_code = world.numbers.iter().find(|number| number.number == order.number).map(|number| &number.area_code);
    let mut body = json!({ "id": order.id, "accountKey": ACCOUNT_KEY, "areaCode": area_code, "status": status });
    if order.status == OrderStatus::Success {
        body["number"] = order.number.clone().into();
    }
    body
}
