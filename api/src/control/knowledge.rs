//! What a caller's question means: its embeddings, made here by the model of each knowledge base, in time or not at all.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use quick_cache::sync::Cache;
use secrecy::SecretString;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use voxplane_crds::{KnowledgeBase, names};
use voxplane_knowledge::embed::{Embedder, MiniLm, Model, OpenAiCompatible, OpenAiSettings, SharedEmbedder};
use voxplane_knowledge::questions::Questions;
use voxplane_knowledge::search::{Lens, Question};
use voxplane_knowledge::settings::{self, Service, Wish};
use voxplane_platform::error_chain::ErrorChain;
use voxplane_store::KnowledgeBaseId;

use super::service::KubeClient;
use crate::cluster::id_of;
use crate::metrics::Metrics;

/// Keys are read again after this time.
const KEYS_AGAIN: Duration = Duration::from_secs(30);
/// The API server must have answered for a key by then: a caller is waiting.
const KEYS_WITHIN: Duration = Duration::from_millis(300);
/// Services that are remembered, by tenant and address.
const SERVICES: usize = 2_000;

/// Makes embeddings of questions. Cheap to clone.
#[derive(Clone)]
pub struct Knowledge {
    inner: Arc<Inner>,
}

struct Inner {
    kube: KubeClient,
    client: Option<reqwest::Client>,
    minilm: OnceLock<Option<SharedEmbedder>>,
    /// By namespace and what the knowledge base says; none: it may not be used.
    services: Cache<(String, String), (Instant, Option<SharedEmbedder>)>,
    questions: Questions,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Knowledge")
    }
}

impl Knowledge {
    /// Without the offline model, until [`Knowledge::load`] has found it.
    #[must_use]
    pub fn new(kube: KubeClient) -> Self {
        let client = voxplane_knowledge::embed::client();
        if let Err(error) = &client {
            warn!(%error, "no service for embeddings can be asked");
        }
        let inner = Inner {
            kube,
            client: client.ok(),
            minilm: OnceLock::new(),
            services: Cache::new(SERVICES),
            questions: Questions::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Loads the offline model. Until it is there, and if it is not, questions are answered by words alone.
    pub async fn load(self, models: PathBuf) {
        let loaded = tokio::task::spawn_blocking(move || MiniLm::load(&models)).await;
        let model: Option<SharedEmbedder> = match loaded {
            Ok(Ok(model)) => Some(Arc::new(model)),
            Ok(Err(error)) => {
                info!(reason = %ErrorChain(&error), "knowledge is found by its words: the model minilm is not there");
                None
            }
            Err(error) => {
                warn!(%error, "the model minilm did not load");
                None
            }
        };
        // Loaded once per process.
        let _ = self.inner.minilm.set(model);
    }

    /// The question as every knowledge base's model sees it, and how the bases are searched.
    pub async fn ask(&self, bases: &[Arc<KnowledgeBase>], text: &str, metrics: &Metrics) -> (Vec<Lens>, Question) {
        let mut lenses = Vec::new();
        let mut embedders: Vec<SharedEmbedder> = Vec::new();
        for base in bases {
            let Some(id) = id_of(base.status.as_ref()).map(KnowledgeBaseId) else { continue };
            let retrieval = &base.spec.retrieval;
            // A base that is searched by words only asks nobody.
            let embedder = if retrieval.meaning_percent > 0 { self.embedder(base).await } else { None };
            lenses.push(settings::lens(id, retrieval, embedder.as_ref().map(|one| one.model().clone())));
            embedders.extend(embedder.filter(|one| embedders.iter().all(|known| known.model() != one.model())));
        }
        // All at once: the slowest decides how long the caller waits, and none may take long.
        let asked = embedders.iter().filter(|_| !text.trim().is_empty()).map(|one| self.embed(&**one, text, metrics));
        let embeddings = futures::future::join_all(asked).await.into_iter().flatten().collect();
        (lenses, Question { text: text.to_owned(), embeddings })
    }

    async fn embed(&self, embedder: &dyn Embedder, text: &str, metrics: &Metrics) -> Option<(Model, Vec<f32>)> {
        let model = embedder.model();
        match self.inner.questions.embed(embedder, text).await {
            Ok(vector) => Some((model.clone(), vector.to_vec())),
            Err(error) => {
                metrics.error("knowledge_embedding");
                warn!(model = model.name, error = %ErrorChain(&error), "a question is answered by words alone");
                None
            }
        }
    }

    async fn embedder(&self, base: &KnowledgeBase) -> Option<SharedEmbedder> {
        match settings::wish(&base.spec) {
            Wish::Nobody => None,
            Wish::MiniLm { .. } => self.inner.minilm.get().cloned().flatten(),
            Wish::Service(service) => {
                let namespace = base.metadata.namespace.as_deref()?;
                self.service(namespace, service).await
            }
        }
    }

    async fn service(&self, namespace: &str, service: Service) -> Option<SharedEmbedder> {
        let Service { model, dimensions, base_url, secret } = &service;
        let key = (namespace.to_owned(), format!("{secret} {model} {dimensions} {base_url}"));
        if let Some((at, known)) = self.inner.services.get(&key)
            && at.elapsed() < KEYS_AGAIN
        {
            return known;
        }
        let made = self.connect(namespace, service).await;
        self.inner.services.insert(key, (Instant::now(), made.clone()));
        made
    }

    async fn connect(&self, namespace: &str, service: Service) -> Option<SharedEmbedder> {
        let client = self.inner.client.clone()?;
        let api = Api::<Secret>::namespaced(self.inner.kube.0.clone(), namespace);
        let keys = match timeout(KEYS_WITHIN, api.get_opt(names::KNOWLEDGE_CREDENTIALS)).await {
            Ok(Ok(keys)) => keys?,
            Ok(Err(error)) => {
                warn!(namespace, error = %ErrorChain(&error), "the key for embeddings cannot be read");
                return None;
            }
            Err(_) => {
                warn!(namespace, "the key for embeddings was not read in time");
                return None;
            }
        };
        let value = |name: &str| {
            let bytes = &keys.data.as_ref()?.get(name)?.0;
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        };
        let key = value(&service.secret)?.trim().to_owned();
        let endpoints = value(&format!("{}.endpoints", service.secret)).unwrap_or_default();
        let settings = OpenAiSettings {
            base_url: service.base_url,
            model: service.model,
            dimensions: service.dimensions,
            key: SecretString::from(key),
            endpoints: endpoints.lines().map(str::to_owned).collect(),
        };
        match OpenAiCompatible::new(client, settings) {
            Ok(embedder) => Some(Arc::new(embedder)),
            Err(error) => {
                warn!(namespace, %error, "the service for embeddings may not be asked");
                None
            }
        }
    }
}
