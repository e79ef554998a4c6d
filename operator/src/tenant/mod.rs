//! Tenant: its namespace with guard rails.

mod build;
mod cleanup;
pub mod controller;
mod observe;
mod status;
mod validate;

use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::{Tenant, TenantStatus};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, write_status};
use crate::namespaces::Counting;

impl Kind for Tenant {
    type Status = TenantStatus;
    const LABEL: &'static str = "tenant";

    fn api(&self, client: Client) -> Api<Self> {
        Api::namespaced(client, &self.namespace().unwrap_or_default())
    }

    fn status(&self) -> Option<&TenantStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
        let seen = observe::read(self, ctx).await?;
        let plan = validate::check(self, &seen);
        let mut counting = Counting::Yes;
        if let Ok(valid) = &plan {
            counting = build::all(valid).apply(seen.namespace.as_ref(), apply).await?;
        }
        write_status(self, status::compute(self, &seen, &plan, counting, ctx.now()), ctx, apply).await?;
        Ok(Action::requeue(counting.look_again()))
    }

    async fn cleanup(&self, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx, apply).await
    }
}

#[cfg(test)]
mod tests;
