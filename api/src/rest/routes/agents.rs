//! Voice agents: requests become server-side applies of the same custom resources that GitOps writes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{Tenant, VoiceAgent};
use voxplane_store::resources::{self, ResourceKind};
use voxplane_store::{AgencyId, TenantId};

use super::super::code::Code;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Id, IfMatch, Params};
use super::super::page::{Collection, Single};
use super::super::router::App;
use super::super::views::{ResourceView, VoiceAgentSpec};
use super::kinds::{self, Found, ListParams, find, tagged};
use crate::auth::{Permission, Principal};
use crate::cluster::{AgentWriter, Change};

/// A new agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "tenantId": "0199c0de-7a11-7000-8000-000000000001", "name": "reception",
    "spec": {"prompt": {"system": "You are the receptionist."}, "greeting": {"text": "Hello, how can I help?"}}
})))]
pub struct NewAgent {
    /// The tenant it belongs to. Tenant users may omit it.
    pub tenant_id: Option<Uuid>,
    /// Its name: lower case letters, digits and `-`, at most 40; cannot be changed.
    pub name: String,
    /// What it should be; every field has a default.
    pub spec: Option<VoiceAgentSpec>,
}

/// The whole of an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"spec": {"greeting": {"text": "Good morning, how can I help?"}}})))]
pub struct AgentReplacement {
    /// What it should be; what is left out gets its default.
    pub spec: VoiceAgentSpec,
}

/// A JSON merge patch (RFC 7386).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"spec": {"greeting": {"text": "Good morning!"}, "persona": null}})))]
pub struct AgentPatch {
    /// Fields to change; `null` gives a field back its default.
    #[schema(value_type = Object)]
    pub spec: Value,
}

/// Lists the voice agents that you may see, by name.
#[utoipa::path(
    get, path = "/voice-agents", tag = "voice agents", params(ListParams),
    responses((status = 200, description = "The page asked for", body = Collection<ResourceView<VoiceAgentSpec>>)),
    security(("bearer" = []))
)]
async fn list_voice_agents(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Collection<ResourceView<VoiceAgentSpec>>>, ApiError> {
    kinds::list::<VoiceAgent>(&app, &caller, &params)
}

/// Gets one voice agent.
#[utoipa::path(
    get, path = "/voice-agents/{id}", tag = "voice agents", params(("id" = Uuid, Path, description = "Id")),
    responses((
        status = 200, description = "The voice agent as it is now", body = Single<ResourceView<VoiceAgentSpec>>,
        headers(("ETag" = String))
    )),
    security(("bearer" = []))
)]
async fn get_voice_agent(State(app): State<Arc<App>>, caller: Caller, Id(id): Id) -> Result<Response, ApiError> {
    kinds::get::<VoiceAgent>(&app, &caller, id).await
}

/// Creates a voice agent. It answers `Ready=Unknown` until the platform has looked at it.
#[utoipa::path(
    post, path = "/voice-agents", tag = "voice agents", request_body = NewAgent,
    responses((
        status = 201, description = "The new voice agent", body = Single<ResourceView<VoiceAgentSpec>>,
        headers(("ETag" = String), ("Location" = String))
    )),
    security(("bearer" = []))
)]
async fn create_voice_agent(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewAgent>,
) -> Result<Response, ApiError> {
    let principal = caller.may(Permission::VoiceAgentsEdit)?;
    check_name(&new.name)?;
    let home = home_of(&app, principal, new.tenant_id)?;
    let spec = new.spec.map_or_else(|| Value::Object(serde_json::Map::new()), |spec| spec.0);
    let agent = app.agents(&home.namespace).create(&new.name, &spec).await?;
    let id = register(&app, &home, &agent).await?;
    let mut response = tagged(ResourceView::of(&agent, id, home.agency, Some(home.tenant)));
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/voice-agents/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Changes the named fields of a voice agent; applies to the next call.
#[utoipa::path(
    patch, path = "/voice-agents/{id}", tag = "voice agents", request_body = AgentPatch,
    params(
        ("id" = Uuid, Path, description = "Id"),
        ("If-Match" = Option<String>, Header, description = "ETag of the version the change was made from")
    ),
    responses((
        status = 200, description = "The voice agent as it is now", body = Single<ResourceView<VoiceAgentSpec>>,
        headers(("ETag" = String))
    )),
    security(("bearer" = []))
)]
async fn patch_voice_agent(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Body(patch): Body<AgentPatch>,
) -> Result<Response, ApiError> {
    if !patch.spec.is_object() {
        return Err(ApiError::field("spec", Code::ValInvalidType, "spec must be an object with the fields to change"));
    }
    write(&app, &caller, id, version, Change::Merge(patch.spec)).await
}

/// Replaces a voice agent; applies to the next call.
#[utoipa::path(
    put, path = "/voice-agents/{id}", tag = "voice agents", request_body = AgentReplacement,
    params(
        ("id" = Uuid, Path, description = "Id"),
        ("If-Match" = Option<String>, Header, description = "ETag of the version the change was made from")
    ),
    responses((
        status = 200, description = "The voice agent as it is now", body = Single<ResourceView<VoiceAgentSpec>>,
        headers(("ETag" = String))
    )),
    security(("bearer" = []))
)]
async fn replace_voice_agent(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Body(replacement): Body<AgentReplacement>,
) -> Result<Response, ApiError> {
    write(&app, &caller, id, version, Change::Replace(replacement.spec.0)).await
}

/// Deletes a voice agent; its calls are kept. Agents that GitOps or another manager owns are not deleted (409).
#[utoipa::path(
    delete, path = "/voice-agents/{id}", tag = "voice agents",
    params(
        ("id" = Uuid, Path, description = "Id"),
        ("If-Match" = Option<String>, Header, description = "ETag of the version that may be deleted")
    ),
    responses((status = 204, description = "It is being deleted")),
    security(("bearer" = []))
)]
async fn delete_voice_agent(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
) -> Result<Response, ApiError> {
    let principal = caller.may(Permission::VoiceAgentsEdit)?;
    let found = find::<VoiceAgent>(&app, principal, id).await?;
    writer(&app, &found).delete(&found.object.name_any(), version.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// All routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_voice_agents, create_voice_agent)).routes(routes!(
        get_voice_agent,
        patch_voice_agent,
        replace_voice_agent,
        delete_voice_agent
    ))
}

async fn write(
    app: &App,
    caller: &Caller,
    id: Uuid,
    version: Option<String>,
    change: Change,
) -> Result<Response, ApiError> {
    let principal = caller.may(Permission::VoiceAgentsEdit)?;
    let found = find::<VoiceAgent>(app, principal, id).await?;
    let agent = writer(app, &found).change(&found.object.name_any(), &change, version.as_deref()).await?;
    Ok(tagged(ResourceView::of(&agent, found.id, found.agency, found.tenant)))
}

fn writer(app: &App, found: &Found<VoiceAgent>) -> AgentWriter {
    app.agents(&found.object.namespace().unwrap_or_default())
}

/// Where a new agent goes.
struct Home {
    agency: Uuid,
    tenant: Uuid,
    namespace: String,
}

fn home_of(app: &App, principal: &Principal, named: Option<Uuid>) -> Result<Home, ApiError> {
    kinds::own_scope(principal, None, named)?;
    let tenant_id = named.or(principal.tenant).ok_or_else(|| {
        ApiError::field("tenantId", Code::ValRequired, "tenantId is required: say which tenant the agent belongs to")
    })?;
    let tenant = app.directory.tenant_by_id(tenant_id).ok_or_else(ApiError::not_found)?;
    let agency_name = agency_of(&tenant).ok_or_else(ApiError::not_found)?;
    let namespace = names::tenant_namespace(&agency_name, &tenant.name_any());
    let (agency, tenant) = app
        .directory
        .owners(&namespace)
        .and_then(|(agency, tenant)| crate::cluster::ids(&agency, &tenant))
        .filter(|(agency, tenant)| principal.reach().covers(Some(*agency), Some(*tenant)))
        .ok_or_else(ApiError::not_found)?;
    Ok(Home { agency, tenant, namespace })
}

fn agency_of(tenant: &Tenant) -> Option<String> {
    match names::owner_of_namespace(&tenant.namespace()?)? {
        NamespaceOwner::Agency(agency) => Some(agency),
        NamespaceOwner::Tenant { .. } => None,
    }
}

/// The same id the operator will give it: whoever is first registers, the other adopts.
async fn register(app: &App, home: &Home, agent: &VoiceAgent) -> Result<Uuid, ApiError> {
    let (agency, tenant) = (AgencyId(home.agency), TenantId(home.tenant));
    let mut tx = app.db.begin(&voxplane_store::Scope::tenant(agency, tenant)).await?;
    let uid = agent.uid().unwrap_or_default();
    let id = resources::register(
        &mut tx,
        ResourceKind::VoiceAgent,
        &home.namespace,
        &agent.name_any(),
        &uid,
        Some(agency),
        Some(tenant),
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if name.is_empty() {
        Err(ApiError::field("name", Code::ValRequired, "name is required"))
    } else if name.len() > names::MAX_OTHER {
        let message = format!("name must be at most {} characters", names::MAX_OTHER);
        Err(ApiError::field("name", Code::ValTooLong, message))
    } else if !plain {
        let message = "name consists of lower case letters, digits and -, and starts and ends with a letter or digit";
        Err(ApiError::field("name", Code::ValInvalidFormat, message))
    } else {
        Ok(())
    }
}
