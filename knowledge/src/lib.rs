//! What agents know: texts cut into passages, passages made comparable by meaning, questions answered from them.
//!
//! | module | job |
//! | --- | --- |
//! | [`document`] | text, Markdown, HTML or CSV as paragraphs under headings |
//! | [`chunk`] | paragraphs as passages |
//! | [`embed`] | passages and questions as embeddings, offline or by a service |
//! | [`fetch`] | texts from addresses outside |
//! | [`search`] | the passages that answer a question, by words and by meaning |
//! | [`questions`] | a caller's question as embeddings, in time |
//! | [`settings`] | what a KnowledgeBase asks for |

pub mod chunk;
pub mod document;
pub mod embed;
pub mod fetch;
pub mod questions;
pub mod search;
pub mod settings;

use sha2::{Digest as _, Sha256};

/// A short hash of several texts. No two lists of texts read alike.
#[must_use]
pub fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(&digest.finalize()[..16])
}
