//! Listing and getting, the same for every kind that is a custom resource.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::ETAG;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use uuid::Uuid;
use voxplane_store::resources::{self, Resource};

use super::super::code::Code;
use super::super::error::ApiError;
use super::super::extract::Caller;
use super::super::page::{Collection, MAX_LIMIT, Page, Single};
use super::super::router::App;
use super::super::views::{Kind, ResourceView};
use crate::auth::{Principal, Reach};
use crate::cluster::is_being_deleted;

/// Narrows a list to an agency or tenant.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only this agency's.
    pub agency_id: Option<Uuid>,
    /// Only this tenant's.
    pub tenant_id: Option<Uuid>,
    /// Only the one with this name.
    pub name: Option<String>,
    /// Items per page, 1 to 100. Default 50.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// Items to skip. Default 0.
    #[param(minimum = 0)]
    pub offset: Option<u32>,
}

/// Naming one's own scope wrongly is an error of its own; anything else one cannot see is just not there.
pub fn own_scope(principal: &Principal, agency: Option<Uuid>, tenant: Option<Uuid>) -> Result<(), ApiError> {
    let (own_agency, own_tenant) = match principal.reach() {
        Reach::Platform => return Ok(()),
        Reach::Agency(own) => (own, None),
        Reach::Tenant { agency, tenant } => (agency, Some(tenant)),
    };
    if agency.is_some_and(|named| named != own_agency) {
        return Err(ApiError::field("agencyId", Code::AuthzAgencyMismatch, "this is not your agency"));
    }
    match (own_tenant, tenant) {
        (Some(own), Some(named)) if own != named => {
            Err(ApiError::field("tenantId", Code::AuthzTenantMismatch, "this is not your tenant"))
        }
        _ => Ok(()),
    }
}

/// One page of what the caller may see, by name.
pub fn list<K: Kind>(
    app: &App,
    caller: &Caller,
    params: &ListParams,
) -> Result<Json<Collection<ResourceView<K::Spec>>>, ApiError> {
    let principal = caller.may(K::VIEW)?;
    let page = Page::checked(params.limit, params.offset, MAX_LIMIT)?;
    own_scope(principal, params.agency_id, params.tenant_id)?;
    let mut views: Vec<_> = K::store(&app.directory)
        .state()
        .into_iter()
        .filter(|object| !is_being_deleted(object.as_ref()))
        .filter_map(|object| seen(app, principal, object.as_ref()))
        .filter(|(_, agency, tenant, _)| {
            params.agency_id.is_none_or(|wanted| wanted == *agency)
                && params.tenant_id.is_none_or(|wanted| Some(wanted) == *tenant)
        })
        .map(|(id, agency, tenant, object)| ResourceView::of(object.as_ref(), id, agency, tenant))
        .filter(|view| params.name.as_ref().is_none_or(|wanted| *wanted == view.name))
        .collect();
    views.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let (data, pagination) = page.cut(views);
    Ok(Json(Collection { data, pagination }))
}

/// An object with its ids, when the caller may see it.
fn seen<K: Kind>(app: &App, principal: &Principal, object: &K) -> Option<(Uuid, Uuid, Option<Uuid>, Arc<K>)> {
    let id = object.id()?;
    let (agency, tenant) = object.owner(&app.directory)?;
    principal.reach().covers(Some(agency), tenant).then(|| (id, agency, tenant, Arc::new(object.clone())))
}

/// One object the caller may see, from the reflector.
pub struct Found<K> {
    /// The object.
    pub object: Arc<K>,
    /// Its id.
    pub id: Uuid,
    /// The agency it belongs to.
    pub agency: Uuid,
    /// The tenant it belongs to.
    pub tenant: Option<Uuid>,
}

/// Finds an object by id: in the reflector, else by what the database knows of the id. Deleted ones are 410 for those
/// who could see them; everything else is the same 404.
pub async fn find<K: Kind>(app: &App, principal: &Principal, id: Uuid) -> Result<Found<K>, ApiError> {
    let present = K::store(&app.directory).find(|object| object.id() == Some(id) && !is_being_deleted(object));
    if let Some((id, agency, tenant, object)) = present.and_then(|object| seen(app, principal, object.as_ref())) {
        return Ok(Found { object, id, agency, tenant });
    }
    let Some(row) = registered(app, principal, id).await? else { return Err(ApiError::not_found()) };
    if row.kind != K::STORED {
        return Err(ApiError::not_found());
    }
    // Registered by a request a moment ago, and the operator has not written the id into the status yet.
    let reference = kube::runtime::reflector::ObjectRef::<K>::new(&row.name);
    let reference = if row.namespace.is_empty() { reference } else { reference.within(&row.namespace) };
    match K::store(&app.directory).get(&reference) {
        Some(object) if !is_being_deleted(object.as_ref()) && row.deleted_at.is_none() => {
            Ok(Found { object, id, agency: row.agency.0, tenant: row.tenant.map(|tenant| tenant.0) })
        }
        _ => Err(ApiError::new(Code::ResDeleted, "the resource was deleted; its history is kept")),
    }
}

/// The row of an id, within what the caller may see (row-level security decides).
async fn registered(app: &App, principal: &Principal, id: Uuid) -> Result<Option<Resource>, ApiError> {
    let mut tx = app.db.begin(&app.scope(principal)).await?;
    Ok(resources::get(&mut tx, id).await?)
}

/// One object, with its ETag.
pub async fn get<K: Kind>(app: &App, caller: &Caller, id: Uuid) -> Result<Response, ApiError> {
    let principal = caller.may(K::VIEW)?;
    let found = find::<K>(app, principal, id).await?;
    Ok(tagged(ResourceView::of(found.object.as_ref(), found.id, found.agency, found.tenant)))
}

/// An answer with the version as ETag.
pub fn tagged<S: Serialize>(view: ResourceView<S>) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", view.version));
    let mut response = Json(Single { data: view }).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
