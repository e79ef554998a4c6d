//! What a knowledge base holds. Pure.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use voxplane_crds::KnowledgeBase;
use voxplane_crds::conditions::reasons;

use super::chunk;
use super::observe::Observed;
use crate::identity::Identity;
use crate::status::Problem;

/// A knowledge base that can be stored.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Its id.
    pub id: Uuid,
    /// Its texts.
    pub documents: Vec<Document>,
    /// Hash of all of them.
    pub content_hash: String,
}

/// A text.
#[derive(Clone, Debug)]
pub struct Document {
    /// Name of the source.
    pub source: String,
    /// Hash of the text and of how it is split.
    pub hash: String,
    /// Its passages.
    pub passages: Vec<String>,
}

/// Part of every hash: raise it when [`chunk::split`] splits differently, so that everything is split again.
const SPLITTER: &str = "paragraphs-1";

/// Judges a knowledge base.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(base: &KnowledgeBase, seen: &Observed) -> Result<Valid, Problem> {
    seen.home.as_ref().map_err(Clone::clone)?;
    let identity = seen.identity.as_ref();
    let Some(id) = identity.and_then(Identity::id) else {
        let why = identity.and_then(Identity::database_problem).unwrap_or_default();
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    };
    let mut documents = Vec::new();
    for source in &base.spec.sources {
        let Some(inline) = &source.inline else {
            let message = format!("spec.sources[{}].inline: is missing: a source of type Inline needs it", source.name);
            return Err(Problem::new(reasons::INVALID, message));
        };
        let hash = hash(&[SPLITTER, &source.name, &inline.text]);
        documents.push(Document { source: source.name.clone(), hash, passages: chunk::split(&inline.text) });
    }
    let hashes: Vec<&str> = documents.iter().map(|document| document.hash.as_str()).collect();
    Ok(Valid { id, content_hash: hash(&hashes), documents })
}

fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(&digest.finalize()[..16])
}
