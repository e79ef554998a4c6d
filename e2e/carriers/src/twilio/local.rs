//! Local numbers for sale: <https://www.twilio.com/docs/phone-numbers/api/availablephonenumberlocal-resource>.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{Parameters, Segments, World, invalid, not_found, pattern};
use crate::world::{Holder, lock};

pub(super) async fn list(State(world): World, Path(segments): Segments, Query(query): Query<Parameters>) -> Response {
    let country = segments.get("country").map_or("", String::as_str);
    let mut world = lock(&world);
    if !world.numbers.iter().any(|number| number.country == country) {
        return not_found(&format!("/AvailablePhoneNumbers/{country}/Local.json"));
    }
    let north_america = matches!(country, "US" | "CA");
    let area_code = query.get("AreaCode").filter(|_| north_america);
    if area_code.is_some_and(|code| code.len() != 3 || code.parse::<u16>().is_err()) {
        return invalid("AreaCode is invalid");
    }
    if query.get("Contains").is_some_and(|wanted| pattern::contains(wanted, "").is_none()) {
        return invalid("Contains is invalid");
    }
    let Ok(page_size) = query.get("PageSize").map_or("50", String::as_str).parse::<usize>() else {
        return invalid("PageSize is invalid");
    };
    let limit = world.page_limit.unwrap_or(1000).min(page_size.min(1000));
    let region = query.get("InRegion").filter(|_| north_america);
    let mut found = Vec::new();
    for number in &mut world.numbers {
        let fits = number.holder == Holder::Nobody
            && number.country == country
            && area_code.is_none_or(|code| number.area_code == *code)
            && region.is_none_or(|region| number.region.as_ref() == Some(region))
            && query.get("Contains").is_none_or(|wanted| pattern::contains(wanted, &number.number) == Some(true));
        if !fits || found.len() == limit {
            continue;
        }
        number.shown = true;
        found.push(json!({
            "friendly_name": number.number,
            "phone_number": number.number,
            "locality": number.locality,
            "region": number.region.as_ref().filter(|_| north_america),
            "iso_country": number.country,
            "address_requirements": "none",
            "beta": false,
            "capabilities": { "voice": true, "SMS": true, "MMS": false },
        }));
    }
    Json(json!({ "available_phone_numbers": found, "uri": "" })).into_response()
}
