//! Numbers for sale: <https://developers.telnyx.com/api-reference/phone-number-search/list-available-phone-numbers>.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Parameters, World, bad_request};
use crate::world::{Holder, Number, lock};

pub(super) async fn list(State(world): World, Query(query): Query<Parameters>) -> Response {
    let filter = |name: &str| query.get(&format!("filter[{name}]"));
    let Ok(limit) = filter("limit").map_or("100", String::as_str).parse::<usize>() else {
        return bad_request("filter[limit] is not a number");
    };
    let ndc = filter("national_destination_code");
    let contains = filter("phone_number][contains");
    if contains.is_some_and(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return bad_request("filter[phone_number][contains] is not digits");
    }
    let mut world = lock(&world);
    let mut found = Vec::new();
    for number in &mut world.numbers {
        // With an area code, the pattern is looked for behind it.
        let subscriber = number.number.split_once(number.area_code.as_str()).map_or("", |(_, rest)| rest);
        let searched = if ndc.is_some() { subscriber } else { number.number.as_str() };
        let fits = number.holder == Holder::Nobody
            && filter("country_code").is_none_or(|country| number.country == *country)
            && filter("phone_number_type").is_none_or(|kind| kind == "local")
            && filter("administrative_area").is_none_or(|region| number.region.as_ref() == Some(region))
            && ndc.is_none_or(|code| number.area_code == *code)
            && contains.is_none_or(|part| searched.contains(part.as_str()));
        if fits && found.len() < limit {
            number.shown = true;
            found.push(resource(number));
        }
    }
    let meta = json!({ "total_results": found.len(), "best_effort_results": 0 });
    Json(json!({ "data": found, "meta": meta })).into_response()
}

fn resource(number: &Number) -> Value {
    let mut regions = vec![json!({ "region_type": "country_code", "region_name": number.country })];
    regions.extend(number.region.iter().map(|name| json!({ "region_type": "state", "region_name": name })));
    regions.extend(number.locality.iter().map(|name| json!({ "region_type": "rate_center", "region_name": name })));
    json!({
        "record_type": "available_phone_number",
        "phone_number": number.number,
        "vanity_format": "",
        "best_effort": false,
        "quickship": true,
        "reservable": true,
        "region_information": regions,
        "features": [{ "name": "voice" }],
        "cost_information": {
            "upfront_cost": format!("{}.{:02}", number.cents / 100, number.cents % 100),
            "monthly_cost": "1.00",
            "currency": "USD",
        },
    })
}
