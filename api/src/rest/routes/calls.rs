//! Calls: what happened, what was said, and hanging up.

#![allow(unused_qualifications, reason = "utoipa's expansion of `params(…)`")]

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use voxplane_store::calls::{self, CallFilter, CallStatus, Page as StorePage};
use voxplane_store::commands::{self, NewCommand};
use voxplane_store::events::{self, Cursor};
use voxplane_store::{AgentId, CallId, CommandId, StoreError, TenantId};

use super::super::code::Code;
use super::super::error::ApiError;
use super::super::extract::{Caller, Id, Params};
use super::super::page::{Collection, MAX_EVENT_LIMIT, MAX_LIMIT, Page, Pagination, Single};
use super::super::router::App;
use super::super::views::{CallView, EventView, TranscriptView};
use super::kinds::own_scope;
use crate::auth::Permission;
use crate::control::HANG_UP;

/// Hanging up later than this is no help to anybody.
const HANG_UP_LIFE: Duration = Duration::from_secs(30);

/// Which calls to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CallParams {
    /// Only this tenant's.
    pub tenant_id: Option<Uuid>,
    /// Only this agent's.
    pub agent_id: Option<Uuid>,
    /// Only calls that stand here, for example `completed`.
    pub status: Option<String>,
    /// Only calls that arrived at this time (RFC 3339) or later.
    pub from: Option<String>,
    /// Only calls that arrived before this time (RFC 3339).
    pub to: Option<String>,
    /// Items per page, 1 to 100. Default 50.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// Items to skip; not together with `cursor`. Default 0.
    #[param(minimum = 0)]
    pub offset: Option<u32>,
    /// `nextCursor` of the page before; stable while calls arrive.
    pub cursor: Option<String>,
}

/// Which events to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventParams {
    /// Items per page, 1 to 1000. Default 50.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A command and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandView {
    /// Id.
    pub id: Uuid,
    /// The call.
    pub call_id: Uuid,
    /// `hang_up`.
    pub kind: String,
    /// `pending`, `sent`, `done`, `failed`, `unknown_call`, `unsupported` or `expired`.
    pub state: &'static str,
    /// What the pod said about it.
    pub message: Option<String>,
}

/// Lists calls, newest first.
#[utoipa::path(
    get, path = "/calls", tag = "calls", params(CallParams),
    responses((status = 200, description = "The page asked for", body = Collection<CallView>)),
    security(("bearer" = []))
)]
async fn list_calls(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<CallParams>,
) -> Result<Json<Collection<CallView>>, ApiError> {
    let principal = caller.may(Permission::CallsView)?;
    own_scope(principal, None, params.tenant_id)?;
    let page = Page::checked(params.limit, params.offset, MAX_LIMIT)?;
    let filter = CallFilter {
        tenant: params.tenant_id.map(TenantId),
        agent: params.agent_id.map(AgentId),
        status: params.status.as_deref().map(status).transpose()?,
        from: params.from.as_deref().map(|text| time("from", text)).transpose()?,
        to: params.to.as_deref().map(|text| time("to", text)).transpose()?,
    };
    let limit = i64::from(page.limit);
    let part = match (&params.cursor, params.offset) {
        (Some(_), Some(_)) => {
            return Err(ApiError::field("cursor", Code::ValInvalidFormat, "send cursor or offset, not both"));
        }
        (Some(cursor), None) => StorePage::After { cursor: Some(call_cursor(cursor)?), limit },
        (None, _) => StorePage::Offset { offset: i64::from(page.offset), limit },
    };
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    let found = calls::list(&mut tx, &filter, part).await?;
    let next_cursor = found.calls.last().filter(|_| found.more).map(|call| call.id.to_string());
    let pagination = Pagination {
        limit: page.limit,
        offset: params.cursor.is_none().then_some(page.offset),
        total: u64::try_from(found.total).ok(),
        next_cursor,
        has_more: found.more,
    };
    Ok(Json(Collection { data: found.calls.into_iter().map(CallView::from).collect(), pagination }))
}

/// Gets one call.
#[utoipa::path(
    get, path = "/calls/{id}", tag = "calls", params(("id" = Uuid, Path, description = "Id")),
    responses((status = 200, description = "The call as it stands", body = Single<CallView>)),
    security(("bearer" = []))
)]
async fn get_call(State(app): State<Arc<App>>, caller: Caller, Id(id): Id) -> Result<Json<Single<CallView>>, ApiError> {
    let principal = caller.may(Permission::CallsView)?;
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    Ok(Json(Single { data: calls::get(&mut tx, CallId(id)).await?.into() }))
}

/// Gets what was said in a call, while it runs as well as afterwards.
#[utoipa::path(
    get, path = "/calls/{id}/transcript", tag = "calls", params(("id" = Uuid, Path, description = "Id")),
    responses((status = 200, description = "What was said so far", body = Single<TranscriptView>)),
    security(("bearer" = []))
)]
async fn get_call_transcript(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Single<TranscriptView>>, ApiError> {
    let principal = caller.may(Permission::CallsView)?;
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    calls::get(&mut tx, CallId(id)).await?;
    let lines = events::transcript(&mut tx, CallId(id)).await?;
    let lines = lines.into_iter().map(Into::into).collect();
    Ok(Json(Single { data: TranscriptView { call_id: id, lines } }))
}

/// Lists the events of a call in the order of their times.
#[utoipa::path(
    get, path = "/calls/{id}/events", tag = "calls",
    params(("id" = Uuid, Path, description = "Id"), EventParams),
    responses((status = 200, description = "The page asked for", body = Collection<EventView>)),
    security(("bearer" = []))
)]
async fn list_call_events(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
    Params(params): Params<EventParams>,
) -> Result<Json<Collection<EventView>>, ApiError> {
    let principal = caller.may(Permission::CallsView)?;
    let page = Page::checked(params.limit, None, MAX_EVENT_LIMIT)?;
    let after = params.cursor.as_deref().map(event_cursor).transpose()?;
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    calls::get(&mut tx, CallId(id)).await?;
    let found = events::list(&mut tx, CallId(id), after, i64::from(page.limit)).await?;
    // A full page may be the last one; the next one is then empty.
    let full = u32::try_from(found.len()).is_ok_and(|len| len == page.limit);
    let next_cursor = found.last().filter(|_| full).map(|event| event_token(event.cursor()));
    let pagination = Pagination { limit: page.limit, offset: None, total: None, next_cursor, has_more: full };
    Ok(Json(Collection { data: found.into_iter().map(EventView::from).collect(), pagination }))
}

/// Asks the call's pod to hang up. The answer names a command whose state can be read.
#[utoipa::path(
    post, path = "/calls/{id}/hang-up", tag = "calls", params(("id" = Uuid, Path, description = "Id")),
    responses((
        status = 202, description = "The command, on its way to the pod", body = Single<CommandView>,
        headers(("Location" = String))
    )),
    security(("bearer" = []))
)]
async fn hang_up_call(State(app): State<Arc<App>>, caller: Caller, Id(id): Id) -> Result<Response, ApiError> {
    let principal = caller.may(Permission::CallsControl)?;
    let command = NewCommand {
        id: CommandId::new(),
        call: CallId(id),
        kind: HANG_UP.to_owned(),
        payload: json!({"reason": "command"}),
        expires_in: HANG_UP_LIFE,
    };
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    commands::enqueue(&mut tx, &command).await.map_err(|error| match error {
        StoreError::Conflict { .. } => ApiError::new(Code::BizInvalidState, "the call has ended"),
        other => other.into(),
    })?;
    let view = command_view(&mut tx, command.id).await?;
    tx.commit().await?;
    let mut response = (StatusCode::ACCEPTED, Json(Single { data: view })).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/calls/{id}/commands/{}", command.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Says what became of a command.
#[utoipa::path(
    get, path = "/calls/{id}/commands/{commandId}", tag = "calls",
    params(
        ("id" = Uuid, Path, description = "Id of the call"),
        ("commandId" = Uuid, Path, description = "Id of the command")
    ),
    responses((status = 200, description = "The command as it stands", body = Single<CommandView>)),
    security(("bearer" = []))
)]
async fn get_call_command(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((call, command)): Path<(String, String)>,
) -> Result<Json<Single<CommandView>>, ApiError> {
    let principal = caller.may(Permission::CallsView)?;
    let id = |field: &str, text: &str| {
        text.parse::<Uuid>()
            .map_err(|_| ApiError::field(field, Code::ValInvalidUuid, format!("{field} in the path must be a UUID")))
    };
    let (call, command) = (id("id", &call)?, id("commandId", &command)?);
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    let view = command_view(&mut tx, CommandId(command)).await?;
    if view.call_id == call { Ok(Json(Single { data: view })) } else { Err(ApiError::not_found()) }
}

/// All routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_calls))
        .routes(routes!(get_call))
        .routes(routes!(get_call_transcript))
        .routes(routes!(list_call_events))
        .routes(routes!(hang_up_call))
        .routes(routes!(get_call_command))
}

async fn command_view(tx: &mut voxplane_store::ScopedTx, id: CommandId) -> Result<CommandView, ApiError> {
    let status = commands::get(tx, id).await?;
    Ok(CommandView {
        id: id.0,
        call_id: status.call.0,
        kind: status.kind,
        state: status.state.as_str(),
        message: status.message,
    })
}

fn status(text: &str) -> Result<CallStatus, ApiError> {
    text.parse().map_err(|_| {
        ApiError::field(
            "status",
            Code::ValInvalidEnum,
            "status must be one of the call statuses, for example completed",
        )
    })
}

fn time(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        ApiError::field(field, Code::ValInvalidFormat, format!("{field} must be a time such as 2026-01-31T12:00:00Z"))
    })
}

fn call_cursor(text: &str) -> Result<CallId, ApiError> {
    text.parse().map_err(|_| bad_cursor())
}

fn bad_cursor() -> ApiError {
    ApiError::field("cursor", Code::ValInvalidFormat, "cursor must be the nextCursor of an earlier answer")
}

fn event_token(cursor: Cursor) -> String {
    let place = format!("{}.{}.{}", cursor.at.as_microsecond(), cursor.epoch, cursor.seq);
    URL_SAFE_NO_PAD.encode(place)
}

fn event_cursor(token: &str) -> Result<Cursor, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_cursor())?;
    let mut parts = text.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok()).ok_or_else(bad_cursor);
    let (at, epoch, seq) = (number()?, number()?, number()?);
    Ok(Cursor {
        at: Timestamp::from_microsecond(at).map_err(|_| bad_cursor())?,
        epoch: i32::try_from(epoch).map_err(|_| bad_cursor())?,
        seq,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_cursors_survive_the_way_to_the_caller_and_back() {
        let cursor = Cursor { at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(), epoch: 2, seq: 41 };
        assert_eq!(event_cursor(&event_token(cursor)).unwrap(), cursor);
        for bad in ["", "x", "!!!", "MTIz"] {
            assert_eq!(event_cursor(bad).unwrap_err().code, Code::ValInvalidFormat, "{bad}");
        }
    }
}
