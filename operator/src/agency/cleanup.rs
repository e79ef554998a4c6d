//! What goes with an agency: first its trunks, then its tenants, then its namespace.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use voxplane_crds::{Agency, Tenant, names};
use voxplane_store::resources::ResourceKind;

use super::program;
use super::validate::owned_namespace;
use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::identity;
use crate::kind::{Cleanup, waiting_for_all};
use crate::livekit::desired::Holder;
use crate::namespaces;

/// Does the next step.
///
/// # Errors
/// When the API server, LiveKit or the database fails.
pub async fn run(agency: &Agency, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
    let name = agency.name_any();
    let namespace = names::agency_namespace(&name);
    let id = identity::last(ctx, agency, ResourceKind::Agency).await?;

    // First, so that no new call comes; and a deleted PhoneNumber waits until it is on no trunk.
    if let Some(agency_id) = id
        && ctx.livekit.is_some()
    {
        let holder = Holder { agency_id, agency: name.clone() };
        if let Some(failure) = program::converge(&holder, &[], ctx).await.failure {
            return Err(failure.into());
        }
    }
    let tenants = ctx.stores().tenants.within(&namespace);
    if !tenants.is_empty() {
        for tenant in tenants.iter().filter(|tenant| kube::Resource::meta(&***tenant).deletion_timestamp.is_none()) {
            apply.delete::<Tenant>(&namespace, &tenant.name_any()).await?;
        }
        return Ok(Cleanup::waiting(waiting_for_all("tenants", tenants.iter().map(|tenant| tenant.name_any()))));
    }
    ctx.programmed.forget(&name);
    ctx.carriers.forget(&name);
    let found = Api::<Namespace>::all(ctx.client.clone())
        .get_opt(&namespace)
        .await
        .map_err(Error::kubernetes(format!("read Namespace {namespace}")))?;
    if let Some(own) = owned_namespace(found.as_ref(), id) {
        if own.metadata.deletion_timestamp.is_none() {
            apply.delete_cluster::<Namespace>(&namespace, own.uid()).await?;
        }
        return Ok(Cleanup::waiting(namespaces::going(own)));
    }
    identity::retire(ctx, id).await?;
    Ok(Cleanup::Done)
}
