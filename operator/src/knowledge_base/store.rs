//! Puts the passages into the database. Texts whose hash is stored already are not written again.

use voxplane_knowledge::embed::Model;
use voxplane_store::knowledge::{self, KnowledgeStats, embeddings, origins};
use voxplane_store::{KnowledgeBaseId, StoreError};

use super::embed::key;
use super::gather::Gathered;
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

/// How much the database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Texts and passages.
    pub stats: KnowledgeStats,
    /// Passages that can be found by their meaning.
    pub embedded: i32,
    /// Hash of the texts and of how they are cut.
    pub content_hash: String,
}

/// Makes the database hold exactly these texts, in one step: a search finds the old ones or the new ones.
///
/// # Errors
/// [`NotStored`].
pub async fn replace(base: KnowledgeBaseId, gathered: &Gathered, ctx: &Context) -> Result<(), NotStored> {
    let mut tx = ctx.database.begin().await?;
    for document in &gathered.documents {
        knowledge::replace_source(&mut tx, base, &document.source, &document.hash, &document.passages).await?;
    }
    for (source, validators) in &gathered.confirmed {
        let (etag, modified) = (validators.etag.as_deref(), validators.last_modified.as_deref());
        origins::fetched(&mut tx, base, source, etag, modified).await?;
    }
    let documents = gathered.documents.iter().map(|document| &document.source);
    let sources: Vec<String> = documents.chain(&gathered.kept).cloned().collect();
    knowledge::remove_sources_except(&mut tx, base, &sources).await?;
    Ok(tx.commit().await?)
}

/// Counts what the database holds, and removes embeddings that nobody needs any more. `model`: what makes them; `is_known`:
/// whether that is known, or only not at hand, so that what was made before must stay.
///
/// # Errors
/// [`NotStored`].
pub async fn count(
    base: KnowledgeBaseId,
    model: Option<&Model>,
    is_known: bool,
    ctx: &Context,
) -> Result<Stored, NotStored> {
    let mut tx = ctx.database.begin().await?;
    if is_known {
        embeddings::remove_others(&mut tx, base, model.map(key)).await?;
    }
    let embedded = match model {
        Some(model) => embeddings::embedded(&mut tx, base, key(model)).await?,
        None => 0,
    };
    let stats = knowledge::stats(&mut tx, base).await?;
    let texts = origins::list(&mut tx, base).await?;
    tx.commit().await?;
    let hashes: Vec<&str> = texts.iter().map(|text| text.content_hash.as_str()).collect();
    Ok(Stored { stats, embedded, content_hash: voxplane_knowledge::hash(&hashes) })
}
