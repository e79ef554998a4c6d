//! The one thread that owns the synthesiser: takes jobs in order, hands out audio as it is made.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    Phrase, Phrases, Voice,
    ffi::{Engine, Listener, Outline},
};
use crate::providers::{ProviderError, Result, tts::WordMark};

/// Silence left before the first word. Flite begins with 100–250 ms, all of which the caller would wait for.
const LEAD_MS: u32 = 30;
/// Blocks are handed out at this length: flite makes 25 ms at a time, four of them are one wake-up of the reader.
const BLOCK_MS: usize = 100;

/// One text to say.
pub(super) struct Job {
    pub(super) text: String,
    pub(super) voice: Voice,
    pub(super) speed: f32,
    pub(super) asked: Instant,
    pub(super) started: oneshot::Sender<Result<Started>>,
    /// Unbounded on purpose: a reader that waits must not hold up other calls, and the text's length bounds it.
    pub(super) audio: mpsc::UnboundedSender<Result<Vec<i16>>>,
}

/// What the job's owner learns with the first audio.
pub(super) struct Started {
    pub(super) sample_rate: u32,
    pub(super) duration: Duration,
    pub(super) words: Vec<WordMark>,
    pub(super) queued: Duration,
}

/// Runs until the last sender of jobs is gone.
pub(super) fn run(mut engine: Engine, mut jobs: mpsc::Receiver<Job>, phrases: &Phrases) {
    while let Some(job) = jobs.blocking_recv() {
        // Cancelled while it waited.
        if job.started.is_closed() {
            continue;
        }
        let key = super::key(&job.text, job.voice, job.speed);
        let mut speech = Speech::new(job);
        let result = {
            let (text, voice, speed) = (speech.text.clone(), speech.voice, speech.speed);
            engine.speak(&text, voice, speed, &mut speech)
        };
        if let Some(phrase) = speech.finish(result) {
            phrases.insert(key, Arc::new(phrase));
        }
    }
}

/// The audio of one job on its way out.
struct Speech {
    text: String,
    voice: Voice,
    speed: f32,
    queued: Duration,
    started: Option<oneshot::Sender<Result<Started>>>,
    audio: mpsc::UnboundedSender<Result<Vec<i16>>>,
    /// Samples still to be left out at the start.
    skip: usize,
    block: Vec<i16>,
    block_length: usize,
    whole: Phrase,
    cancelled: bool,
}

impl Speech {
    fn new(job: Job) -> Self {
        Self {
            queued: job.asked.elapsed(),
            text: job.text,
            voice: job.voice,
            speed: job.speed,
            started: Some(job.started),
            audio: job.audio,
            skip: 0,
            block: Vec::new(),
            block_length: 0,
            whole: Phrase::default(),
            cancelled: false,
        }
    }

    fn flush(&mut self) -> bool {
        let block = std::mem::take(&mut self.block);
        self.whole.pcm.extend(&block);
        self.cancelled = self.cancelled || self.audio.send(Ok(block)).is_err();
        !self.cancelled
    }

    /// Ends the job; gives the phrase when it is complete.
    fn finish(mut self, result: Result<()>) -> Option<Phrase> {
        if let Err(error) = result {
            match self.started.take() {
                Some(started) => drop(started.send(Err(error))),
                None => drop(self.audio.send(Err(error))),
            }
            return None;
        }
        if let Some(started) = self.started.take() {
            // Nothing came out: the text had nothing to say in it, or the voice does not speak.
            let error = ProviderError::protocol("flite made no audio of the text");
            drop(started.send(Err(error)));
            return None;
        }
        if !self.block.is_empty() {
            self.flush();
        }
        (!self.cancelled).then_some(self.whole)
    }
}

impl Listener for Speech {
    fn outline(&mut self, outline: Outline) -> bool {
        let first = outline.words.first().map_or(0, |word| word.start_ms);
        let cut = first.saturating_sub(LEAD_MS);
        let words = outline.words.into_iter().map(|word| WordMark {
            start_ms: word.start_ms - cut.min(word.start_ms),
            end_ms: word.end_ms - cut.min(word.end_ms),
            text: word.text,
        });
        let words: Vec<WordMark> = words.collect();
        let duration =
            Duration::from_secs_f32(outline.duration.max(0.0)).saturating_sub(Duration::from_millis(cut.into()));
        let rate = outline.sample_rate as usize;
        self.skip = cut as usize * rate / 1000;
        self.block_length = (BLOCK_MS * rate / 1000).max(1);
        self.whole = Phrase { sample_rate: outline.sample_rate, duration, words: words.clone(), pcm: Vec::new() };
        let started = Started { sample_rate: outline.sample_rate, duration, words, queued: self.queued };
        self.cancelled = self.started.take().is_none_or(|sender| sender.send(Ok(started)).is_err());
        !self.cancelled
    }

    fn audio(&mut self, pcm: &[i16]) -> bool {
        let skipped = self.skip.min(pcm.len());
        self.skip -= skipped;
        self.block.extend(&pcm[skipped..]);
        if self.block.len() >= self.block_length { self.flush() } else { !self.audio.is_closed() }
    }
}
