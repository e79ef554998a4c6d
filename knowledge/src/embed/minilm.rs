//! all-MiniLM-L6-v2 on ONNX Runtime, which is loaded at run time: 384 dimensions, offline, English.
//!
//! The model takes word pieces and gives a vector for each; their mean, scaled to length 1, is the embedding
//! (<https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2>).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ort::environment::Environment;
use ort::session::{Session, builder::GraphOptimizationLevel};
use ort::value::TensorRef;

use super::wordpiece::WordPiece;
use super::{EmbedError, Embedder, Model, normalised};

/// The model's file in the directory of models.
pub const MODEL_FILE: &str = "minilm.onnx";
/// Its vocabulary, beside it.
pub const VOCABULARY_FILE: &str = "minilm-vocab.txt";
const LIBRARY: &str = "libonnxruntime.so";

const DIMENSIONS: usize = 384;
/// The model was trained with so many word pieces; what comes after them is not read.
const LONGEST: usize = 256;
/// Texts per inference. More make it no faster on a processor, and others wait for longer.
const BATCH: usize = 8;
/// Threads of one inference: it is short, and whoever shares the machine carries calls.
const THREADS: usize = 2;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The model, loaded once per process. Inferences come one after the other.
pub struct MiniLm {
    model: Model,
    words: Arc<WordPiece>,
    /// Waited for without a thread, so that whoever gives up leaves nothing behind.
    session: Arc<tokio::sync::Mutex<Session>>,
    takes_types: bool,
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MiniLm").field("model", &self.model).finish_non_exhaustive()
    }
}

impl MiniLm {
    /// Loads library, model and vocabulary from a directory.
    ///
    /// # Errors
    /// [`EmbedError::Missing`] naming the file that is not there or does not load.
    pub fn load(directory: &Path) -> Result<Self, EmbedError> {
        let (library, file) = (existing(directory, LIBRARY)?, existing(directory, MODEL_FILE)?);
        let vocabulary_file = existing(directory, VOCABULARY_FILE)?;
        let vocabulary = std::fs::read_to_string(&vocabulary_file).map_err(|error| broken(&vocabulary_file, error))?;
        let words = WordPiece::new(&vocabulary).ok_or_else(|| EmbedError::Missing {
            what: format!("{} is no vocabulary of a BERT model", vocabulary_file.display()),
            source: None,
        })?;
        let environment = environment(&library).map_err(|error| broken(&library, error))?;
        let session = open(&environment, &file).map_err(|error| broken(&file, error))?;
        let takes_types = session.inputs().iter().any(|input| input.name() == "token_type_ids");
        let this = Self {
            model: Model { name: "minilm/all-MiniLM-L6-v2".to_owned(), dimensions: DIMENSIONS },
            words: Arc::new(words),
            session: Arc::new(tokio::sync::Mutex::new(session)),
            takes_types,
        };
        // A graph with other inputs or outputs fails here, at start, and not at the first question.
        let trial = this.words.encode("hello", LONGEST);
        let mut session = this.session.try_lock().map_err(|error| broken(&file, error))?;
        infer(&mut session, &[trial], takes_types)?;
        drop(session);
        Ok(this)
    }
}

impl Embedder for MiniLm {
    fn model(&self) -> &Model {
        &self.model
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        let (words, takes_types) = (Arc::clone(&self.words), self.takes_types);
        async move {
            let mut session = Arc::clone(&self.session).lock_owned().await;
            let work = move || {
                let encoded: Vec<Vec<i64>> = texts.iter().map(|text| words.encode(text, LONGEST)).collect();
                let batches = encoded.chunks(BATCH).map(|batch| infer(&mut session, batch, takes_types));
                Ok(batches.collect::<Result<Vec<_>, _>>()?.concat())
            };
            tokio::task::spawn_blocking(work).await.map_err(|error| EmbedError::Model(error.into()))?
        }
        .boxed()
    }
}

/// The embeddings of encoded texts.
fn infer(session: &mut Session, texts: &[Vec<i64>], takes_types: bool) -> Result<Vec<Vec<f32>>, EmbedError> {
    let failed = |error: ort::Error| EmbedError::Model(error.into());
    let width = texts.iter().map(Vec::len).max().unwrap_or_default();
    let shape = [texts.len(), width];
    let padded = |one: i64| {
        let row = move |text: &Vec<i64>| {
            (0..width).map(|at| text.get(at).map_or(0, |id| if one == 1 { 1 } else { *id })).collect::<Vec<_>>()
        };
        texts.iter().flat_map(row).collect::<Vec<i64>>()
    };
    let (ids, mask, types) = (padded(0), padded(1), vec![0_i64; texts.len() * width]);
    let ids = TensorRef::from_array_view((shape, ids.as_slice())).map_err(failed)?;
    let mask_input = TensorRef::from_array_view((shape, mask.as_slice())).map_err(failed)?;
    let outputs = if takes_types {
        let types = TensorRef::from_array_view((shape, types.as_slice())).map_err(failed)?;
        session.run(ort::inputs!["input_ids" => ids, "attention_mask" => mask_input, "token_type_ids" => types])
    } else {
        session.run(ort::inputs!["input_ids" => ids, "attention_mask" => mask_input])
    }
    .map_err(failed)?;
    let other = |what: &str| EmbedError::Model(format!("{MODEL_FILE} has {what}").into());
    let output = outputs.get("last_hidden_state").ok_or_else(|| other("no output last_hidden_state"))?;
    let (found, states) = output.try_extract_tensor::<f32>().map_err(failed)?;
    let expected = [texts.len() as i64, width as i64, DIMENSIONS as i64];
    if found.iter().copied().ne(expected) {
        return Err(other(&format!("an output of shape {found:?} instead of {expected:?}")));
    }
    let rows = states.chunks(width * DIMENSIONS).zip(texts);
    rows.map(|(row, text)| normalised(mean(&row[..text.len() * DIMENSIONS])).ok_or_else(|| other("an empty output")))
        .collect()
}

/// The mean of vectors that lie one after the other.
fn mean(vectors: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0; DIMENSIONS];
    for vector in vectors.chunks(DIMENSIONS) {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    sum
}

fn open(environment: &Environment, model: &Path) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(THREADS)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .commit_from_file(model)
}

/// ONNX Runtime, loaded once: a process has one library and one environment, whichever directory asked first.
fn environment(library: &Path) -> Result<Environment, Failure> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    *loaded = Some(environment.clone());
    Ok(environment)
}

fn existing(directory: &Path, name: &str) -> Result<PathBuf, EmbedError> {
    let path = directory.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(EmbedError::Missing { what: format!("there is no file {}", path.display()), source: None })
}

fn broken(path: &Path, error: impl Into<Failure>) -> EmbedError {
    EmbedError::Missing { what: format!("{} cannot be loaded", path.display()), source: Some(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let error = MiniLm::load(Path::new("/nowhere")).unwrap_err().to_string();
        assert_eq!(error, "there is no file /nowhere/libonnxruntime.so");
    }
}
