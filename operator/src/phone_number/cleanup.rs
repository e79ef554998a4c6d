//! What goes with a phone number: first its place on the trunk, then, if `deletionPolicy` says so, the number itself. A
//! carrier of type `sip` has nothing to give back.

use kube::ResourceExt as _;
use voxplane_crds::PhoneNumber;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_telephony::E164;

use super::order;
use crate::context::Context;
use crate::error::Error;
use crate::identity;
use crate::kind::Cleanup;
use crate::watch::ObjectKey;

/// Does the next step. The claim ended with the deletion, and the agency's own pass takes the number off the trunk.
///
/// # Errors
/// When the API server or the database fails.
pub async fn run(number: &PhoneNumber, ctx: &Context) -> Result<Cleanup, Error> {
    let namespace = number.namespace().unwrap_or_default();
    if let Some(NamespaceOwner::Tenant { agency, .. }) = names::owner_of_namespace(&namespace)
        && ctx.livekit.is_some()
        && ctx.stores().agency(&agency).is_some()
        // A sibling may have claimed it as well and gets it now: then it stays on the trunk, rightly.
        && let Some(e164) = number.number().and_then(|number| E164::parse(number).ok())
        && ctx.router.court.judgement(ctx.stores()).holder(&e164).is_none()
        // Not known just after a start: the agency's first pass will tell.
        && ctx.programmed.has_number(&agency, &e164) != Some(false)
    {
        ctx.router.queues.agencies.push(ObjectKey::cluster(agency));
        return Ok(Cleanup::waiting("waiting for the number to be taken off the trunk"));
    }
    if let Some(waiting) = Box::pin(order::finish(number, ctx)).await? {
        return Ok(waiting);
    }
    ctx.fallbacks.forget(&ObjectKey::of(number));
    identity::retire(ctx, number).await?;
    Ok(Cleanup::Done)
}
