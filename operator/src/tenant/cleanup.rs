//! What goes with a tenant, in this order: numbers, so that no new call comes; agents, whose calls finish; knowledge;
//! at last the namespace with everything left in it.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Resource, ResourceExt as _};
use uuid::Uuid;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::identity;
use crate::kind::Cleanup;
use crate::namespaces;
use crate::watch::{Cache, Guarded};

/// Does the next step.
///
/// # Errors
/// When the API server or the database fails.
pub async fn run(tenant: &Tenant, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
    let home = tenant.namespace().unwrap_or_default();
    let Some(NamespaceOwner::Agency(agency)) = names::owner_of_namespace(&home) else {
        // Never accepted, so nothing was made.
        return Ok(Cleanup::Done);
    };
    let id = tenant.status.as_ref().and_then(|status| status.id.as_deref()).and_then(|id| id.parse::<Uuid>().ok());
    let namespace = names::tenant_namespace(&agency, &tenant.name_any());
    let found = Api::<Namespace>::all(ctx.client.clone())
        .get_opt(&namespace)
        .await
        .map_err(Error::kubernetes(format!("read Namespace {namespace}")))?;
    let own = found.filter(|namespace| id.is_some_and(|id| namespaces::is_ours(namespace, id)));
    if let Some(own) = own {
        let stores = ctx.stores();
        let numbers = empty::<PhoneNumber>(&stores.numbers, &namespace, apply).await?;
        let left = match numbers {
            0 => match empty::<VoiceAgent>(&stores.agents, &namespace, apply).await? {
                0 => (empty::<KnowledgeBase>(&stores.knowledge, &namespace, apply).await?, "knowledge bases"),
                agents => (agents, "voice agents"),
            },
            numbers => (numbers, "phone numbers"),
        };
        if left.0 > 0 {
            return Ok(Cleanup::waiting(format!("waiting for its {} to go: {} left", left.1, left.0)));
        }
        if own.metadata.deletion_timestamp.is_none() {
            apply.delete_cluster::<Namespace>(&namespace, own.uid()).await?;
        }
        return Ok(Cleanup::waiting(format!("waiting for namespace {namespace} to go")));
    }
    identity::retire(ctx, tenant).await?;
    Ok(Cleanup::Done)
}

/// Deletes everything of a kind in the namespace; returns how many are left.
async fn empty<K>(cache: &Cache<Guarded<K>>, namespace: &str, apply: &Applier) -> Result<usize, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Send
        + Sync
        + serde::de::DeserializeOwned
        + 'static,
{
    let objects = cache.within(namespace);
    for object in &objects {
        if object.meta().deletion_timestamp.is_none() {
            apply.delete::<K>(namespace, &object.name_any()).await?;
        }
    }
    Ok(objects.len())
}
