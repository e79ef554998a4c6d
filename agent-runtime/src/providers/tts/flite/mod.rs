//! CMU Flite inside the pod: no account, no network, first audio after about 20 ms.
//!
//! Flite is not safe to use from several threads, so one thread of the process speaks for all calls. It makes speech
//! about a hundred times faster than it is heard; whoever waits, waits for a few clauses at most. Repeated texts
//! (greetings, prompts) come out of a cache.

mod ffi;
mod worker;

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use quick_cache::{Weighter, sync::Cache};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;

use self::{
    ffi::Engine,
    worker::{Job, run},
};
use super::{TtsAudio, TtsProvider, TtsRequest, TtsTiming, WordMark, text::speakable};
use crate::providers::{ProviderError, Result};

/// Texts waiting for the thread.
const QUEUE: usize = 64;
/// Longest text of one request: half a minute of speech. The engine asks clause by clause.
const MAX_TEXT: usize = 2_000;
/// Audio kept for repeated texts: about eight minutes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Cached texts at most; only a hint for the cache's own tables.
const CACHE_ITEMS: usize = 256;
/// Slower or faster than this is not intelligible.
const SPEEDS: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// A voice of Debian's flite package, all American English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Voice {
    /// Female, statistical; the default.
    Slt,
    /// Male, statistical.
    Rms,
    /// Male with a Scottish accent, statistical.
    Awb,
    /// Male, diphones: robotic and quickest.
    Kal16,
}

impl Voice {
    const ALL: [Self; 4] = [Self::Slt, Self::Rms, Self::Awb, Self::Kal16];

    fn name(self) -> &'static str {
        match self {
            Self::Slt => "slt",
            Self::Rms => "rms",
            Self::Awb => "awb",
            Self::Kal16 => "kal16",
        }
    }

    fn find(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Ok(Self::Slt);
        }
        Self::ALL.into_iter().find(|voice| voice.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            ProviderError::config("tts.voice", format!("flite has no voice {name:?}; choose one of {known}"))
        })
    }
}

/// A synthesised text.
#[derive(Debug, Default)]
struct Phrase {
    sample_rate: u32,
    duration: Duration,
    words: Vec<WordMark>,
    pcm: Vec<i16>,
}

/// Text, voice and speed in hundredths.
type Key = (String, Voice, u32);
type Phrases = Cache<Key, Arc<Phrase>, Bytes>;

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Phrase>> for Bytes {
    fn weight(&self, key: &Key, phrase: &Arc<Phrase>) -> u64 {
        let words: usize = phrase.words.iter().map(|word| word.text.len() + size_of::<WordMark>()).sum();
        (key.0.len() + words + phrase.pcm.len() * size_of::<i16>() + size_of::<Phrase>()) as u64
    }
}

fn key(text: &str, voice: Voice, speed: f32) -> Key {
    (text.to_owned(), voice, (speed * 100.0).round() as u32)
}

/// The synthesiser of the process; clones share it.
#[derive(Clone)]
pub struct Flite {
    jobs: mpsc::Sender<Job>,
    phrases: Arc<Phrases>,
}

impl Flite {
    /// Loads the voices and starts the thread, once per process: later calls give the same synthesiser.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] when the thread cannot start.
    pub fn load() -> Result<Self> {
        // The library is process-wide state, so its owner is, too.
        static FLITE: OnceLock<Option<Flite>> = OnceLock::new();
        FLITE
            .get_or_init(Self::start)
            .clone()
            .ok_or_else(|| ProviderError::Unavailable { what: "a thread for speech synthesis".into(), source: None })
    }

    fn start() -> Option<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let phrases = Arc::new(Cache::with_weighter(CACHE_ITEMS, CACHE_BYTES, Bytes));
        let cache = phrases.clone();
        thread::Builder::new()
            .name("tts".into())
            .spawn(move || {
                if let Some(engine) = Engine::new() {
                    run(engine, queue, &cache);
                }
            })
            .ok()?;
        Some(Self { jobs, phrases })
    }
}

impl TtsProvider for Flite {
    fn name(&self) -> &'static str {
        "flite"
    }

    fn synthesize(&self, request: TtsRequest) -> BoxFuture<'_, Result<TtsAudio>> {
        async move {
            let asked = Instant::now();
            let voice = Voice::find(&request.voice)?;
            let speed = speed(request.speed)?;
            language(&request.language)?;
            let text = speakable(&request.text);
            if text.len() > MAX_TEXT {
                let message = format!("{} bytes in one text; split it into clauses of at most {MAX_TEXT}", text.len());
                return Err(ProviderError::config("text", message));
            }
            if !text.contains(|c: char| c.is_ascii_alphanumeric()) {
                return Ok(silence(asked));
            }
            if let Some(phrase) = self.phrases.get(&key(&text, voice, speed)) {
                return Ok(cached(&phrase, asked));
            }
            let (started, first) = oneshot::channel();
            let (audio, chunks) = mpsc::unbounded_channel();
            let job = Job { text, voice, speed, asked, started, audio };
            self.jobs.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ProviderError::Overloaded { what: "speech synthesis" },
                mpsc::error::TrySendError::Closed(_) => gone(),
            })?;
            let started = first.await.map_err(|_| gone())??;
            Ok(TtsAudio {
                sample_rate: started.sample_rate,
                chunks: UnboundedReceiverStream::new(chunks).boxed(),
                duration: Some(started.duration),
                words: Some(started.words),
                timing: TtsTiming { queued: started.queued, first_audio: asked.elapsed(), cached: false },
            })
        }
        .boxed()
    }
}

fn gone() -> ProviderError {
    ProviderError::Unavailable { what: "speech synthesis".into(), source: None }
}

fn speed(speed: f32) -> Result<f32> {
    match speed {
        0.0 => Ok(1.0),
        speed if SPEEDS.contains(&speed) => Ok(speed),
        speed => {
            let message = format!("{:.0} is out of range; set 50 to 200 percent", speed * 100.0);
            Err(ProviderError::config("tts.speedPercent", message))
        }
    }
}

fn language(language: &str) -> Result<()> {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    if primary.is_empty() || primary.eq_ignore_ascii_case("en") {
        return Ok(());
    }
    Err(ProviderError::config("language", format!("flite speaks English only, not {language:?}; set \"en-US\"")))
}

fn cached(phrase: &Phrase, asked: Instant) -> TtsAudio {
    TtsAudio {
        sample_rate: phrase.sample_rate,
        chunks: stream::iter([Ok(phrase.pcm.clone())]).boxed(),
        duration: Some(phrase.duration),
        words: Some(phrase.words.clone()),
        timing: TtsTiming { queued: Duration::ZERO, first_audio: asked.elapsed(), cached: true },
    }
}

fn silence(asked: Instant) -> TtsAudio {
    TtsAudio {
        sample_rate: 16_000,
        chunks: stream::empty().boxed(),
        duration: Some(Duration::ZERO),
        words: Some(Vec::new()),
        timing: TtsTiming { queued: Duration::ZERO, first_audio: asked.elapsed(), cached: false },
    }
}
