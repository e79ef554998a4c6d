//! Embeddings of passages: stored by the hash of their text, found by cosine distance.
//!
//! A question is compared within its knowledge bases. Postgres decides how: a small base is compared as a whole, a large one
//! by the HNSW index, which is read on until enough of what it finds belongs to these bases (iterative scan).

use std::fmt::Write as _;

use uuid::Uuid;

use super::Chunk;
use crate::{KnowledgeBaseId, ScopedTx, StoreError};

/// The dimensions that there is an index for.
pub const DIMENSIONS: [usize; 5] = [384, 768, 1024, 1536, 3072];
const MAX_RESULTS: i64 = 50;

/// A model's name and the length of its embeddings. Those of different models are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelKey<'a> {
    /// Provider and model.
    pub name: &'a str,
    /// One of [`DIMENSIONS`].
    pub dimensions: usize,
}

impl ModelKey<'_> {
    fn check(self) -> Result<i16, StoreError> {
        let known = DIMENSIONS.contains(&self.dimensions).then(|| i16::try_from(self.dimensions).ok()).flatten();
        known.ok_or_else(|| StoreError::Invalid {
            field: "dimensions",
            message: format!("are {}: there are indexes for {DIMENSIONS:?}", self.dimensions),
        })
    }
}

/// A passage that is alike in meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
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
    /// Cosine of the angle to the question: 1 is the same, 0 nothing in common.
    pub similarity: f64,
}

/// Which of these texts have no embedding of the model yet, in their order, each once.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn missing(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    model: ModelKey<'_>,
    hashes: &[String],
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT t.hash AS "hash!"
           FROM unnest($3::text[]) WITH ORDINALITY AS t(hash, position)
           WHERE NOT EXISTS (SELECT FROM knowledge_embeddings e
                             WHERE e.knowledge_base_id = $1 AND e.model = $2 AND e.dimensions = $4 AND e.text_hash = t.hash)
           GROUP BY t.hash ORDER BY min(t.position)"#,
        base.0,
        model.name,
        hashes,
        model.check()?
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Passages of a knowledge base that have no embedding of the model yet, each text once.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn unembedded(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    model: ModelKey<'_>,
    limit: i64,
) -> Result<Vec<Chunk>, StoreError> {
    Ok(sqlx::query_as!(
        Chunk,
        r#"SELECT min(c.text) AS "text!", c.text_hash AS "hash!"
           FROM knowledge_chunks c
           WHERE c.knowledge_base_id = $1 AND c.text_hash IS NOT NULL
             AND NOT EXISTS (SELECT FROM knowledge_embeddings e
                             WHERE e.knowledge_base_id = $1 AND e.model = $2 AND e.dimensions = $4
                               AND e.text_hash = c.text_hash)
           GROUP BY c.text_hash ORDER BY min(c.ordinal), c.text_hash LIMIT $3"#,
        base.0,
        model.name,
        limit,
        model.check()?
    )
    .fetch_all(tx.connection())
    .await?)
}

/// Stores embeddings by the hashes of their texts; what is there already is replaced.
///
/// # Errors
/// [`StoreError::NotFound`] when the knowledge base is not registered; [`StoreError::Invalid`] for another number of
/// dimensions than the model's.
pub async fn put(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    model: ModelKey<'_>,
    embeddings: &[(String, Vec<f32>)],
) -> Result<(), StoreError> {
    let dimensions = model.check()?;
    if let Some((_, wrong)) = embeddings.iter().find(|(_, vector)| vector.len() != model.dimensions) {
        let message = format!("an embedding has {} numbers, the model's have {}", wrong.len(), model.dimensions);
        return Err(StoreError::Invalid { field: "embedding", message });
    }
    let hashes: Vec<&str> = embeddings.iter().map(|(hash, _)| hash.as_str()).collect();
    let vectors: Vec<String> = embeddings.iter().map(|(_, vector)| literal(vector)).collect();
    let stored = sqlx::query!(
        "INSERT INTO knowledge_embeddings
             (agency_id, tenant_id, knowledge_base_id, model, text_hash, dimensions, embedding)
         SELECT r.agency_id, r.tenant_id, r.id, $2, t.hash, $5, t.embedding::halfvec
         FROM resources r, unnest($3::text[], $4::text[]) AS t(hash, embedding)
         WHERE r.id = $1 AND r.kind = 'KnowledgeBase'
         ON CONFLICT (knowledge_base_id, model, text_hash)
         DO UPDATE SET embedding = excluded.embedding, dimensions = excluded.dimensions",
        base.0,
        model.name,
        &hashes as &[&str],
        &vectors,
        dimensions
    )
    .execute(tx.connection())
    .await?;
    if stored.rows_affected() == 0 && !embeddings.is_empty() {
        return Err(StoreError::NotFound { what: "knowledge base" });
    }
    Ok(())
}

/// Removes the embeddings of texts that no passage has, and all of other models; without a model, all of them. Returns how
/// many.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn remove_others(
    tx: &mut ScopedTx,
    base: KnowledgeBaseId,
    model: Option<ModelKey<'_>>,
) -> Result<u64, StoreError> {
    let removed = sqlx::query!(
        "DELETE FROM knowledge_embeddings e
         WHERE e.knowledge_base_id = $1
           AND (e.model IS DISTINCT FROM $2
                OR NOT EXISTS (SELECT FROM knowledge_chunks c
                               WHERE c.knowledge_base_id = e.knowledge_base_id AND c.text_hash = e.text_hash))",
        base.0,
        model.map(|model| model.name)
    )
    .execute(tx.connection())
    .await?;
    Ok(removed.rows_affected())
}

/// How many passages of a knowledge base have an embedding of the model.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn embedded(tx: &mut ScopedTx, base: KnowledgeBaseId, model: ModelKey<'_>) -> Result<i32, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*)::integer AS "count!"
           FROM knowledge_chunks c JOIN knowledge_embeddings e USING (knowledge_base_id, text_hash)
           WHERE c.knowledge_base_id = $1 AND e.model = $2 AND e.dimensions = $3"#,
        base.0,
        model.name,
        model.check()?
    )
    .fetch_one(tx.connection())
    .await?)
}

/// How alike the question and these passages are, where they have an embedding of the model.
///
/// # Errors
/// [`StoreError::Invalid`] when the question's embedding has another length than the model's.
pub async fn similarities(
    tx: &mut ScopedTx,
    chunks: &[Uuid],
    model: ModelKey<'_>,
    question: &[f32],
) -> Result<Vec<(Uuid, f64)>, StoreError> {
    let dimensions = fitting(model, question)?;
    let rows = sqlx::query!(
        r#"SELECT c.id, 1 - (e.embedding <=> $4::text::halfvec) AS "similarity!"
           FROM knowledge_chunks c JOIN knowledge_embeddings e USING (knowledge_base_id, text_hash)
           WHERE c.id = ANY ($1) AND e.model = $2 AND e.dimensions = $3"#,
        chunks,
        model.name,
        dimensions,
        literal(question)
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.similarity)).collect())
}

/// One query per number of dimensions: the index of each is on another expression.
macro_rules! nearest_query {
    ($vector:literal, $dimensions:literal, $tx:expr, $bases:expr, $model:expr, $question:expr, $limit:expr) => {
        sqlx::query!(
            r#"WITH near AS MATERIALIZED (
                   SELECT e.knowledge_base_id, e.text_hash, e.embedding::"#
                + $vector
                + r#" <=> $3::text::"#
                + $vector
                + r#" AS distance
                   FROM knowledge_embeddings e
                   WHERE e.dimensions = "#
                + $dimensions
                + r#" AND e.model = $2 AND e.knowledge_base_id = ANY ($1)
                   ORDER BY e.embedding::"#
                + $vector
                + r#" <=> $3::text::"#
                + $vector
                + r#"
                   LIMIT $4
               )
               SELECT c.id, c.knowledge_base_id, d.source, c.ordinal, c.text,
                      1 - near.distance AS "similarity!"
               FROM near JOIN knowledge_chunks c USING (knowledge_base_id, text_hash)
                         JOIN knowledge_documents d ON d.id = c.document_id
               ORDER BY near.distance, c.ordinal, c.id LIMIT $4"#,
            $bases,
            $model,
            $question,
            $limit
        )
        .map(|row| Near {
            id: row.id,
            knowledge_base: row.knowledge_base_id.into(),
            source: row.source,
            ordinal: row.ordinal,
            text: row.text,
            similarity: row.similarity,
        })
        .fetch_all($tx.connection())
        .await
    };
}

/// The passages of these knowledge bases that are most alike in meaning, best first.
///
/// # Errors
/// [`StoreError::Invalid`] when `limit` is not 1 to 50, or the question's embedding has another length than the model's.
pub async fn nearest(
    tx: &mut ScopedTx,
    bases: &[KnowledgeBaseId],
    model: ModelKey<'_>,
    question: &[f32],
    limit: i64,
) -> Result<Vec<Near>, StoreError> {
    if !(1..=MAX_RESULTS).contains(&limit) {
        return Err(StoreError::Invalid { field: "limit", message: format!("is {limit}: use 1 to {MAX_RESULTS}") });
    }
    fitting(model, question)?;
    let bases: Vec<Uuid> = bases.iter().map(|base| base.0).collect();
    let question = literal(question);
    // Until the transaction ends. Strict order: the best come first, also when the index is read on.
    sqlx::query!("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)").fetch_one(tx.connection()).await?;
    let (model, dimensions) = (model.name, model.dimensions);
    let found = match dimensions {
        384 => nearest_query!("halfvec(384)", "384", tx, &bases, model, question, limit),
        768 => nearest_query!("halfvec(768)", "768", tx, &bases, model, question, limit),
        1024 => nearest_query!("halfvec(1024)", "1024", tx, &bases, model, question, limit),
        1536 => nearest_query!("halfvec(1536)", "1536", tx, &bases, model, question, limit),
        _ => nearest_query!("halfvec(3072)", "3072", tx, &bases, model, question, limit),
    };
    Ok(found?)
}

fn fitting(model: ModelKey<'_>, question: &[f32]) -> Result<i16, StoreError> {
    let dimensions = model.check()?;
    if question.len() == model.dimensions {
        return Ok(dimensions);
    }
    let message = format!("has {} numbers, those of {} have {}", question.len(), model.name, model.dimensions);
    Err(StoreError::Invalid { field: "question", message })
}

/// As pgvector reads it. Half precision has three and a half decimal digits.
fn literal(vector: &[f32]) -> String {
    let mut text = String::with_capacity(vector.len() * 9 + 2);
    text.push('[');
    for (at, number) in vector.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{number:.6}");
    }
    text.push(']');
    text
}
