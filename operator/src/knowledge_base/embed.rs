//! Makes passages comparable by meaning: only those whose text has no embedding yet, for as long as a pass may take. What is
//! left is for the next one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use voxplane_crds::KnowledgeBase;
use voxplane_knowledge::embed::{EmbedError, Embedder, Model, OpenAiCompatible, OpenAiSettings, SharedEmbedder};
use voxplane_knowledge::settings::{Wish, wish};
use voxplane_platform::error_chain::describe;
use voxplane_store::KnowledgeBaseId;
use voxplane_store::knowledge::Chunk;
use voxplane_store::knowledge::embeddings::{self, ModelKey};

use super::keys;
use super::observe::Observed;
use super::store::NotStored;
use super::tools::Tools;
use super::validate::Document;
use crate::context::Context;
use crate::status::Problem;

/// Longest time of one pass for embeddings.
const LONGEST: Duration = Duration::from_secs(20);
/// A service that fails is asked again after this time, or when it says.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Attempts at one batch.
const ATTEMPTS: u32 = 3;

/// Who makes the embeddings of a knowledge base.
#[derive(Debug)]
pub enum Maker {
    /// Nobody, as it should be.
    Nobody,
    /// This model.
    Model(SharedEmbedder),
    /// What `ResolvedRefs` has to say.
    Unresolved(Problem),
    /// What is missing.
    Missing(String),
}

/// Finds out who makes the embeddings of a knowledge base.
pub async fn maker(base: &KnowledgeBase, seen: &Observed, tools: &Tools) -> Maker {
    match wish(&base.spec) {
        Wish::Nobody => Maker::Nobody,
        Wish::MiniLm { asked } => match tools.minilm().await {
            Ok(model) => Maker::Model(model),
            Err(why) if asked => Maker::Missing(format!("spec.embedding.provider: minilm is not there: {why}")),
            Err(_) => Maker::Nobody,
        },
        Wish::Service(service) => match keys::permitted(&service, seen.secret.as_ref()) {
            Err(problem) => Maker::Unresolved(problem),
            Ok(key) => {
                let text = SecretString::from(key.text().unwrap_or_default().trim().to_owned());
                let settings = OpenAiSettings {
                    base_url: service.base_url,
                    model: service.model,
                    dimensions: service.dimensions,
                    key: text,
                    endpoints: key.endpoints().to_vec(),
                };
                match OpenAiCompatible::new(tools.client.clone(), settings) {
                    Ok(model) => Maker::Model(Arc::new(model)),
                    Err(error) => Maker::Missing(format!("spec.embedding: {error}")),
                }
            }
        },
    }
}

impl Maker {
    /// Whether it is certain who makes the embeddings, also if nobody does.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Nobody | Self::Model(_))
    }

    /// The model, if one is at work.
    #[must_use]
    pub fn model(&self) -> Option<&SharedEmbedder> {
        match self {
            Self::Model(model) => Some(model),
            Self::Nobody | Self::Unresolved(_) | Self::Missing(_) => None,
        }
    }
}

/// How far a pass came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Why it stopped, if not because its time was over or everything was done.
    pub failure: Option<String>,
    /// When to go on.
    pub again: Option<Duration>,
}

/// The time a pass has for embeddings, and what came in its way.
#[derive(Debug)]
pub struct Work<'a> {
    base: KnowledgeBaseId,
    embedder: &'a dyn Embedder,
    until: Instant,
    /// How far it came.
    pub progress: Progress,
}

/// The model as the database knows it.
#[must_use]
pub fn key(model: &Model) -> ModelKey<'_> {
    ModelKey { name: &model.name, dimensions: model.dimensions }
}

impl<'a> Work<'a> {
    /// Begins.
    #[must_use]
    pub fn begin(base: KnowledgeBaseId, embedder: &'a dyn Embedder) -> Self {
        Self { base, embedder, until: Instant::now() + LONGEST, progress: Progress::default() }
    }

    /// Embeds what these documents have anew, before it is stored: whoever asks in between finds the old texts by words and
    /// by meaning, and after that the new ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prepare(&mut self, documents: &[Document], ctx: &Context) -> Result<(), NotStored> {
        let passages = documents.iter().flat_map(|document| &document.passages);
        let texts: HashMap<&str, &str> =
            passages.clone().map(|chunk| (chunk.hash.as_str(), chunk.text.as_str())).collect();
        let hashes: Vec<String> = passages.map(|chunk| chunk.hash.clone()).collect();
        let mut tx = ctx.database.begin().await?;
        let missing = embeddings::missing(&mut tx, self.base, key(self.embedder.model()), &hashes).await?;
        drop(tx);
        let missing = missing.into_iter().filter_map(|hash| {
            let text = (*texts.get(hash.as_str())?).to_owned();
            Some(Chunk { hash, text })
        });
        let missing: Vec<Chunk> = missing.collect();
        for batch in missing.chunks(self.embedder.batch()) {
            if !self.step(batch, ctx).await? {
                break;
            }
        }
        Ok(())
    }

    /// Embeds what is stored and has no embedding of this model: what [`Work::prepare`] had no time for, or everything after
    /// a change of model.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catch_up(&mut self, ctx: &Context) -> Result<(), NotStored> {
        let batch = i64::try_from(self.embedder.batch()).unwrap_or(1);
        loop {
            let mut tx = ctx.database.begin().await?;
            let chunks = embeddings::unembedded(&mut tx, self.base, key(self.embedder.model()), batch).await?;
            drop(tx);
            if chunks.is_empty() || !self.step(&chunks, ctx).await? {
                return Ok(());
            }
        }
    }

    /// Embeds one batch; false: no more in this pass.
    async fn step(&mut self, batch: &[Chunk], ctx: &Context) -> Result<bool, NotStored> {
        if self.progress.failure.is_some() {
            return Ok(false);
        }
        if Instant::now() >= self.until {
            self.progress.again = Some(Duration::ZERO);
            return Ok(false);
        }
        let vectors = match self.ask(batch.iter().map(|chunk| chunk.text.clone()).collect()).await {
            Ok(vectors) => vectors,
            Err(error) => {
                tracing::info!(base = %self.base, error = describe(&error), "passages could not be embedded");
                let told = match &error {
                    EmbedError::RateLimited { retry_after } => *retry_after,
                    _ => None,
                };
                self.progress = Progress {
                    failure: Some(error.to_string()),
                    again: Some(told.unwrap_or(TRY_AGAIN).max(TRY_AGAIN)),
                };
                return Ok(false);
            }
        };
        let embedded: Vec<(String, Vec<f32>)> = batch.iter().map(|chunk| chunk.hash.clone()).zip(vectors).collect();
        let mut tx = ctx.database.begin().await?;
        embeddings::put(&mut tx, self.base, key(self.embedder.model()), &embedded).await?;
        tx.commit().await.map_err(NotStored::from)?;
        Ok(true)
    }

    /// Asks for embeddings; a service that is away for a moment is asked again.
    async fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut wait = Duration::from_millis(500);
        for _ in 1..ATTEMPTS {
            match self.embedder.embed(texts.clone()).await {
                Err(error) if error.is_passing() => {
                    let told = match error {
                        EmbedError::RateLimited { retry_after } => retry_after.unwrap_or_default(),
                        _ => Duration::ZERO,
                    };
                    let pause = wait.max(told);
                    if Instant::now() + pause >= self.until {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        self.embedder.embed(texts).await
    }
}
