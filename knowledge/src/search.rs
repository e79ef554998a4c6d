//! The passages that answer a question: by words, by meaning, and both put together.
//!
//! Two lists are asked for: the passages with most of the question's words, and those most alike in meaning. A passage's
//! score is its share of the words and its similarity, weighed as its knowledge base says; one that is alike in neither way
//! is left out, so that an agent can say honestly that it does not know.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use voxplane_store::knowledge::embeddings::{self, ModelKey, Near};
use voxplane_store::knowledge::{self, Passage};
use voxplane_store::{KnowledgeBaseId, ScopedTx, StoreError};

use crate::embed::Model;

/// Passages that are compared, of each list; more than are asked for, because those best in one may be last in the other.
const CANDIDATES: i64 = 30;
/// Less alike in meaning than this is not about the same thing, unless a knowledge base says otherwise.
const ALIKE: f64 = 0.2;
/// A share of words that is all of them.
const ALL_WORDS: f64 = 0.999;

/// How the passages of one knowledge base are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Lens {
    /// The knowledge base.
    pub base: KnowledgeBaseId,
    /// How alike question and passage must be, 0 to 1; `None`: as is usual.
    pub threshold: Option<f64>,
    /// How much meaning counts, 0 to 1; the rest is up to the words.
    pub meaning: f64,
    /// What made the embeddings of its passages, if any.
    pub model: Option<Model>,
}

/// A question and what it means to each model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// In words.
    pub text: String,
    /// As embeddings; without any, words decide alone.
    pub embeddings: Vec<(Model, Vec<f32>)>,
}

/// A passage that fits a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// Where it comes from.
    pub knowledge_base: KnowledgeBaseId,
    /// The source's name in the KnowledgeBase.
    pub source: String,
    /// The text.
    pub text: String,
    /// 0 to 1, higher is better.
    pub score: f64,
}

/// Searches the knowledge bases; the best come first.
///
/// # Errors
/// What the database says.
pub async fn search(
    tx: &mut ScopedTx,
    lenses: &[Lens],
    question: &Question,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let bases: Vec<KnowledgeBaseId> = lenses.iter().map(|lens| lens.base).collect();
    let words = knowledge::search(tx, &bases, &question.text, CANDIDATES).await?;
    let mut near = Vec::new();
    let mut known = HashMap::new();
    for (model, vector) in &question.embeddings {
        let of_model = lenses.iter().filter(|lens| lens.meaning > 0.0 && lens.model.as_ref() == Some(model));
        let bases: Vec<KnowledgeBaseId> = of_model.map(|lens| lens.base).collect();
        if bases.is_empty() {
            continue;
        }
        let key = ModelKey { name: &model.name, dimensions: model.dimensions };
        let found = embeddings::nearest(tx, &bases, key, vector, CANDIDATES).await?;
        known.extend(found.iter().map(|near| (near.id, near.similarity)));
        // What was found by its words only is compared as well: all are judged alike.
        let others: Vec<Uuid> = words
            .iter()
            .filter(|passage| bases.contains(&passage.knowledge_base) && !known.contains_key(&passage.id))
            .map(|passage| passage.id)
            .collect();
        known.extend(embeddings::similarities(tx, &others, key, vector).await?);
        near.extend(found);
    }
    Ok(merge(lenses, words, near, &known, limit))
}

/// Puts both lists together. Pure.
fn merge(
    lenses: &[Lens],
    words: Vec<Passage>,
    near: Vec<Near>,
    similarities: &HashMap<Uuid, f64>,
    limit: usize,
) -> Vec<Found> {
    let by_words: HashSet<Uuid> = words.iter().map(|passage| passage.id).collect();
    let lens_of = |base: KnowledgeBaseId| lenses.iter().find(|lens| lens.base == base);
    let worded = words.into_iter().filter_map(|passage| {
        let similarity = similarities.get(&passage.id).copied();
        let score = judge(lens_of(passage.knowledge_base)?, passage.score, passage.words, similarity)?;
        let Passage { id, knowledge_base, source, text, ordinal, .. } = passage;
        Some((ordinal, Found { id, knowledge_base, source, text, score }))
    });
    let unworded = near.into_iter().filter(|near| !by_words.contains(&near.id)).filter_map(|near| {
        let score = judge(lens_of(near.knowledge_base)?, 0.0, 0.0, Some(near.similarity))?;
        let Near { id, knowledge_base, source, text, ordinal, .. } = near;
        Some((ordinal, Found { id, knowledge_base, source, text, score }))
    });
    let mut found: Vec<(i32, Found)> = worded.chain(unworded).collect();
    found.sort_by(|(a_place, a), (b_place, b)| {
        b.score.total_cmp(&a.score).then(a_place.cmp(b_place)).then(a.id.cmp(&b.id))
    });
    // A text that stands in two sources would take the place of another.
    let mut texts = HashSet::new();
    let mut found: Vec<Found> = found.into_iter().map(|(_, one)| one).collect();
    found.retain(|one| texts.insert(one.text.clone()));
    found.truncate(limit);
    found
}

/// The score of a passage; `None`: it does not fit. `score`: by its words; `share`: how many of the question's it has.
fn judge(lens: &Lens, score: f64, share: f64, similarity: Option<f64>) -> Option<f64> {
    match similarity.filter(|_| lens.meaning > 0.0) {
        // No embedding, of the passage or of the question: words decide alone.
        None => (share > 0.0 && share >= lens.threshold.unwrap_or_default()).then_some(score),
        Some(similarity) => {
            let fits = similarity >= lens.threshold.unwrap_or(ALIKE) || share >= ALL_WORDS;
            fits.then_some(lens.meaning * similarity.clamp(0.0, 1.0) + (1.0 - lens.meaning) * score)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lens(threshold: Option<f64>, meaning: f64) -> Lens {
        Lens { base: KnowledgeBaseId(Uuid::nil()), threshold, meaning, model: None }
    }

    fn worded(id: u128, text: &str, share: f64) -> Passage {
        Passage {
            id: Uuid::from_u128(id),
            knowledge_base: KnowledgeBaseId(Uuid::nil()),
            source: "s".to_owned(),
            ordinal: 0,
            text: text.to_owned(),
            score: share * 0.9,
            words: share,
        }
    }

    fn near(id: u128, text: &str, similarity: f64) -> Near {
        let Passage { id, knowledge_base, source, ordinal, text, .. } = worded(id, text, 0.0);
        Near { id, knowledge_base, source, ordinal, text, similarity }
    }

    fn texts(lens: Lens, words: Vec<Passage>, near: Vec<Near>, others: &[(u128, f64)]) -> Vec<String> {
        let known = near.iter().map(|near| (near.id, near.similarity));
        let known = known.chain(others.iter().map(|(id, similarity)| (Uuid::from_u128(*id), *similarity))).collect();
        merge(&[lens], words, near, &known, 3).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn meaning_brings_what_words_miss_and_both_together_lead() {
        let words = vec![worded(1, "one word", 0.3), worded(2, "both", 0.7)];
        let meaning = vec![near(3, "meaning", 0.6), near(2, "both", 0.5)];
        assert_eq!(
            texts(lens(None, 0.6), words.clone(), meaning.clone(), &[(1, 0.25)]),
            ["both", "meaning", "one word"]
        );
        assert_eq!(
            texts(lens(None, 1.0), words.clone(), meaning.clone(), &[(1, 0.25)]),
            ["meaning", "both", "one word"]
        );
        assert_eq!(texts(lens(None, 0.0), words, Vec::new(), &[]), ["both", "one word"]);
    }

    #[test]
    fn what_fits_in_neither_way_is_not_found() {
        let stray = vec![worded(1, "a stray word", 0.3)];
        assert!(texts(lens(None, 0.6), stray.clone(), vec![near(2, "something else", 0.19)], &[(1, 0.1)]).is_empty());
        assert_eq!(texts(lens(Some(0.05), 0.6), stray.clone(), Vec::new(), &[(1, 0.1)]), ["a stray word"]);
        assert_eq!(texts(lens(None, 0.6), vec![worded(1, "XJ-900", 1.0)], Vec::new(), &[(1, 0.02)]), ["XJ-900"]);
        assert!(texts(lens(Some(0.5), 0.6), stray.clone(), Vec::new(), &[]).is_empty(), "the share of words, too");
        assert_eq!(
            texts(lens(None, 0.6), stray, Vec::new(), &[]),
            ["a stray word"],
            "without embeddings a word is enough"
        );
    }

    #[test]
    fn a_text_is_found_once() {
        let both = vec![near(1, "same", 0.9), near(2, "same", 0.9), near(3, "other", 0.8)];
        assert_eq!(texts(lens(None, 0.6), Vec::new(), both, &[]), ["same", "other"]);
    }

    proptest! {
        #[test]
        fn scores_are_in_bounds_and_in_order(
            words in prop::collection::vec(0.01..1.0f64, 0..20), near_ in prop::collection::vec(-1.0..1.0f64, 0..20),
            meaning in 0.0..=1.0f64, threshold in prop::option::of(0.0..=1.0f64), limit in 1..9usize
        ) {
            let words: Vec<Passage> = words.iter().zip(1..).map(|(share, id)| worded(id, &id.to_string(), *share)).collect();
            let near: Vec<Near> = near_.iter().zip(10..).map(|(alike, id)| near(id, &id.to_string(), *alike)).collect();
            let known = near.iter().map(|near| (near.id, near.similarity)).collect();
            let found = merge(&[lens(threshold, meaning)], words, near, &known, limit);
            prop_assert!(found.len() <= limit);
            prop_assert!(found.iter().all(|one| (0.0..=1.0).contains(&one.score)));
            prop_assert!(found.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}
