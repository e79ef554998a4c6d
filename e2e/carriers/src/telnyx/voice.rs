//! Voice settings of the account's numbers, as far as call forwarding goes:
//! <https://developers.telnyx.com/api-reference/phone-number-configurations/update-a-phone-number-with-voice-settings>.

use axum::Json;
use axum::extract::{Path, State, rejection::JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Id, World, errors, not_found};
use crate::stock::is_e164;
use crate::world::{Forwarding, Owned, lock};

pub(super) async fn retrieve(State(world): World, Path(id): Id) -> Response {
    let mut world = lock(&world);
    let Some(owned) = world.owned_by_id(&id).cloned() else { return not_found() };
    let forwarding = world.forwarding.get(&owned.number).cloned().unwrap_or_default();
    Json(json!({ "data": resource(&owned, &forwarding) })).into_response()
}

#[derive(Deserialize)]
pub(super) struct Changes {
    call_forwarding: Option<Forwarding>,
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
    let Some(owned) = world.owned_by_id(&id).cloned() else { return not_found() };
    if let Some(change) = changes.call_forwarding {
        if change.forwards_to.as_deref().is_some_and(|to| !to.is_empty() && !is_e164(to)) {
            let title = "Phone number must be in +E.164 format";
            return errors(StatusCode::UNPROCESSABLE_ENTITY, "10016", title, "forwards_to is invalid.");
        }
        if change.forwarding_type.as_deref().is_some_and(|kind| !matches!(kind, "always" | "on-failure")) {
            return errors(StatusCode::BAD_REQUEST, "10015", "Bad Request", "forwarding_type is invalid.");
        }
        let forwarding = world.forwarding.entry(owned.number.clone()).or_default();
        forwarding.enabled = change.enabled.or(forwarding.enabled);
        forwarding.forwards_to = change.forwards_to.or(forwarding.forwards_to.take());
        forwarding.forwarding_type = change.forwarding_type.or(forwarding.forwarding_type.take());
    }
    let forwarding = world.forwarding.get(&owned.number).cloned().unwrap_or_default();
    Json(json!({ "data": resource(&owned, &forwarding) })).into_response()
}

fn resource(owned: &Owned, forwarding: &Forwarding) -> Value {
    json!({
        "id": owned.id,
        "record_type": "voice_settings",
        "phone_number": owned.number,
        "connection_id": owned.route,
        "customer_reference": owned.reference,
        "call_forwarding": {
            "call_forwarding_enabled": forwarding.enabled.unwrap_or(true),
            "forwards_to": forwarding.forwards_to.as_deref().unwrap_or_default(),
            "forwarding_type": forwarding.forwarding_type,
        },
        "tech_prefix_enabled": false,
        "inbound_call_screening": "disabled",
    })
}
