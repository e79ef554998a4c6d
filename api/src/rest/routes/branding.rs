//! How a tenant sees the product.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use voxplane_crds::Tenant;

use super::super::error::ApiError;
use super::super::extract::{Caller, Id};
use super::super::page::Single;
use super::super::router::App;
use super::super::views::BrandingView;
use super::kinds::find;
use crate::auth::Permission;
use crate::cluster::id_of;

/// Says under which name and in which colours a tenant sees the product: its agency's `branding`, with everything that
/// follows from what it leaves out.
#[utoipa::path(
    get, path = "/tenants/{id}/branding", tag = "tenants", params(("id" = uuid::Uuid, Path, description = "Id of the tenant")),
    responses((status = 200, description = "The branding as it is now", body = Single<BrandingView>)),
    security(("bearer" = []))
)]
async fn get_tenant_branding(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Single<BrandingView>>, ApiError> {
    let principal = caller.may(Permission::TenantsView)?;
    let found = find::<Tenant>(&app, principal, id).await?;
    let agency = app.directory.agencies.find(|agency| id_of(agency.status.as_ref()) == Some(found.agency));
    let agency = agency.ok_or_else(ApiError::not_found)?;
    Ok(Json(Single { data: BrandingView::of(&agency) }))
}

/// All routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_tenant_branding))
}
