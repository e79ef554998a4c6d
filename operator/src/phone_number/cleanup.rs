//! What goes with a phone number: first its place on the trunk, then, if `deletionPolicy` says so, the number itself. A
//! carrier of type `sip` has nothing to give back.

use kube::ResourceExt as _;
use voxplane_crds::conditions::{self, reasons, types};
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{Agency, PhoneNumber};
use voxplane_store::resources::ResourceKind;
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
        let waiting = still_on_trunk(ctx.stores().agency(&agency).as_ref());
        ctx.router.queues.agencies.push(ObjectKey::cluster(agency));
        return Ok(waiting);
    }
    if let Some(waiting) = Box::pin(order::finish(number, ctx)).await? {
        return Ok(waiting);
    }
    ctx.fallbacks.forget(&ObjectKey::of(number));
    identity::retire(ctx, identity::last(ctx, number, ResourceKind::PhoneNumber).await?).await?;
    Ok(Cleanup::Done)
}

/// The agency's pass works on the trunk, and its status says what LiveKit does not do.
fn still_on_trunk(agency: Option<&Agency>) -> Cleanup {
    let waiting = "waiting for the number to be taken off the trunk";
    let conditions = agency.and_then(|agency| agency.status.as_ref()).map(|status| status.conditions.as_slice());
    let trouble = [types::PROGRAMMED, types::READY].into_iter().find_map(|type_| {
        let found = conditions::find(conditions.unwrap_or_default(), type_)?;
        (found.status == "False" && found.reason == reasons::LIVEKIT_ERROR).then_some(&found.message)
    });
    match trouble {
        Some(why) => Cleanup::waiting_for(reasons::LIVEKIT_ERROR, format!("{waiting}: {why}")),
        None => Cleanup::waiting(waiting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use voxplane_crds::conditions::Desired;

    #[test]
    fn a_number_that_livekit_does_not_give_up_says_what_livekit_says() {
        assert_eq!(still_on_trunk(None), still_on_trunk(Some(&testing::agency("brightline"))));
        let mut agency = testing::agency("brightline");
        let away = Desired::no(types::PROGRAMMED, reasons::LIVEKIT_ERROR, "cannot list the inbound trunks");
        agency.status = Some(testing::accepted(1, vec![away]));
        let Cleanup::Waiting { reason, message, .. } = still_on_trunk(Some(&agency)) else { panic!("done") };
        assert_eq!(reason, reasons::LIVEKIT_ERROR);
        assert!(message.ends_with("off the trunk: cannot list the inbound trunks"), "{message}");
    }
}
