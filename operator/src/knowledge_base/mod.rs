//! KnowledgeBase: its texts as passages in the database.

mod chunk;
mod cleanup;
pub mod controller;
mod observe;
mod status;
mod store;
mod validate;

use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::{KnowledgeBase, KnowledgeBaseStatus};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, RESYNC, write_status};

impl Kind for KnowledgeBase {
    type Status = KnowledgeBaseStatus;
    const LABEL: &'static str = "knowledge-base";

    fn api(&self, client: Client) -> Api<Self> {
        Api::namespaced(client, &self.namespace().unwrap_or_default())
    }

    fn status(&self) -> Option<&KnowledgeBaseStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
        let seen = observe::read(self, ctx).await?;
        let plan = validate::check(self, &seen);
        let stored = match &plan {
            Ok(valid) => Some(store::replace(valid, ctx).await),
            Err(_) => None,
        };
        let status = status::compute(self, &seen, &plan, stored.as_ref(), ctx.now());
        write_status(self, status, ctx, apply).await?;
        match stored {
            Some(Err(error)) if error.is_refusal() => Ok(Action::requeue(RESYNC)),
            Some(Err(error)) => Err(error.into()),
            _ => Ok(Action::requeue(RESYNC)),
        }
    }

    async fn cleanup(&self, ctx: &Context, _: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx).await
    }
}

#[cfg(test)]
mod tests;
