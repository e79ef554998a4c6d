//! VoiceAgent: the pool of runtime pods that its calls run on, and the keys that its providers need.
//!
//! One pool serves all agents of a tenant, but for those that ask for a pool of their own. Every pass builds the whole
//! pool from all of its agents, so it does not matter which of them the pass is about. The pods never see an agent: what
//! it says and how it listens comes with each call, so an edit restarts nothing.
//!
//! | module | what it decides |
//! | --- | --- |
//! | [`membership`] | which pool an agent asks for, which one its calls go to, who shares one |
//! | [`pool`], [`scheduling`] | what the pods of a pool look like and where they run |
//! | [`scaling`] | by which rules the operator scales it |
//! | [`retire`] | when a pool that nobody needs is gone |

mod build;
mod cleanup;
pub mod controller;
mod credentials;
mod events;
pub(crate) mod membership;
mod observe;
mod pool;
mod retire;
mod scaling;
mod scheduling;
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
use crate::pool::closed_nodes::{Decision, Stage};

/// Secrets are not watched, because watching them needs the right to list them: they are read again this often.
const SECRETS_AGAIN: Duration = Duration::from_secs(15);
/// Between the end of a stabilisation window and the pass that acts on it.
const A_MOMENT: Duration = Duration::from_secs(1);

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
            let canary = seen.canary.as_ref().and_then(|tried| tried.deployment.as_ref());
            build::all(valid).apply(seen.deployment.as_ref(), canary, apply).await?;
        }
        let status = status::compute(self, &seen, &plan, ctx.now());
        let mut notes = events::notes(self, &seen, &status);
        let pools = plan.iter().flat_map(|valid| [Some(&valid.pool), valid.canary.as_ref()]).flatten();
        notes.extend(pools.filter_map(|pool| news_of_closed_nodes(pool, ctx)));
        write_status(self, status, ctx, apply).await?;
        events::publish(self, &notes, ctx).await;
        let namespace = self.namespace().unwrap_or_default();
        // By what the caches say: a pool is left alone until everybody can see that no agent's calls go there.
        if seen.home.is_ok() && observe::all_readable(ctx.stores(), &namespace) {
            retire::unneeded(&namespace, &membership::needed(&seen.agents), ctx, apply).await?;
        }
        let uses_secrets = seen.home.as_ref().is_ok_and(|home| !home.effective(self).secrets().is_empty());
        let again = if uses_secrets { SECRETS_AGAIN } else { RESYNC };
        let scaled = seen.scaling.and_then(|verdict| verdict.decision.look_again);
        // A moment later: peaks are counted in whole samples.
        Ok(Action::requeue(scaled.map_or(again, |scaled| again.min(scaled + A_MOMENT))))
    }

    async fn cleanup(&self, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx, apply).await
    }
}

fn news_of_closed_nodes(pool: &validate::Pool, ctx: &Context) -> Option<events::Note> {
    let left = Decision { one_more: false, stage: Stage::Left, leaving: 0 };
    let decision = pool.closed_nodes.unwrap_or(left);
    ctx.pools.substitutes.is_news(&pool.id, decision.stage).then(|| events::of_closed_nodes(&decision))?
}

#[cfg(test)]
mod tests;
