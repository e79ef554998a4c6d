//! KnowledgeBase: its texts as passages in the database, found by their words and by their meaning.
//!
//! | module | job |
//! | --- | --- |
//! | [`gather`] | fetches the texts that are elsewhere |
//! | [`embed`] | makes passages comparable by meaning |
//! | [`store`] | puts the passages into the database |
//! | [`keys`] | hands the keys of services to the API |

mod cleanup;
pub mod controller;
mod embed;
mod gather;
mod keys;
mod observe;
mod status;
mod store;
mod tools;
mod validate;

pub use self::tools::Tools;

use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt as _};
use voxplane_crds::{KnowledgeBase, KnowledgeBaseStatus};
use voxplane_knowledge::settings::{Wish, wish};
use voxplane_store::KnowledgeBaseId;

use self::embed::{Maker, Progress, Work};
use self::gather::Gathered;
use self::store::{NotStored, Stored};
use self::validate::Valid;
use crate::apply::Applier;
use crate::context::Context;
use crate::error::Error;
use crate::kind::{Cleanup, Kind, RESYNC, write_status};

/// Secrets are not watched, because watching them needs the right to list them: they are read again this often.
const SECRETS_AGAIN: Duration = Duration::from_secs(15);
/// Passes for one object do not follow each other faster.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What a pass did.
#[derive(Debug)]
pub struct Done {
    gathered: Gathered,
    progress: Progress,
    stored: Result<Stored, NotStored>,
}

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
        let maker = embed::maker(self, &seen, &ctx.knowledge).await;
        if let Ok(home) = &seen.home {
            keys::hand_over(self, home, ctx, apply).await?;
        }
        let done = match &plan {
            Ok(valid) => Some(fill(valid, &maker, ctx).await),
            Err(_) => None,
        };
        let status = status::compute(self, &seen, &plan, &maker, done.as_ref(), ctx.now());
        write_status(self, status, ctx, apply).await?;
        let uses_secrets = matches!(wish(&self.spec), Wish::Service(_));
        let mut again = if uses_secrets { SECRETS_AGAIN } else { RESYNC };
        if let Some(done) = done {
            again = [done.gathered.again, done.progress.again].into_iter().flatten().fold(again, Duration::min);
            match done.stored {
                Err(error) if !error.is_refusal() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Action::requeue(again.max(A_MOMENT)))
    }

    async fn cleanup(&self, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
        cleanup::run(self, ctx, apply).await
    }
}

/// Fetches, embeds and stores.
async fn fill(valid: &Valid, maker: &Maker, ctx: &Context) -> Done {
    // Nobody's server is asked for a text that cannot be stored.
    if let Err(away) = ctx.database.begin().await {
        return Done { gathered: Gathered::default(), progress: Progress::default(), stored: Err(away.into()) };
    }
    let gathered = gather::gather(valid, &ctx.knowledge, ctx.now()).await;
    let base = KnowledgeBaseId::from(valid.id);
    let mut work = maker.model().map(|model| Work::begin(base, &**model));
    let stored = async {
        if let Some(work) = &mut work {
            work.prepare(&gathered.documents, ctx).await?;
        }
        store::replace(base, &gathered, ctx).await?;
        if let Some(work) = &mut work {
            work.catch_up(ctx).await?;
        }
        store::count(base, maker.model().map(|model| model.model()), maker.is_known(), ctx).await
    }
    .await;
    let progress = work.map(|work| work.progress).unwrap_or_default();
    Done { gathered, progress, stored }
}

#[cfg(test)]
mod tests;
