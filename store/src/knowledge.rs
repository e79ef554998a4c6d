//! Knowledge: sources cut into passages, found by their words and by their meaning.

pub mod embeddings;
pub mod origins;

use uuid::Uuid;

use crate::{KnowledgeBaseId, ScopedTx, StoreError};

/// The most passages one source may have, and one search may return.
const MAX_CHUNKS: usize = 10_000;
const MAX_RESULTS: i64 = 50;
/// A spoken question is shorter; the rest would only cost time.
const MAX_QUERY_CHARS: usize = 1000;

/// A passage that fits a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Its id.
    pub id: Uuid,
    /// Where it comes from.
    pub knowledge_base: KnowledgeBaseId,
    /// The source's name in the KnowledgeBase.
    pub source: String,
    /// Its position in the source, from 0.
    pub ordinal: i32,
    /// The text.
    pub text: String,
    /// Above 0 and below 1, higher is better: mostly the share of the question's words that the passage has.
    pub score: f64,
    /// The share of the question's words that the passage has, 0 to 1.
    pub words: f64,
}

/// A passage to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The text.
    pub text: String,
    /// Hash of the text: what its embedding is found by.
    pub hash: String,
}

/// What is stored of a knowledge base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnowledgeStats {
    /// Sources.
    pub documents: i32,
    /// Passages of all sources.
    pub chunks: i32,
}

/// Stores the passages of a source, replacing those it had. Returns false when `content_hash` is the stored one and
/// nothing was written.
///
/// # Errors
/// [`StoreError::NotFound`] when the knowledge base is not registered; [`StoreError::Invalid`] for too many passages.
pub async fn replace_source(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    source: &str,
    content_hash: &str,
    chunks: &[Chunk],
) -> Result<bool, StoreError> {
    if chunks.len() > MAX_CHUNKS {
        let message = format!("{} passages: a source may have {MAX_CHUNKS}", chunks.len());
        return Err(StoreError::Invalid { field: "chunks", message });
    }
    let owner = sqlx::query!(
        r#"SELECT agency_id, tenant_id AS "tenant_id!" FROM resources
           WHERE id = $1 AND kind = 'KnowledgeBase' AND tenant_id IS NOT NULL"#,
        base.0
    )
    .fetch_optional(tx.connection())
    .await?
    .ok_or(StoreError::NotFound { what: "knowledge base" })?;
    // No row comes back when the content is the same.
    let document = sqlx::query_scalar!(
        "INSERT INTO knowledge_documents AS d (id, agency_id, tenant_id, knowledge_base_id, source, content_hash)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (knowledge_base_id, source)
         DO UPDATE SET content_hash = excluded.content_hash, updated_at = now()
             WHERE d.content_hash <> excluded.content_hash
         RETURNING id",
        Uuid::now_v7(),
        owner.agency_id,
        owner.tenant_id,
        base.0,
        source,
        content_hash
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some(document) = document else { return Ok(false) };
    sqlx::query!("DELETE FROM knowledge_chunks WHERE document_id = $1", document).execute(tx.connection()).await?;
    let ids: Vec<Uuid> = chunks.iter().map(|_| Uuid::now_v7()).collect();
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    let hashes: Vec<&str> = chunks.iter().map(|chunk| chunk.hash.as_str()).collect();
    sqlx::query!(
        "INSERT INTO knowledge_chunks (id, agency_id, tenant_id, knowledge_base_id, document_id, ordinal, text, text_hash)
         SELECT c.id, $1, $2, $3, $4, (c.position - 1)::integer, c.text, c.hash
         FROM unnest($5::uuid[], $6::text[], $7::text[]) WITH ORDINALITY AS c(id, text, hash, position)",
        owner.agency_id,
        owner.tenant_id,
        base.0,
        document,
        &ids,
        &texts as &[&str],
        &hashes as &[&str]
    )
    .execute(tx.connection())
    .await?;
    Ok(true)
}

/// Removes the sources of a knowledge base that are not named; returns how many.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn remove_sources_except(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    sources: &[String],
) -> Result<u64, StoreError> {
    let removed = sqlx::query!(
        "DELETE FROM knowledge_documents WHERE knowledge_base_id = $1 AND source <> ALL($2::text[])",
        base.0,
        sources
    )
    .execute(tx.connection())
    .await?;
    Ok(removed.rows_affected())
}

/// Removes everything stored of a knowledge base.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn remove_base(tx: &mut ScopedTx, base: KnowledgeBaseId) -> Result<u64, StoreError> {
    embeddings::remove_others(tx, base, None).await?;
    remove_sources_except(tx, base, &[]).await
}

/// How much is stored of a knowledge base.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn stats(tx: &mut ScopedTx, base: KnowledgeBaseId) -> Result<KnowledgeStats, StoreError> {
    Ok(sqlx::query_as!(
        KnowledgeStats,
        r#"SELECT (SELECT count(*) FROM knowledge_documents WHERE knowledge_base_id = $1)::integer AS "documents!",
                  (SELECT count(*) FROM knowledge_chunks WHERE knowledge_base_id = $1)::integer AS "chunks!""#,
        base.0
    )
    .fetch_one(tx.connection())
    .await?)
}

/// The passages of these knowledge bases that fit a question best, best first. Passages with more of the question's
/// words come first (so those with all of them lead), then those where the words stand closer together. Words are
/// compared by their English stems, without stop words; a question of stop words only finds nothing.
///
/// # Errors
/// [`StoreError::Invalid`] when `limit` is not 1 to 50.
pub async fn search(
    tx: &mut ScopedTx,
    bases: &[KnowledgeBaseId],
    query: &str,
    limit: i64,
) -> Result<Vec<Passage>, StoreError> {
    if !(1..=MAX_RESULTS).contains(&limit) {
        return Err(StoreError::Invalid { field: "limit", message: format!("is {limit}: use 1 to {MAX_RESULTS}") });
    }
    let bases: Vec<Uuid> = bases.iter().map(|base| base.0).collect();
    let rows = sqlx::query!(
        r#"WITH question AS (
               SELECT coalesce(array_agg(lexeme), '{}') AS words,
                      string_agg(quote_literal(lexeme), ' | ')::tsquery AS any_word
               FROM unnest(to_tsvector('english', $2))
           )
           SELECT c.id, c.knowledge_base_id, d.source, c.ordinal, c.text,
                  (has.words + ts_rank_cd(c.words, question.any_word, 32)) / (cardinality(question.words) + 1) AS "score!",
                  has.words::double precision / cardinality(question.words) AS "words!"
           FROM question, knowledge_chunks c JOIN knowledge_documents d ON d.id = c.document_id,
                LATERAL (SELECT count(*) AS words FROM unnest(question.words) AS word
                         WHERE word = ANY (tsvector_to_array(c.words))) AS has
           WHERE c.knowledge_base_id = ANY ($1) AND c.words @@ question.any_word
           ORDER BY 6 DESC, c.ordinal, c.id LIMIT $3"#,
        &bases,
        searchable(query),
        limit
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Passage {
            id: row.id,
            knowledge_base: row.knowledge_base_id.into(),
            source: row.source,
            ordinal: row.ordinal,
            text: row.text,
            score: row.score,
            words: row.words,
        })
        .collect())
}

/// Bounded, and without the characters that text or tsquery quoting treat specially.
fn searchable(query: &str) -> String {
    query.chars().take(MAX_QUERY_CHARS).map(|c| if matches!(c, '\0' | '\\') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_bounded_and_plain() {
        assert_eq!(searchable("a\\b\0c"), "a b c");
        assert_eq!(searchable(&"é".repeat(5000)).chars().count(), MAX_QUERY_CHARS);
    }
}
