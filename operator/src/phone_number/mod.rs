//! PhoneNumber: who has the number, and whether calls to it reach an agent.
//!
//! Nothing is made for a PhoneNumber in the cluster: the number is put on the trunk of its carrier connection, which
//! belongs to the agency. Pointing it to another agent writes nothing to LiveKit; the API looks that up for every call.
//! Where the connection is an account at a carrier, the number is bought there if need be, its calls are sent to us, and
//! the carrier is told where they go while the platform does not answer.

mod answers;
mod cleanup;
pub mod controller;
pub mod fallback;
mod observe;
mod order;
pub mod purchase;
mod status;
mod validate;

use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::{PhoneNumber, PhoneNumberStatus};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, RESYNC, write_status};

impl Kind for PhoneNumber {
    type Status = PhoneNumberStatus;
    const LABEL: &'static str = "phone-number";

    fn api(&self, client: Client) -> Api<Self> {
        Api::namespaced(client, &self.namespace().unwrap_or_default())
    }

    fn status(&self) -> Option<&PhoneNumberStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
        let mut seen = observe::read(self, ctx).await?;
        seen.carrier = Box::pin(order::advance(self, &seen, ctx)).await?;
        seen.fallback = Box::pin(fallback::advance(self, &seen, ctx)).await?;
        let plan = validate::check(self, &seen);
        write_status(self, status::compute(self, &seen, &plan, ctx.now()), ctx, apply).await?;
        let look_again = [seen.carrier.look_again, seen.fallback.look_again].into_iter().flatten().min();
        Ok(Action::requeue(look_again.unwrap_or(RESYNC).min(RESYNC)))
    }

    async fn cleanup(&self, ctx: &Context, _: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx).await
    }
}

#[cfg(test)]
mod tests;
