//! Has namespaces and their quotas be as described, with as few requests as that takes.

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt as _};

use super::Counting;
use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;

/// Applies a quota. Returns whether it counts already; while it does not, it is applied again in every pass, because that
/// also shows its status.
///
/// # Errors
/// What the API server answered.
pub async fn ensure_quota(quota: &ResourceQuota, apply: &Applier) -> Result<Counting, Error> {
    let counting = apply.ensure(quota).await?.as_ref().map_or(Counting::Yes, Counting::of);
    if counting == Counting::NotYet {
        apply.forget(quota);
    }
    Ok(counting)
}

/// Makes a namespace, or has ours carry its labels.
///
/// # Errors
/// What the API server answered; a conflict when somebody else made it in the meantime.
pub async fn ensure_namespace(desired: &Namespace, found: Option<&Namespace>, apply: &Applier) -> Result<(), Error> {
    match found {
        None => apply.create_namespace(desired).await.map(drop),
        Some(found) if desired.labels().iter().all(|(key, value)| found.labels().get(key) == Some(value)) => Ok(()),
        Some(_) => apply.apply_namespace(desired).await.map(drop),
    }
}

/// A namespace as the watch has it, if it is one of ours; else as the API server has it.
///
/// # Errors
/// What the API server answered.
pub async fn look_up(name: &str, ctx: &Context) -> Result<Option<Namespace>, Error> {
    let known = ctx.stores().namespaces.get(&ObjectRef::new(name));
    if let Some(known) = known {
        return Ok(Some(Namespace { metadata: known.metadata.clone(), ..Namespace::default() }));
    }
    Api::<Namespace>::all(ctx.client.clone())
        .get_opt(name)
        .await
        .map_err(Error::kubernetes(format!("read Namespace {name}")))
}
