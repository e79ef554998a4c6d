//! Do callers get their answer? A knowledge base of a clinic, questions in callers' own words, and what is found for each by
//! words alone and by words and meaning together. `cargo test -p voxplane-knowledge --all-features --test answers --
//! --nocapture` prints both side by side. Needs the model (VOXPLANE_MODELS_DIR) and Postgres
//! (VOXPLANE_TEST_DATABASE_URL).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking, and reports")]

use std::path::PathBuf;

use voxplane_knowledge::chunk::{Passage, split};
use voxplane_knowledge::document::{Format, read};
use voxplane_knowledge::embed::{Embedder, MiniLm, Model};
use voxplane_knowledge::search::{Found, Lens, Question, search};
use voxplane_knowledge::{hash, settings};
use voxplane_store::knowledge::embeddings::{self, ModelKey};
use voxplane_store::knowledge::{self, Chunk};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{Db, Scope};

/// What the clinic wrote.
const CLINIC: &str = include_str!("clinic.md");

/// Questions in other words than the text's, and a part of the passage that answers.
const PARAPHRASES: [(&str, &str); 16] = [
    ("what time do you shut in the evening", "eight in the morning until six"),
    ("can I come by at the weekend", "eight in the morning until six"),
    ("where can I leave my car", "garage behind the building"),
    ("is the building okay for someone who can't walk", "wheelchair"),
    ("my tooth got knocked out, what now", "emergency"),
    ("I'm terrified of the drill", "anxious"),
    ("can I pay a bit every month", "instalments"),
    ("do you take kids", "children from the age of three"),
    ("how do I make my teeth whiter", "bleaching"),
    ("what happens if I don't show up", "missed"),
    ("does my health plan cover this", "insurers"),
    ("do I have to fill anything in beforehand", "questionnaire"),
    ("my gums bleed when I brush", "periodontal"),
    ("can somebody talk to me in Spanish", "interpreter"),
    ("how soon can I eat again after the needle", "numb"),
    ("I snore at night, do you have something for that", "snoring"),
];

/// Questions in the text's own words: they must not suffer.
const LITERAL: [(&str, &str); 5] = [
    ("what does a cleaning cost", "eighty dollars"),
    ("where is the garage", "garage behind the building"),
    ("do you have an interpreter", "interpreter"),
    ("is bleaching safe", "bleaching"),
    ("which insurers do you work with", "insurers"),
];

/// Questions that this text does not answer.
const UNANSWERED: [&str; 6] = [
    "what is the capital of Australia",
    "how do I reset my router",
    "which football team won yesterday",
    "can you recommend a recipe for lasagne",
    "when does the next train to Boston leave",
    "what is the price of bitcoin",
];

struct World {
    _test: TestDb,
    db: Db,
    tenant: TestTenant,
    model: MiniLm,
}

impl World {
    async fn new() -> Self {
        let models = std::env::var("VOXPLANE_MODELS_DIR").expect("VOXPLANE_MODELS_DIR: the directory with minilm.onnx");
        let model = MiniLm::load(&PathBuf::from(models)).unwrap();
        let test = TestDb::create().await;
        let db = test.connect().await.unwrap();
        let tenant = test.tenant(&db, "acme", "dental").await.unwrap();
        let world = Self { _test: test, db, tenant, model };
        world.fill().await;
        world
    }

    async fn fill(&self) {
        let passages = split(&read(Format::Markdown, CLINIC), &settings::plan(&Default::default()));
        let texts: Vec<String> = passages.iter().map(Passage::text).collect();
        let vectors = self.model.embed(texts.clone()).await.unwrap();
        let chunks: Vec<Chunk> = texts.into_iter().map(|text| Chunk { hash: hash(&[&text]), text }).collect();
        let embedded: Vec<_> = chunks.iter().map(|chunk| chunk.hash.clone()).zip(vectors).collect();
        let base = self.tenant.knowledge_base;
        let mut tx = self.db.begin(&Scope::tenant(self.tenant.agency, self.tenant.tenant)).await.unwrap();
        knowledge::replace_source(&mut tx, base, "clinic", "h", &chunks).await.unwrap();
        embeddings::put(&mut tx, base, key(self.model.model()), &embedded).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn ask(&self, text: &str, by_meaning: bool) -> Vec<Found> {
        let model = self.model.model().clone();
        let embeddings = match by_meaning {
            true => vec![(model.clone(), self.model.embed(vec![text.to_owned()]).await.unwrap().remove(0))],
            false => Vec::new(),
        };
        let lens = Lens { model: Some(model), ..settings::lens(self.tenant.knowledge_base, &Default::default(), None) };
        let mut tx = self.db.begin(&Scope::tenant(self.tenant.agency, self.tenant.tenant)).await.unwrap();
        search(&mut tx, &[lens], &Question { text: text.to_owned(), embeddings }, 3).await.unwrap()
    }

    /// How many questions have their answer first, and among the three that a model reads.
    async fn score(&self, questions: &[(&str, &str)], by_meaning: bool) -> (usize, usize) {
        let (mut first, mut among) = (0, 0);
        for (question, answer) in questions {
            let found = self.ask(question, by_meaning).await;
            first += usize::from(found.first().is_some_and(|one| one.text.contains(answer)));
            among += usize::from(found.iter().any(|one| one.text.contains(answer)));
        }
        (first, among)
    }

    async fn print(&self, question: &str) {
        let shown = |found: &[Found]| {
            let first = found.first();
            first.map_or("(nothing)".to_owned(), |one| {
                let text = one.text.lines().filter(|line| !line.starts_with('#')).collect::<String>();
                format!("{:.2} {}", one.score, text.chars().take(44).collect::<String>())
            })
        };
        let (words, both) = (self.ask(question, false).await, self.ask(question, true).await);
        println!("{question:<52} | {:<50} | {}", shown(&words), shown(&both));
    }
}

fn key(model: &Model) -> ModelKey<'_> {
    ModelKey { name: &model.name, dimensions: model.dimensions }
}

#[tokio::test]
async fn callers_own_words_find_the_answer() {
    let world = World::new().await;
    println!("{:<52} | {:<50} | by words and meaning", "question", "by words");
    for question in PARAPHRASES.iter().chain(&LITERAL).map(|(question, _)| question).chain(&UNANSWERED) {
        world.print(question).await;
    }
    let (words, both) = (world.score(&PARAPHRASES, false).await, world.score(&PARAPHRASES, true).await);
    let (literal_words, literal) = (world.score(&LITERAL, false).await, world.score(&LITERAL, true).await);
    let asked = PARAPHRASES.len();
    println!(
        "other words, of {asked}: by words first {} among three {}; by both {} and {}",
        words.0, words.1, both.0, both.1
    );
    println!("same words, of {}: by words first {}; by both {}", LITERAL.len(), literal_words.0, literal.0);
    assert!(both.0 * 2 >= asked, "half of them are answered by the first passage: {both:?}");
    assert!(both.0 >= words.0 + asked / 3, "words alone are far behind: {words:?} {both:?}");
    assert!(both.1 >= words.1 + asked / 3, "also among those that a model reads: {words:?} {both:?}");
    assert!(literal.0 == LITERAL.len() && literal.0 >= literal_words.0, "the text's own words still work: {literal:?}");
    for question in UNANSWERED {
        let found = world.ask(question, true).await;
        assert!(found.is_empty(), "{question}: nothing answers this, not {found:#?}");
    }
}

#[tokio::test]
async fn a_text_is_embedded_alike_alone_and_among_longer_ones() {
    let world = World::new().await;
    let long = "A much longer text, so that the short one beside it must be filled up. ".repeat(12);
    let alone = world.model.embed(vec!["parking".to_owned()]).await.unwrap().remove(0);
    let among = world.model.embed(vec![long, "parking".to_owned()]).await.unwrap().remove(1);
    let cosine: f32 = alone.iter().zip(&among).map(|(a, b)| a * b).sum();
    assert!(cosine > 0.98, "{cosine}");
    // What the model's authors show: these two mean much the same, the third does not.
    let vectors = world
        .model
        .embed(
            ["A man is eating food.", "A man is eating a piece of bread.", "A monkey is playing drums."]
                .map(str::to_owned)
                .to_vec(),
        )
        .await
        .unwrap();
    let dot = |a: usize, b: usize| vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum::<f32>();
    assert!((0.70..0.81).contains(&dot(0, 1)) && dot(0, 2) < 0.15, "{} {}", dot(0, 1), dot(0, 2));
}
