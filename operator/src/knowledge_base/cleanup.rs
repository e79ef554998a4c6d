//! What goes with a knowledge base: its passages, and its share of the keys that the API may read.

use voxplane_crds::KnowledgeBase;
use voxplane_store::resources::ResourceKind;
use voxplane_store::{KnowledgeBaseId, knowledge};

use super::keys;
use crate::apply::Applier;
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;
use crate::home;
use crate::identity;
use crate::kind::Cleanup;

/// Removes everything stored.
///
/// # Errors
/// When the database or the API server fails; the object waits.
pub async fn run(base: &KnowledgeBase, ctx: &Context, apply: &Applier) -> Result<Cleanup, Error> {
    let id = identity::last(ctx, base, ResourceKind::KnowledgeBase).await?;
    if let Some(id) = id {
        match ctx.database.begin().await {
            Ok(mut tx) => {
                knowledge::remove_base(&mut tx, KnowledgeBaseId::from(id)).await?;
                tx.commit().await?;
            }
            Err(DatabaseAway::NotConfigured(_)) => {}
            Err(away) => return Err(away.into()),
        }
    }
    // Of a tenant that goes too, the namespace takes them along.
    if let Ok(home) = home::find(ctx.stores(), &base.metadata) {
        keys::hand_over(base, &home, ctx, apply).await?;
    }
    identity::retire(ctx, id).await?;
    Ok(Cleanup::Done)
}
