//! A caller's question as an embedding, in time or not at all: somebody is waiting on the telephone.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::embed::{EmbedError, Embedder, Model};
use crate::hash;

/// After this time the answer is looked for by words alone.
const PATIENCE: Duration = Duration::from_millis(400);
/// Questions remembered: callers ask the same ones. At most 12 KiB each.
const REMEMBERED: usize = 1000;

/// Why a question has no embedding.
#[derive(Debug, thiserror::Error)]
pub enum Unembedded {
    /// It took too long.
    #[error("the embedding was not there in time")]
    Late,
    /// It failed.
    #[error("the question could not be embedded")]
    Failed(#[source] EmbedError),
}

/// Embeds questions and remembers the last ones, by hash and not by their words.
#[derive(Debug)]
pub struct Questions {
    known: Cache<(Model, String), Arc<[f32]>>,
    patience: Duration,
}

impl Default for Questions {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Questions {
    /// Waits for `patience` at most.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { known: Cache::new(REMEMBERED), patience }
    }

    /// The embedding of a question.
    ///
    /// # Errors
    /// [`Unembedded`]; the search goes on without.
    pub async fn embed(&self, embedder: &dyn Embedder, question: &str) -> Result<Arc<[f32]>, Unembedded> {
        let key = (embedder.model().clone(), hash(&[question]));
        if let Some(known) = self.known.get(&key) {
            return Ok(known);
        }
        let asked = tokio::time::timeout(self.patience, embedder.embed(vec![question.to_owned()])).await;
        let vectors = asked.map_err(|_| Unembedded::Late)?.map_err(Unembedded::Failed)?;
        let vector: Arc<[f32]> = vectors.into_iter().next().unwrap_or_default().into();
        self.known.insert(key, Arc::clone(&vector));
        Ok(vector)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    #[derive(Debug)]
    struct Slow {
        model: Model,
        takes: Duration,
        asked: AtomicUsize,
    }

    impl Embedder for Slow {
        fn model(&self) -> &Model {
            &self.model
        }

        fn batch(&self) -> usize {
            1
        }

        fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(self.takes).await;
                Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
            }
            .boxed()
        }
    }

    fn slow(takes: u64) -> Slow {
        let model = Model { name: "slow".to_owned(), dimensions: 1 };
        Slow { model, takes: Duration::from_millis(takes), asked: AtomicUsize::new(0) }
    }

    #[tokio::test]
    async fn a_question_is_embedded_once_and_waited_for_briefly() {
        let questions = Questions::new(Duration::from_millis(200));
        let quick = slow(1);
        for _ in 0..3 {
            assert_eq!(&*questions.embed(&quick, "four").await.unwrap(), [4.0]);
        }
        assert_eq!(quick.asked.load(Ordering::Relaxed), 1);
        let late = questions.embed(&slow(60_000), "never").await.unwrap_err();
        assert!(matches!(late, Unembedded::Late));
    }
}
