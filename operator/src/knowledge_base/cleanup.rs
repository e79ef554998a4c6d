//! What goes with a knowledge base: its passages.

use voxplane_crds::KnowledgeBase;
use voxplane_store::resources::ResourceKind;
use voxplane_store::{KnowledgeBaseId, knowledge};

use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;
use crate::identity;
use crate::kind::Cleanup;

/// Removes everything stored.
///
/// # Errors
/// When the database fails; the object waits.
pub async fn run(base: &KnowledgeBase, ctx: &Context) -> Result<Cleanup, Error> {
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
    identity::retire(ctx, id).await?;
    Ok(Cleanup::Done)
}
