//! Everything that is read for a knowledge base.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use voxplane_crds::KnowledgeBase;
use voxplane_knowledge::settings::{Wish, wish};
use voxplane_store::KnowledgeBaseId;
use voxplane_store::knowledge::origins::{self, Origin};
use voxplane_store::resources::ResourceKind;

use crate::context::Context;
use crate::error::Error;
use crate::home::{self, Home};
use crate::identity::{Identity, identify};
use crate::status::Problem;

/// What was seen.
#[derive(Debug)]
pub struct Observed {
    /// Its tenant, or why it has none.
    pub home: Result<Home, Problem>,
    /// Its id; `None` while its tenant is not accepted.
    pub identity: Option<Identity>,
    /// The Secret with the key of the service that makes embeddings, if it names one that exists.
    pub secret: Option<Secret>,
    /// What is stored of its sources; empty while the database is away.
    pub origins: Vec<Origin>,
}

/// Reads everything.
///
/// # Errors
/// When the API server or the database fails.
pub async fn read(base: &KnowledgeBase, ctx: &Context) -> Result<Observed, Error> {
    let home = home::find(ctx.stores(), &base.metadata);
    let Ok(owner) = &home else {
        return Ok(Observed { home, identity: None, secret: None, origins: Vec::new() });
    };
    let (agency, tenant) = (Some(owner.agency_id), Some(owner.tenant_id));
    let identity = identify(ctx, base, ResourceKind::KnowledgeBase, agency, tenant).await?;
    let secret = match wish(&base.spec) {
        Wish::Service(service) => secret(&service.secret, base, ctx).await?,
        Wish::Nobody | Wish::MiniLm { .. } => None,
    };
    let origins = origins(&identity, ctx).await?;
    Ok(Observed { home, identity: Some(identity), secret, origins })
}

/// A Secret in the namespace of a knowledge base.
///
/// # Errors
/// When the API server fails.
pub async fn secret(name: &str, base: &KnowledgeBase, ctx: &Context) -> Result<Option<Secret>, Error> {
    let namespace = base.namespace().unwrap_or_default();
    let api = Api::<Secret>::namespaced(ctx.client.clone(), &namespace);
    api.get_opt(name).await.map_err(Error::kubernetes(format!("read Secret {namespace}/{name}")))
}

async fn origins(identity: &Identity, ctx: &Context) -> Result<Vec<Origin>, Error> {
    let (Identity::Registered(id), Ok(mut tx)) = (identity, ctx.database.begin().await) else { return Ok(Vec::new()) };
    Ok(origins::list(&mut tx, KnowledgeBaseId::from(*id)).await?)
}
