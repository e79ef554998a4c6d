//! VoiceAgent: its part in the tenant's pool of runtime pods, and the keys that its providers need.
//!
//! One pool serves all agents of a tenant. Every pass builds the whole pool from all of them, so it does not matter
//! which agent the pass is about. The pods never see an agent: what it says and how it listens comes with each call, so
//! an edit restarts nothing.

mod build;
mod cleanup;
pub mod controller;
mod credentials;
mod observe;
mod pool;
mod status;
mod validate;

use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::{VoiceAgent, VoiceAgentStatus};

use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, RESYNC, write_status};

/// Secrets are not watched, because watching them needs the right to list them: they are read again this often.
const SECRETS_AGAIN: Duration = Duration::from_secs(15);

impl Kind for VoiceAgent {
    type Status = VoiceAgentStatus;
    const LABEL: &'static str = "voice-agent";

    fn api(&self, client: Client) -> Api<Self> {
        Api::namespaced(client, &self.namespace().unwrap_or_default())
    }

    fn status(&self) -> Option<&VoiceAgentStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, ctx: &Context, apply: &Applier) -> Result<Action, Error> {
        let seen = observe::read(self, ctx).await?;
        let plan = validate::check(self, &seen);
        if let Ok(valid) = &plan {
            build::all(valid).apply(apply).await?;
        }
        write_status(self, status::compute(self, &seen, &plan, ctx.now()), ctx, apply).await?;
        let uses_secrets = !self.spec.secret_refs().is_empty();
        Ok(Action::requeue(if uses_secrets { SECRETS_AGAIN } else { RESYNC }))
    }

    async fn cleanup(&self, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx, apply).await
    }
}

#[cfg(test)]
mod tests;
