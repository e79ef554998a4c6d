//! Knowledge bases.

use serde_json::{Value, json};
use voxplane_crds::KnowledgeBase;

use super::{object, refused};

#[test]
fn sources_have_a_text_and_are_not_too_long_together() {
    let source = |name: &str, length: usize| json!({"name": name, "inline": {"text": "x".repeat(length)}});
    let sources = |all: &[Value]| json!({"sources": all});
    assert_eq!(verdict!(KnowledgeBase, "k", sources(&[source("a", 10), source("b", 10)])), "");
    refused(&verdict!(KnowledgeBase, "k", sources(&[json!({"name": "a"})])), "needs the block `inline`");
    let long: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| source(name, 190_000)).into();
    refused(&verdict!(KnowledgeBase, "k", sources(&long)), "more than 900,000 characters");
}

#[test]
fn a_knowledge_base_says_where_its_texts_and_embeddings_come_from() {
    let source = |source: Value| json!({"sources": [source]});
    let page = json!({"url": "https://clinic.example/faq"});
    assert_eq!(verdict!(KnowledgeBase, "kb", source(json!({"name": "s", "type": "Url", "url": page}))), "");
    refused(&verdict!(KnowledgeBase, "kb", source(json!({"name": "s", "type": "Url"}))), "needs the block `url`");
    let both = json!({"name": "s", "inline": {"text": "a"}, "url": page});
    refused(&verdict!(KnowledgeBase, "kb", source(both)), "only that type may have it");

    let embedding = |embedding: Value| json!({"embedding": embedding});
    let service = json!({"provider": "openai-compatible", "model": "m", "dimensions": 1536,
                         "baseUrl": "https://e.example/v1", "secretRef": {"name": "key"}});
    for good in [json!({"provider": "minilm"}), json!({"provider": "none"}), service] {
        assert_eq!(verdict!(KnowledgeBase, "kb", embedding(good.clone())), "", "{good}");
    }
    let bare = embedding(json!({"provider": "openai-compatible", "model": "m"}));
    refused(&verdict!(KnowledgeBase, "kb", bare), "needs `model`, `dimensions`, `baseUrl`");
    let offline = embedding(json!({"provider": "minilm", "model": "m"}));
    refused(&verdict!(KnowledgeBase, "kb", offline), "only the provider `openai-compatible` takes `model`");

    let cut = |size: i32, overlap: i32| json!({"chunking": {"sizeTokens": size, "overlapTokens": overlap}});
    assert_eq!(verdict!(KnowledgeBase, "kb", cut(100, 50)), "");
    refused(&verdict!(KnowledgeBase, "kb", cut(100, 51)), "at most half of `sizeTokens`");
}
