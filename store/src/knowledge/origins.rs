//! What is known of the places texts were fetched from.

use jiff::Timestamp;

use crate::{KnowledgeBaseId, ScopedTx, StoreError, timestamp};

/// What the server said when a text was fetched last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the KnowledgeBase.
    pub source: String,
    /// Hash of what is stored of it.
    pub content_hash: String,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
    /// When it was last known to be as the server has it; `None`: the text stands in the resource.
    pub fetched_at: Option<Timestamp>,
}

/// What is stored of the sources of a knowledge base.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn list(tx: &mut ScopedTx, base: KnowledgeBaseId) -> Result<Vec<Origin>, StoreError> {
    let rows = sqlx::query!(
        "SELECT source, content_hash, etag, last_modified, fetched_at FROM knowledge_documents
         WHERE knowledge_base_id = $1 ORDER BY source",
        base.0
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Origin {
                source: row.source,
                content_hash: row.content_hash,
                etag: row.etag,
                last_modified: row.last_modified,
                fetched_at: row.fetched_at.map(timestamp::from_db).transpose()?,
            })
        })
        .collect()
}

/// Notes that a source is as its server has it, now.
///
/// # Errors
/// [`StoreError::NotFound`] when nothing is stored of the source.
pub async fn fetched(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    source: &str,
    etag: Option<&str>,
    last_modified: Option<&str>,
) -> Result<(), StoreError> {
    let noted = sqlx::query!(
        "UPDATE knowledge_documents SET etag = $3, last_modified = $4, fetched_at = now()
         WHERE knowledge_base_id = $1 AND source = $2",
        base.0,
        source,
        etag,
        last_modified
    )
    .execute(tx.connection())
    .await?;
    if noted.rows_affected() == 0 { Err(StoreError::NotFound { what: "source" }) } else { Ok(()) }
}
