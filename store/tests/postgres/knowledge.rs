//! Passages: replaced as their source changes, found by spoken questions.

use voxplane_store::knowledge::{self, Chunk, KnowledgeStats};
use voxplane_store::testing::TestTenant;
use voxplane_store::{Db, KnowledgeBaseId, Scope, StoreError};

use super::support::one_tenant;

const CLINIC: [&str; 7] = [
    "We are open Monday to Friday from eight in the morning to six in the evening, and on Saturdays until noon.",
    "A cleaning costs ninety dollars. A filling starts at one hundred and fifty dollars.",
    "We accept most dental insurance plans, including Delta and Cigna.",
    "The clinic is at 12 Market Street, next to the public library. Parking is free behind the building.",
    "To cancel an appointment please call at least twenty-four hours ahead, or we charge a fee.",
    "In an emergency outside of opening hours, call the hospital at 555-0123.",
    "Doctor Rivera treats children from the age of three.",
];

async fn scope(db: &Db, tenant: &TestTenant) -> voxplane_store::ScopedTx {
    db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap()
}

pub fn chunks(texts: &[&str]) -> Vec<Chunk> {
    texts.iter().map(|text| Chunk { text: (*text).to_owned(), hash: format!("hash of {text}") }).collect()
}

#[tokio::test]
async fn spoken_questions_find_their_passage_first() {
    let (_test, db, tenant) = one_tenant().await;
    let mut tx = scope(&db, &tenant).await;
    let base = tenant.knowledge_base;
    knowledge::replace_source(&mut tx, base, "clinic", "h1", &chunks(&CLINIC)).await.unwrap();
    for (question, expected) in [
        ("what time do you open on saturday", 0),
        ("are you open on Saturdays?", 0),
        ("how much does a cleaning cost", 1),
        ("do you take my dental insurance", 2),
        ("where can I park", 3),
        ("what is the address, which street are you in", 3),
        ("I need to cancel my appointment", 4),
        ("it's an emergency", 5),
        ("do you treat children", 6),
    ] {
        let found = knowledge::search(&mut tx, &[base], question, 3).await.unwrap();
        assert_eq!(found.first().map(|passage| passage.ordinal), Some(expected), "{question}: {found:#?}");
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
        assert!(found.iter().all(|passage| passage.score > 0.0 && passage.score < 1.0));
        assert_eq!((found[0].knowledge_base, found[0].source.as_str()), (base, "clinic"));
    }
}

#[tokio::test]
async fn questions_without_an_answer_find_nothing_and_odd_ones_do_no_harm() {
    let (_test, db, tenant) = one_tenant().await;
    let mut tx = scope(&db, &tenant).await;
    let base = tenant.knowledge_base;
    knowledge::replace_source(&mut tx, base, "clinic", "h1", &chunks(&CLINIC)).await.unwrap();
    for question in [
        "",
        "the of and",
        "spaceship",
        "'",
        "\"",
        "\\",
        "a\0b",
        "!!! & | <-> :*",
        "'); DROP TABLE bobby; --",
        "https://example.org/a?b=1&c='d'",
        "كلمة",
        &"x".repeat(100_000),
    ] {
        let found = knowledge::search(&mut tx, &[base], question, 3).await.unwrap();
        assert_eq!(found, [], "{question}");
    }
    // Quoted and hostile, and still a question.
    let found = knowledge::search(&mut tx, &[base], "it's | \\ 'insurance' & (", 3).await.unwrap();
    assert_eq!(found[0].ordinal, 2);
    assert_eq!(knowledge::search(&mut tx, &[], "insurance", 3).await.unwrap(), []);
    for limit in [0, 51] {
        assert!(matches!(
            knowledge::search(&mut tx, &[base], "insurance", limit).await,
            Err(StoreError::Invalid { field: "limit", .. })
        ));
    }
}

#[tokio::test]
async fn a_source_is_written_when_it_changed_and_gone_when_it_is_removed() {
    let (_test, db, tenant) = one_tenant().await;
    let mut tx = scope(&db, &tenant).await;
    let base = tenant.knowledge_base;
    let stats = |documents, chunks| KnowledgeStats { documents, chunks };
    assert!(knowledge::replace_source(&mut tx, base, "hours", "h1", &chunks(&CLINIC[..2])).await.unwrap());
    assert!(!knowledge::replace_source(&mut tx, base, "hours", "h1", &chunks(&CLINIC[..2])).await.unwrap());
    assert!(knowledge::replace_source(&mut tx, base, "prices", "h1", &chunks(&CLINIC[2..5])).await.unwrap());
    assert_eq!(knowledge::stats(&mut tx, base).await.unwrap(), stats(2, 5));

    assert!(knowledge::replace_source(&mut tx, base, "hours", "h2", &chunks(&CLINIC[6..])).await.unwrap());
    assert_eq!(knowledge::stats(&mut tx, base).await.unwrap(), stats(2, 4));
    assert_eq!(knowledge::search(&mut tx, &[base], "saturday", 3).await.unwrap(), []);
    assert_eq!(knowledge::search(&mut tx, &[base], "children", 3).await.unwrap().len(), 1);

    let keep = ["hours".to_owned()];
    assert_eq!(knowledge::remove_sources_except(&mut tx, base, &keep).await.unwrap(), 1);
    assert_eq!(knowledge::stats(&mut tx, base).await.unwrap(), stats(1, 1));
    assert_eq!(knowledge::remove_base(&mut tx, base).await.unwrap(), 1);
    assert_eq!(knowledge::stats(&mut tx, base).await.unwrap(), stats(0, 0));

    let unknown = KnowledgeBaseId::new();
    let error = knowledge::replace_source(&mut tx, unknown, "hours", "h1", &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
    // An agent is registered, and is no knowledge base.
    let error = knowledge::replace_source(&mut tx, tenant.agent.0.into(), "hours", "h1", &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
}
