//! What goes with an agency: first its trunks, then its tenants, then its namespace.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use uuid::Uuid;
use voxplane_crds::{Agency, Tenant, names};

use super::program;
use super::validate::owned_namespace;
use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::identity;
use crate::kind::Cleanup;
use crate::livekit::desired::Holder;

/// Does the next step.
///
/// # Errors
/// When the API server, LiveKit or the database fails.
pub async fn run(agency: &Agency, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
    let name = agency.name_any();
    let namespace = names::agency_namespace(&name);
    let id = agency.status.as_ref().and_then(|status| status.id.as_deref()).and_then(|id| id.parse::<Uuid>().ok());

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
        let names: Vec<_> = tenants.iter().map(|tenant| tenant.name_any()).collect();
        return Ok(Cleanup::waiting(format!("waiting for its tenants to go: {}", names.join(", "))));
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
        return Ok(Cleanup::waiting(format!("waiting for namespace {namespace} to go")));
    }
    identity::retire(ctx, agency).await?;
    Ok(Cleanup::Done)
}
