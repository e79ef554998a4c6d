//! The account's numbers: <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>.

use axum::Json;
use axum::extract::{Form, Path, Query, State, rejection::FormRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{ACCOUNT, Parameters, Segments, World, exception, invalid, not_found, pattern, sid};
use crate::stock::is_e164;
use crate::world::{Owned, lock};

/// Longest `FriendlyName`.
const FRIENDLY_NAME: usize = 64;

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    let world = lock(&world);
    let number = |name: &str, default: usize| query.get(name).map_or(Some(default), |text| text.parse().ok());
    let (Some(page_size), Some(page)) = (number("PageSize", 50), number("Page", 0)) else {
        return invalid("PageSize or Page is invalid");
    };
    let page_size = page_size.clamp(1, world.page_limit.unwrap_or(1000).min(1000));
    let found: Vec<Value> = world
        .owned()
        .iter()
        .filter(|owned| query.get("PhoneNumber").is_none_or(|wanted| pattern::part(wanted, &owned.number)))
        .filter(|owned| query.get("FriendlyName").is_none_or(|wanted| owned.reference.as_ref() == Some(wanted)))
        .map(resource)
        .collect();
    let more = found.len() > (page + 1) * page_size;
    let next = more.then(|| {
        let filters = query.iter().filter(|(name, _)| matches!(name.as_str(), "PhoneNumber" | "FriendlyName"));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(filters)
            .append_pair("PageSize", &page_size.to_string())
            .append_pair("Page", &(page + 1).to_string())
            .append_pair("PageToken", "PAPN1")
            .finish();
        format!("/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?{query}")
    });
    let shown: Vec<Value> = found.into_iter().skip(page * page_size).take(page_size).collect();
    let body = json!({
        "incoming_phone_numbers": shown,
        "next_page_uri": next,
        "page": page,
        "page_size": page_size,
    });
    Json(body).into_response()
}

/// Buys a number.
pub(super) async fn create(State(world): World, form: Result<Form<Parameters>, FormRejection>) -> Response {
    let Ok(Form(form)) = form else { return invalid("The body is not form-encoded") };
    let Some(number) = form.get("PhoneNumber") else {
        return invalid("Missing required parameter PhoneNumber in the post body");
    };
    if !is_e164(number) {
        return exception(StatusCode::BAD_REQUEST, 21421, &format!("{number} is not a valid number"));
    }
    let reference = form.get("FriendlyName").cloned();
    if let Some(refused) = refused(&world, &form) {
        return refused;
    }
    let mut world = lock(&world);
    if !world.pay(number, reference.as_deref()) {
        return exception(StatusCode::BAD_REQUEST, 21422, &format!("{number} is not available."));
    }
    let id = format!("PN{:032x}", world.next());
    let owned = Owned { number: number.clone(), id, reference, route: form.get("TrunkSid").cloned() };
    let body = resource(&owned);
    world.deliver(owned);
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(super) async fn fetch(State(world): World, Path(segments): Segments) -> Response {
    match lock(&world).owned_by_id(sid(&segments)) {
        Some(owned) => Json(resource(owned)).into_response(),
        None => missing(sid(&segments)),
    }
}

pub(super) async fn update(
    State(world): World,
    Path(segments): Segments,
    form: Result<Form<Parameters>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return invalid("The body is not form-encoded") };
    if let Some(refused) = refused(&world, &form) {
        return refused;
    }
    let mut world = lock(&world);
    let Some(owned) = world.owned_by_id(sid(&segments)) else { return missing(sid(&segments)) };
    if let Some(name) = form.get("FriendlyName") {
        owned.reference = Some(name.clone());
    }
    if let Some(trunk) = form.get("TrunkSid") {
        owned.route = Some(trunk.clone()).filter(|trunk| !trunk.is_empty());
    }
    Json(resource(owned)).into_response()
}

pub(super) async fn delete(State(world): World, Path(segments): Segments) -> Response {
    if lock(&world).release(sid(&segments)) { StatusCode::NO_CONTENT.into_response() } else { missing(sid(&segments)) }
}

/// What is wrong with the parameters that creating and changing share.
fn refused(world: &crate::world::Shared, form: &Parameters) -> Option<Response> {
    if form.get("FriendlyName").is_some_and(|name| name.chars().count() > FRIENDLY_NAME) {
        return Some(invalid("FriendlyName is too long"));
    }
    let trunk = form.get("TrunkSid").filter(|trunk| !trunk.is_empty())?;
    (!lock(world).connections.contains(trunk)).then(|| not_found(&format!("/Trunks/{trunk}")))
}

fn missing(sid: &str) -> Response {
    not_found(&format!("/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{sid}.json"))
}

fn resource(owned: &Owned) -> Value {
    json!({
        "sid": owned.id,
        "account_sid": ACCOUNT,
        "phone_number": owned.number,
        "friendly_name": owned.reference.as_deref().unwrap_or(&owned.number),
        "trunk_sid": owned.route,
        "voice_url": "",
        "capabilities": { "voice": true, "sms": true, "mms": false, "fax": false },
        "origin": "twilio",
        "status": "in-use",
        "uri": format!("/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{}.json", owned.id),
    })
}
