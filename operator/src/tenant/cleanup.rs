//! What goes with a tenant, in this order: numbers, so that no new call comes; agents, whose calls finish; knowledge;
//! at last the namespace with everything left in it.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Resource, ResourceExt as _};
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};
use voxplane_store::resources::ResourceKind;

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::identity;
use crate::kind::{Cleanup, waiting_for_all};
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
    let id = identity::last(ctx, tenant, ResourceKind::Tenant).await?;
    let namespace = names::tenant_namespace(&agency, &tenant.name_any());
    let found = Api::<Namespace>::all(ctx.client.clone())
        .get_opt(&namespace)
        .await
        .map_err(Error::kubernetes(format!("read Namespace {namespace}")))?;
    let own = found.filter(|namespace| id.is_some_and(|id| namespaces::is_ours(namespace, id)));
    if let Some(own) = own {
        let stores = ctx.stores();
        let mut left = ("phone numbers", empty::<PhoneNumber>(&stores.numbers, &namespace, apply).await?);
        if left.1.is_empty() {
            left = ("voice agents", empty::<VoiceAgent>(&stores.agents, &namespace, apply).await?);
        }
        if left.1.is_empty() {
            left = ("knowledge bases", empty::<KnowledgeBase>(&stores.knowledge, &namespace, apply).await?);
        }
        if !left.1.is_empty() {
            return Ok(Cleanup::waiting(waiting_for_all(left.0, left.1)));
        }
        if own.metadata.deletion_timestamp.is_none() {
            apply.delete_cluster::<Namespace>(&namespace, own.uid()).await?;
        }
        return Ok(Cleanup::waiting(namespaces::going(&own)));
    }
    identity::retire(ctx, id).await?;
    Ok(Cleanup::Done)
}

/// Deletes everything of a kind in the namespace; returns the names of what is left.
async fn empty<K>(cache: &Cache<Guarded<K>>, namespace: &str, apply: &Applier) -> Result<Vec<String>, Error>
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
    Ok(objects.iter().map(|object| object.name_any()).collect())
}
