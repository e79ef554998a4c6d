//! Orders: <https://developers.telnyx.com/api-reference/phone-number-orders/create-a-number-order>.

use axum::Json;
use axum::extract::{Path, Query, State, rejection::JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Id, Parameters, World, bad_request, errors, not_found, page};
use crate::stock::is_e164;
use crate::world::{Order, OrderStatus, World as Everything, lock};

#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    phone_numbers: Vec<Wanted>,
    #[serde(default)]
    customer_reference: Option<String>,
    #[serde(default)]
    connection_id: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    phone_number: String,
}

pub(super) async fn create(State(world): World, body: Result<Json<Body>, JsonRejection>) -> Response {
    let Ok(Json(body)) = body else {
        return errors(StatusCode::BAD_REQUEST, "10023", "Invalid JSON", "The supplied JSON was invalid.");
    };
    let [wanted] = body.phone_numbers.as_slice() else { return bad_request("one phone number is supported here") };
    let number = &wanted.phone_number;
    if !is_e164(number) {
        let title = "Phone number must be in +E.164 format";
        return errors(StatusCode::BAD_REQUEST, "10016", title, "The specified phone number parameter is not.");
    }
    let mut world = lock(&world);
    if body.connection_id.as_ref().is_some_and(|id| !world.connections.contains(id)) {
        return bad_request("the connection does not exist");
    }
    // "Only phone numbers that were previously returned in a search request can be ordered."
    if !world.number(number).is_some_and(|found| found.shown) {
        return bad_request("the phone number was not returned by a search");
    }
    if !world.pay(number, body.customer_reference.as_deref()) {
        // Telnyx documents no code for this; the words are what a client can go by.
        let detail = format!("{number} is not available for ordering.");
        return errors(StatusCode::UNPROCESSABLE_ENTITY, "85001", "Phone number unavailable", &detail);
    }
    let sequence = world.next();
    let status = if std::mem::take(&mut world.doom_next_order) { OrderStatus::Doomed } else { OrderStatus::Pending };
    let polls_left = world.pending_polls;
    world.orders.push(Order {
        id: format!("00000000-0000-4000-8000-{sequence:012x}"),
        number: number.clone(),
        reference: body.customer_reference,
        polls_left,
        status,
        sequence,
    });
    let index = world.orders.len() - 1;
    // Without polls the answer says already what became of it.
    let order = if polls_left == 0 { show(&mut world, index) } else { resource(&world.orders[index]) };
    Json(json!({ "data": order })).into_response()
}

pub(super) async fn retrieve(State(world): World, Path(id): Id) -> Response {
    let mut world = lock(&world);
    match world.orders.iter().position(|order| order.id == id) {
        Some(index) => Json(json!({ "data": show(&mut world, index) })).into_response(),
        None => not_found(),
    }
}

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    let mut world = lock(&world);
    let wanted = query.get("filter[customer_reference]");
    let fits = |order: &Order| wanted.is_none_or(|wanted| order.reference.as_ref() == Some(wanted));
    let matching: Vec<usize> = (0..world.orders.len()).rev().filter(|index| fits(&world.orders[*index])).collect();
    let found: Vec<Value> = matching.into_iter().map(|index| show(&mut world, index)).collect();
    page(&query, world.page_limit, &found).unwrap_or_else(|| bad_request("page is invalid"))
}

fn show(world: &mut Everything, index: usize) -> Value {
    resource(&world.show(index, |sequence| format!("2{sequence:018}")))
}

fn resource(order: &Order) -> Value {
    let status = match order.status {
        OrderStatus::Pending | OrderStatus::Doomed => "pending",
        OrderStatus::Success => "success",
        OrderStatus::Failure => "failure",
    };
    let seconds = order.sequence % 60;
    let minutes = order.sequence / 60;
    json!({
        "id": order.id,
        "record_type": "number_order",
        "phone_numbers_count": 1,
        "phone_numbers": [{
            "id": format!("00000000-0000-4000-9000-{:012x}", order.sequence),
            "record_type": "number_order_phone_number",
            "phone_number": order.number,
            "status": status,
            "requirements_met": true,
        }],
        "status": status,
        "customer_reference": order.reference,
        "connection_id": null,
        "requirements_met": true,
        "created_at": format!("2026-01-01T{:02}:{:02}:{seconds:02}.000000Z", minutes / 60, minutes % 60),
    })
}
