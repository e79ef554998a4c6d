//! Puts the passages into the database. Texts whose hash is stored already are not written again.

use voxplane_store::knowledge::{self, KnowledgeStats};
use voxplane_store::{KnowledgeBaseId, StoreError};

use super::validate::Valid;
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotStored(#[from] DatabaseAway);

impl From<StoreError> for NotStored {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl NotStored {
    /// The texts cannot be stored as they are.
    pub fn is_invalid(&self) -> bool {
        matches!(&self.0, DatabaseAway::Failed(StoreError::Invalid { .. }))
    }

    /// Trying again does not help; when the database comes back, everything is looked at again.
    pub fn is_refusal(&self) -> bool {
        self.is_invalid() || matches!(&self.0, DatabaseAway::NotConfigured(_) | DatabaseAway::Away(_))
    }
}

impl From<NotStored> for Error {
    fn from(error: NotStored) -> Self {
        error.0.into()
    }
}

/// Makes the database hold exactly these texts; returns how much it holds then.
///
/// # Errors
/// [`NotStored`].
pub async fn replace(valid: &Valid, ctx: &Context) -> Result<KnowledgeStats, NotStored> {
    let base = KnowledgeBaseId::from(valid.id);
    let mut tx = ctx.database.begin().await?;
    for document in &valid.documents {
        knowledge::replace_source(&mut tx, base, &document.source, &document.hash, &document.passages).await?;
    }
    let sources: Vec<String> = valid.documents.iter().map(|document| document.source.clone()).collect();
    knowledge::remove_sources_except(&mut tx, base, &sources).await?;
    let stats = knowledge::stats(&mut tx, base).await?;
    tx.commit().await?;
    Ok(stats)
}
