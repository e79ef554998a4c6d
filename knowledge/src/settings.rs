//! What a KnowledgeBase asks for, in the words of this crate. Pure.

use voxplane_crds::KnowledgeBaseSpec;
use voxplane_crds::knowledge_base::{
    ChunkPreset, ChunkStrategy, Chunking, Embedding, EmbeddingProvider, Retrieval, TextFormat, UrlFormat,
};
use voxplane_store::KnowledgeBaseId;

use crate::chunk::{Plan, Strategy};
use crate::document::Format;
use crate::embed::Model;
use crate::search::Lens;

/// Who should make embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nobody.
    Nobody,
    /// The offline model; `asked`: the object says so, so that it matters if there is none.
    MiniLm {
        /// Whether the object asks for it.
        asked: bool,
    },
    /// A service.
    Service(Service),
}

/// A service that makes embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// As the service calls the model.
    pub model: String,
    /// Numbers of its embeddings.
    pub dimensions: usize,
    /// Up to and including the version.
    pub base_url: String,
    /// Name of the Secret with its key.
    pub secret: String,
}

/// Who should make the embeddings of a knowledge base.
#[must_use]
pub fn wish(spec: &KnowledgeBaseSpec) -> Wish {
    let Some(embedding) = &spec.embedding else { return Wish::MiniLm { asked: false } };
    match embedding.provider {
        EmbeddingProvider::None => Wish::Nobody,
        EmbeddingProvider::Minilm => Wish::MiniLm { asked: true },
        EmbeddingProvider::OpenaiCompatible => service(embedding).map_or(Wish::Nobody, Wish::Service),
    }
}

/// `None`: a field is missing, which the definition does not let happen.
fn service(embedding: &Embedding) -> Option<Service> {
    Some(Service {
        model: embedding.model.clone()?,
        dimensions: usize::try_from(embedding.dimensions?).ok()?,
        base_url: embedding.base_url.clone()?,
        secret: embedding.secret_ref.as_ref()?.name.clone(),
    })
}

/// How the passages of a knowledge base are judged. `model`: what made their embeddings.
#[must_use]
pub fn lens(base: KnowledgeBaseId, retrieval: &Retrieval, model: Option<Model>) -> Lens {
    let share = |percent: i32| f64::from(percent.clamp(0, 100)) / 100.0;
    Lens { base, threshold: retrieval.threshold_percent.map(share), meaning: share(retrieval.meaning_percent), model }
}

/// How texts are cut.
#[must_use]
pub fn plan(chunking: &Chunking) -> Plan {
    let (strategy, size, overlap) = match chunking.preset {
        ChunkPreset::Spoken => (Strategy::Semantic, 150, 0),
        ChunkPreset::Faq => (Strategy::Semantic, 256, 25),
        ChunkPreset::Policy => (Strategy::Semantic, 512, 50),
        ChunkPreset::Technical => (Strategy::Semantic, 768, 100),
        ChunkPreset::Conversation => (Strategy::Turns, 256, 50),
        ChunkPreset::ProductSpecs => (Strategy::Semantic, 512, 75),
    };
    let strategy = match chunking.strategy {
        None => strategy,
        Some(ChunkStrategy::Semantic) => Strategy::Semantic,
        Some(ChunkStrategy::Fixed) => Strategy::Fixed,
        Some(ChunkStrategy::Turns) => Strategy::Turns,
    };
    let given = |tokens: Option<i32>, preset| tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(preset);
    Plan::new(strategy, given(chunking.size_tokens, size), given(chunking.overlap_tokens, overlap))
}

/// What an inline text is written in.
#[must_use]
pub const fn format(format: TextFormat) -> Format {
    match format {
        TextFormat::Text => Format::Text,
        TextFormat::Markdown => Format::Markdown,
        TextFormat::Html => Format::Html,
        TextFormat::Csv => Format::Csv,
    }
}

/// What a fetched text is written in; `None`: its server says.
#[must_use]
pub const fn url_format(format: UrlFormat) -> Option<Format> {
    match format {
        UrlFormat::Auto => None,
        UrlFormat::Text => Some(Format::Text),
        UrlFormat::Markdown => Some(Format::Markdown),
        UrlFormat::Html => Some(Format::Html),
        UrlFormat::Csv => Some(Format::Csv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_overrules_the_preset() {
        let plan_of = |preset, strategy, size_tokens, overlap_tokens| {
            let plan = plan(&Chunking { preset, strategy, size_tokens, overlap_tokens });
            (plan.strategy, plan.size, plan.overlap)
        };
        assert_eq!(plan_of(ChunkPreset::Faq, None, None, None), (Strategy::Semantic, 256, 25));
        assert_eq!(plan_of(ChunkPreset::Conversation, None, Some(100), None), (Strategy::Turns, 100, 50));
        assert_eq!(plan_of(ChunkPreset::Policy, Some(ChunkStrategy::Fixed), None, Some(0)), (Strategy::Fixed, 512, 0));
        assert_eq!(plan_of(ChunkPreset::Technical, None, Some(64), None), (Strategy::Semantic, 64, 32), "half at most");
    }

    #[test]
    fn the_offline_model_is_the_default_and_its_absence_matters_only_when_asked_for() {
        let spec = |json: serde_json::Value| serde_json::from_value::<KnowledgeBaseSpec>(json).unwrap();
        assert_eq!(wish(&spec(serde_json::json!({}))), Wish::MiniLm { asked: false });
        let asked = spec(serde_json::json!({"embedding": {"provider": "minilm"}}));
        assert_eq!(wish(&asked), Wish::MiniLm { asked: true });
        assert_eq!(wish(&spec(serde_json::json!({"embedding": {"provider": "none"}}))), Wish::Nobody);
        let service = wish(&spec(serde_json::json!({"embedding": {
            "provider": "openai-compatible", "model": "m", "dimensions": 1536, "baseUrl": "https://a/v1",
            "secretRef": {"name": "key"}
        }})));
        assert!(matches!(service, Wish::Service(Service { dimensions: 1536, .. })));
    }
}
