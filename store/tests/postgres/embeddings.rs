//! Embeddings: kept by text, compared within a model and within knowledge bases.

use voxplane_store::knowledge::embeddings::{self, ModelKey};
use voxplane_store::knowledge::{self, Chunk};
use voxplane_store::{Db, KnowledgeBaseId, Scope, ScopedTx, StoreError};

use super::knowledge::chunks;
use super::support::one_tenant;

pub const MODEL: ModelKey<'_> = ModelKey { name: "test", dimensions: 384 };
const OTHER: ModelKey<'_> = ModelKey { name: "other", dimensions: 768 };

/// A direction in the plane of the first two dimensions, so many degrees from the first.
fn at(degrees: f32) -> Vec<f32> {
    let mut vector = vec![0.0; MODEL.dimensions];
    (vector[0], vector[1]) = (degrees.to_radians().cos(), degrees.to_radians().sin());
    vector
}

fn embedded(chunks: &[Chunk], degrees: &[f32]) -> Vec<(String, Vec<f32>)> {
    chunks.iter().map(|chunk| chunk.hash.clone()).zip(degrees.iter().map(|degrees| at(*degrees))).collect()
}

async fn texts(tx: &mut ScopedTx, bases: &[KnowledgeBaseId], degrees: f32, limit: i64) -> Vec<(String, f64)> {
    let found = embeddings::nearest(tx, bases, MODEL, &at(degrees), limit).await.unwrap();
    found.into_iter().map(|near| (near.text, (near.similarity * 100.0).round() / 100.0)).collect()
}

fn pair(text: &str, similarity: f64) -> (String, f64) {
    (text.to_owned(), similarity)
}

#[tokio::test]
async fn the_nearest_come_first_with_their_cosine() {
    let (_test, db, tenant) = one_tenant().await;
    let base = tenant.knowledge_base;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let passages = chunks(&["north", "east", "south"]);
    knowledge::replace_source(&mut tx, base, "map", "h1", &passages).await.unwrap();
    embeddings::put(&mut tx, base, MODEL, &embedded(&passages, &[0.0, 90.0, 180.0])).await.unwrap();
    let found = texts(&mut tx, &[base], 30.0, 2).await;
    assert_eq!(found, [pair("north", 0.87), pair("east", 0.5)]);
    assert_eq!(texts(&mut tx, &[base], 180.0, 3).await, [pair("south", 1.0), pair("east", 0.0), pair("north", -1.0)]);
    assert!(texts(&mut tx, &[], 30.0, 2).await.is_empty());

    let by_words = knowledge::search(&mut tx, &[base], "south", 3).await.unwrap();
    let alike = embeddings::similarities(&mut tx, &[by_words[0].id], MODEL, &at(90.0)).await.unwrap();
    assert_eq!(alike.len(), 1);
    assert!((alike[0].0, alike[0].1.abs() < 0.001) == (by_words[0].id, true), "{alike:?}");
    assert_eq!(embeddings::similarities(&mut tx, &[by_words[0].id], OTHER, &[0.1; 768]).await.unwrap(), []);
}

#[tokio::test]
async fn texts_that_stay_keep_their_embedding_and_others_lose_it() {
    let (_test, db, tenant) = one_tenant().await;
    let base = tenant.knowledge_base;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let first = chunks(&["one", "two"]);
    let hashes = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.hash.clone()).collect::<Vec<_>>();
    assert_eq!(embeddings::missing(&mut tx, base, MODEL, &hashes(&first)).await.unwrap(), hashes(&first));
    // Before the passages are there: a search finds all of a new text, or nothing of it.
    embeddings::put(&mut tx, base, MODEL, &embedded(&first, &[0.0, 10.0])).await.unwrap();
    assert!(texts(&mut tx, &[base], 0.0, 5).await.is_empty());
    knowledge::replace_source(&mut tx, base, "s", "h1", &first).await.unwrap();
    assert_eq!(texts(&mut tx, &[base], 0.0, 5).await.len(), 2);

    let second = chunks(&["three", "two", "two"]);
    assert_eq!(embeddings::missing(&mut tx, base, MODEL, &hashes(&second)).await.unwrap(), hashes(&second[..1]));
    knowledge::replace_source(&mut tx, base, "s", "h2", &second).await.unwrap();
    assert_eq!(embeddings::embedded(&mut tx, base, MODEL).await.unwrap(), 2, "`two` stands there twice");
    let left = embeddings::unembedded(&mut tx, base, MODEL, 9).await.unwrap();
    assert_eq!(left, second[..1]);
    assert_eq!(embeddings::remove_others(&mut tx, base, Some(MODEL)).await.unwrap(), 1, "`one` is gone");

    // Another model begins anew, and what the first made goes when it is not wanted any more.
    assert_eq!(embeddings::unembedded(&mut tx, base, OTHER, 9).await.unwrap().len(), 2);
    embeddings::put(&mut tx, base, OTHER, &[(second[0].hash.clone(), vec![0.1; 768])]).await.unwrap();
    assert_eq!(embeddings::remove_others(&mut tx, base, Some(OTHER)).await.unwrap(), 1);
    assert_eq!(embeddings::embedded(&mut tx, base, MODEL).await.unwrap(), 0);
    knowledge::remove_base(&mut tx, base).await.unwrap();
    assert_eq!(embeddings::embedded(&mut tx, base, OTHER).await.unwrap(), 0);
    assert_eq!(embeddings::remove_others(&mut tx, base, None).await.unwrap(), 0);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let (_test, db, tenant) = one_tenant().await;
    let base = tenant.knowledge_base;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let odd = ModelKey { name: "odd", dimensions: 500 };
    let refused = |error: StoreError| matches!(error, StoreError::Invalid { .. });
    assert!(refused(embeddings::nearest(&mut tx, &[base], odd, &[0.1; 500], 3).await.unwrap_err()));
    assert!(refused(embeddings::nearest(&mut tx, &[base], MODEL, &[0.1; 3], 3).await.unwrap_err()));
    assert!(refused(embeddings::nearest(&mut tx, &[base], MODEL, &at(0.0), 0).await.unwrap_err()));
    assert!(refused(embeddings::put(&mut tx, base, MODEL, &[("h".to_owned(), vec![0.1; 3])]).await.unwrap_err()));
    let unknown = KnowledgeBaseId::new();
    let error = embeddings::put(&mut tx, unknown, MODEL, &[("h".to_owned(), at(0.0))]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
    embeddings::put(&mut tx, base, MODEL, &[]).await.unwrap();
}

#[tokio::test]
async fn a_base_is_searched_completely_however_many_others_are_nearer() {
    let (test, db, tenant) = one_tenant().await;
    let other = test.tenant(&db, "other", "dental").await.unwrap();
    crowd(&db, other.knowledge_base).await;
    let base = tenant.knowledge_base;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let passages = chunks(&["far", "farther"]);
    knowledge::replace_source(&mut tx, base, "s", "h", &passages).await.unwrap();
    embeddings::put(&mut tx, base, MODEL, &embedded(&passages, &[60.0, 80.0])).await.unwrap();
    assert_eq!(texts(&mut tx, &[base], 0.0, 3).await, [pair("far", 0.5), pair("farther", 0.17)]);
    // Of another tenant nothing is seen, also when its base is named.
    assert!(texts(&mut tx, &[other.knowledge_base], 0.0, 3).await.is_empty());
}

/// More passages close to the question than an index looks at without being read on.
async fn crowd(db: &Db, base: KnowledgeBaseId) {
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let names: Vec<String> = (0..200).map(|n| format!("near {n}")).collect();
    let passages = chunks(&names.iter().map(String::as_str).collect::<Vec<_>>());
    knowledge::replace_source(&mut tx, base, "s", "h", &passages).await.unwrap();
    let degrees: Vec<f32> = (0..200_u8).map(|n| f32::from(n) / 100.0).collect();
    embeddings::put(&mut tx, base, MODEL, &embedded(&passages, &degrees)).await.unwrap();
    tx.commit().await.unwrap();
}
