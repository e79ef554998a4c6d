//! Agency: its namespace, and its carrier connections in LiveKit.

mod build;
mod cleanup;
pub mod controller;
mod observe;
mod outbound;
mod program;
mod status;
mod validate;

use kube::runtime::controller::Action;
use kube::{Api, Client};
use voxplane_crds::{Agency, AgencyStatus};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, write_status};
use crate::namespaces::Counting;

impl Kind for Agency {
    type Status = AgencyStatus;
    const LABEL: &'static str = "agency";

    fn api(&self, client: Client) -> Api<Self> {
        Api::all(client)
    }

    fn status(&self) -> Option<&AgencyStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
        let seen = observe::read(self, ctx).await?;
        let plan = validate::check(self, &seen);
        let mut counting = Counting::Yes;
        let programmed = match &plan {
            Ok(valid) => {
                counting = build::all(valid).apply(seen.namespace.as_ref(), apply).await?;
                program::converge(&valid.holder, &valid.connections, ctx).await
            }
            // A mistake must not end anybody's calls, and numbers that were given up still leave their trunks.
            Err(_) => match validate::as_found(self, &seen) {
                Some((holder, connections)) => program::converge(&holder, &connections, ctx).await,
                None => program::Outcome::default(),
            },
        };
        let status = status::compute(self, &seen, &plan, &programmed, counting, ctx.now());
        write_status(self, status, ctx, apply).await?;
        let look_again = programmed.look_again().min(counting.look_again());
        programmed.failure.map_or(Ok(Action::requeue(look_again)), |error| Err(error.into()))
    }

    async fn cleanup(&self, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx, apply).await
    }
}

#[cfg(test)]
mod tests;
