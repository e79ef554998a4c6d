//! Routes and layers put together.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use http::StatusCode;
use kube::Client;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use voxplane_platform::health::Health;
use voxplane_store::{AgencyId, Db, Scope, TenantId};

use super::document::Base;
use super::layers::around;
use super::routes as r;
use crate::auth::{BootstrapAdmin, Principal, Reach, Tokens};
use crate::cluster::{AgentWriter, Directory};

/// Larger than any VoiceAgent may be (512 KiB), with room for JSON.
const MAX_BODY: usize = 1024 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What the routes work with.
pub struct App {
    /// Checks and signs tokens.
    pub tokens: Arc<Tokens>,
    /// The first administrator.
    pub admin: BootstrapAdmin,
    /// Custom resources.
    pub directory: Directory,
    /// Calls, ledger, ids.
    pub db: Db,
    /// For writes.
    pub kube: Client,
    /// Whether this replica serves.
    pub health: Health,
}

impl App {
    /// What the caller may see in the database.
    pub fn scope(&self, principal: &Principal) -> Scope {
        match principal.reach() {
            Reach::Platform => Scope::platform(),
            Reach::Agency(agency) => Scope::agency(AgencyId(agency)),
            Reach::Tenant { agency, tenant } => Scope::tenant(AgencyId(agency), TenantId(tenant)),
        }
    }

    /// Writes agents in a tenant's namespace.
    pub fn agents(&self, namespace: &str) -> AgentWriter {
        AgentWriter::new(self.kube.clone(), namespace)
    }
}

/// Every route, with its description.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Base::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .merge(r::auth::router())
            .merge(r::resources::router())
            .merge(r::branding::router())
            .merge(r::agents::router())
            .merge(r::calls::router())
            .merge(r::service::router()),
    )
}

/// The service.
pub fn router(app: Arc<App>) -> Router {
    let (router, _) = routes().split_for_parts();
    router.with_state(app).layer(
        ServiceBuilder::new()
            .layer(from_fn(around))
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, REQUEST_TIMEOUT))
            .layer(DefaultBodyLimit::max(MAX_BODY)),
    )
}
