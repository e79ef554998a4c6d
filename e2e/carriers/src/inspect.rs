//! `/_sim/`: what tests and people ask a stand-in and tell it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::world::{Holder, Shared, lock};

pub(crate) fn router(world: Shared) -> Router {
    Router::new()
        .route("/_sim/state", get(state))
        .route("/_sim/faults", post(set_fault).delete(clear_faults))
        .route("/_sim/strangers", post(stranger_buys))
        .route("/_sim/removals", post(removed_by_hand))
        .route("/_sim/tokens", post(tokens))
        .with_state(world)
}

async fn state(State(world): State<Shared>) -> Json<Value> {
    Json(serde_json::to_value(&*lock(&world)).unwrap_or_default())
}

async fn set_fault(State(world): State<Shared>, Json(fault): Json<Fault>) -> StatusCode {
    lock(&world).faults.push(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(world): State<Shared>) -> StatusCode {
    lock(&world).faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Sale {
    number: String,
}

/// What happens to tokens (GoTo Connect).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum TokenAct {
    /// All access tokens end.
    Expire,
    /// The refresh token ends: whoever uses it next gets another one.
    EndRefreshToken,
    /// The administrator withdraws the authorisation.
    Revoke,
    /// The administrator authorises again; the answer has the refresh token.
    AuthorizeAgain,
    /// The authorisation lacks a scope from now on.
    DropScope,
}

async fn tokens(State(world): State<Shared>, Json(act): Json<TokenAct>) -> Json<Value> {
    let tokens = &mut lock(&world).tokens;
    match act {
        TokenAct::Expire => tokens.expire(),
        TokenAct::EndRefreshToken => tokens.end_refresh_token(),
        TokenAct::Revoke => tokens.revoke(),
        TokenAct::DropScope => tokens.drop_scope(),
        TokenAct::AuthorizeAgain => return Json(json!({ "refreshToken": tokens.authorize_again() })),
    }
    Json(json!({}))
}

/// Somebody removes a number from the account in the carrier's portal.
async fn removed_by_hand(State(world): State<Shared>, Json(sale): Json<Sale>) -> StatusCode {
    let mut world = lock(&world);
    let found = world.owned().into_iter().find(|owned| owned.number == sale.number);
    if found.is_some_and(|owned| world.release(&owned.id)) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn stranger_buys(State(world): State<Shared>, Json(sale): Json<Sale>) -> StatusCode {
    match lock(&world).number(&sale.number) {
        Some(number) => {
            number.holder = Holder::Stranger;
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}
