//! Agencies, tenants, phone numbers and knowledge bases: to be read; they are changed as custom resources.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant};

use super::super::error::ApiError;
use super::super::extract::{Caller, Id, Params};
use super::super::page::{Collection, Single};
use super::super::router::App;
use super::super::views::{AgencySpec, KnowledgeBaseSpec, PhoneNumberSpec, ResourceView, TenantSpec};
use super::kinds::{self, ListParams};

macro_rules! readable {
    ($(
        $list:ident, $get:ident, $path:literal, $one:literal, $tag:literal, $lists:literal, $gets:literal,
        $kind:ident, $spec:ident;
    )*) => {
        $(
            #[utoipa::path(
                get,
                path = $path,
                summary = $lists,
                tag = $tag,
                params(ListParams),
                responses((status = 200, description = "The page asked for", body = Collection<ResourceView<$spec>>)),
                security(("bearer" = []))
            )]
            async fn $list(
                State(app): State<Arc<App>>,
                caller: Caller,
                Params(params): Params<ListParams>,
            ) -> Result<Json<Collection<ResourceView<$spec>>>, ApiError> {
                kinds::list::<$kind>(&app, &caller, &params)
            }

            #[utoipa::path(
                get,
                path = $one,
                summary = $gets,
                tag = $tag,
                params(("id" = uuid::Uuid, Path, description = "Id")),
                responses((
                    status = 200, description = "The resource as it is now", body = Single<ResourceView<$spec>>,
                    headers(("ETag" = String))
                )),
                security(("bearer" = []))
            )]
            async fn $get(State(app): State<Arc<App>>, caller: Caller, Id(id): Id) -> Result<Response, ApiError> {
                kinds::get::<$kind>(&app, &caller, id).await
            }
        )*

        /// All of them.
        pub fn router() -> OpenApiRouter<Arc<App>> {
            OpenApiRouter::new()$(.routes(routes!($list)).routes(routes!($get)))*
        }
    };
}

readable! {
    list_agencies, get_agency, "/agencies", "/agencies/{id}", "agencies",
        "Lists the agencies that you may see, by name.", "Gets one agency.", Agency, AgencySpec;
    list_tenants, get_tenant, "/tenants", "/tenants/{id}", "tenants",
        "Lists the tenants that you may see, by name.", "Gets one tenant.", Tenant, TenantSpec;
    list_phone_numbers, get_phone_number, "/phone-numbers", "/phone-numbers/{id}", "phone numbers",
        "Lists the phone numbers that you may see, by name.", "Gets one phone number.", PhoneNumber, PhoneNumberSpec;
    list_knowledge_bases, get_knowledge_base, "/knowledge-bases", "/knowledge-bases/{id}", "knowledge bases",
        "Lists the knowledge bases that you may see, by name.", "Gets one knowledge base.",
        KnowledgeBase, KnowledgeBaseSpec;
}
