//! CMU PocketSphinx inside the pod: no account, no network, a small vocabulary and a fast answer.
//!
//! With `stt.options.phrases` the caller's utterance is one of those phrases or nothing ([`score`]); without, the
//! packaged language model takes free dictation, which on telephone audio is slow and often wrong. `docs/providers.md`
//! has the measurements.
//!
//! Every utterance is decoded as a whole, again and again while it grows for partial results: reading a phrase takes
//! 1 % of its duration, and normalising over the whole utterance is what makes the first sentence of a telephone call
//! as reliable as the later ones.

mod buffer;
mod dictionary;
mod ffi;
mod grammar;
mod recogniser;
mod score;
mod worker;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::Instant,
};

use futures::{FutureExt, StreamExt, future::BoxFuture};
use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use voxplane_control::v1::SttConfig;

use self::{
    dictionary::Dictionary,
    grammar::Grammar,
    recogniser::Recogniser,
    worker::{Message, run},
};
use super::{SttInput, SttProvider, SttStream};
use crate::providers::{ProviderError, Result};

/// Where Debian's package `pocketsphinx-en-us` puts the model.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";
/// Blocks of audio waiting for the thread: 10 s of 20 ms blocks.
const QUEUE: usize = 500;
/// Events waiting for the reader.
const EVENTS: usize = 32;
/// Compiled grammars kept, by phrases: one per agent that is called on this pod.
const GRAMMARS: usize = 64;

/// Files of the acoustic model, the dictionary and the language model.
pub(crate) struct Models {
    acoustic: PathBuf,
    dictionary: PathBuf,
    language: PathBuf,
}

/// The recogniser's models; opens one thread and one decoder (about 6 MB) per call.
pub struct Pocketsphinx {
    models: Arc<Models>,
    words: Arc<Dictionary>,
    grammars: Arc<Cache<Vec<String>, Arc<Grammar>>>,
}

impl Pocketsphinx {
    /// Finds the English model where Debian installs it.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] naming the file that is missing.
    pub fn load() -> Result<Self> {
        Self::load_from(Path::new(MODEL))
    }

    /// Finds a model in the layout of Debian's package.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] naming the file that is missing.
    pub fn load_from(directory: &Path) -> Result<Self> {
        let models = Models {
            acoustic: directory.join("en-us"),
            dictionary: directory.join("cmudict-en-us.dict"),
            language: directory.join("en-us.lm.bin"),
        };
        let definition = models.acoustic.join("mdef");
        std::fs::metadata(&definition)
            .map_err(|error| ProviderError::unavailable(definition.display().to_string(), error))?;
        let words = Arc::new(Dictionary::load(&models.dictionary)?);
        Ok(Self { models: Arc::new(models), words, grammars: Arc::new(Cache::new(GRAMMARS)) })
    }
}

impl SttProvider for Pocketsphinx {
    fn name(&self) -> &'static str {
        "pocketsphinx"
    }

    fn open<'a>(&'a self, config: &'a SttConfig) -> BoxFuture<'a, Result<SttStream>> {
        async move {
            if !matches!(config.model.as_str(), "" | "en-us") {
                let message = format!("this image has no model {:?}; leave it out or set \"en-us\"", config.model);
                return Err(ProviderError::config("stt.model", message));
            }
            let (sender, messages) = channel();
            let waiting = Arc::new(AtomicUsize::new(0));
            let input = Box::new(Input { sender, waiting: waiting.clone() });
            let (events, reader) = mpsc::channel(EVENTS);
            let (ready, opened) = oneshot::channel();
            let phrases = config.phrases.clone();
            let (models, words, grammars) = (self.models.clone(), self.words.clone(), self.grammars.clone());
            // The thread belongs to the stream: it ends when the input or the events are dropped.
            thread::Builder::new()
                .name("stt".into())
                .spawn(move || match recogniser(&models, &words, &grammars, phrases) {
                    Ok(recogniser) => {
                        if ready.send(Ok(())).is_ok() {
                            run(recogniser, &messages, &waiting, &events);
                        }
                    }
                    Err(error) => drop(ready.send(Err(error))),
                })
                .map_err(|error| ProviderError::unavailable("a thread for speech recognition", error))?;
            opened.await.map_err(|error| ProviderError::unavailable("the speech recogniser", error))??;
            Ok(SttStream { input, events: ReceiverStream::new(reader).boxed() })
        }
        .boxed()
    }
}

fn recogniser(
    models: &Models,
    words: &Dictionary,
    grammars: &Cache<Vec<String>, Arc<Grammar>>,
    phrases: Vec<String>,
) -> Result<Recogniser> {
    if phrases.is_empty() {
        if !models.language.is_file() {
            let message = "this image has no language model for free dictation; list the phrases to recognise";
            return Err(ProviderError::config("stt.options.phrases", message));
        }
        return Recogniser::for_dictation(models);
    }
    let grammar = match grammars.get(&phrases) {
        Some(grammar) => grammar,
        None => {
            let grammar = Arc::new(Grammar::compile(&phrases, words)?);
            grammars.insert(phrases, grammar.clone());
            grammar
        }
    };
    Recogniser::for_phrases(models, &grammar)
}

/// Marks always get through; only audio, which is what piles up, is bounded, by counting the blocks that wait.
struct Input {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
}

impl SttInput for Input {
    fn push(&mut self, pcm: &[i16], at_us: i64) -> Result<()> {
        if self.waiting.load(Ordering::Relaxed) >= QUEUE {
            return Err(ProviderError::Overloaded { what: "speech recognition" });
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender
            .send(Message::Audio { pcm: pcm.to_vec(), at_us })
            .map_err(|_| ProviderError::Unavailable { what: "the speech recogniser".into(), source: None })
    }

    fn speech_started(&mut self, at_us: i64) {
        // When the thread is gone the events have ended, which says so.
        let _ = self.sender.send(Message::Started { at_us });
    }

    fn speech_paused(&mut self, at_us: i64) {
        let _ = self.sender.send(Message::Paused { at_us });
    }

    fn speech_ended(&mut self, at_us: i64) {
        let _ = self.sender.send(Message::Ended { at_us, called: Instant::now() });
    }
}
