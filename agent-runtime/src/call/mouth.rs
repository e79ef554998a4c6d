//! The agent's voice: clauses are synthesised one after the other, wait as PCM, and are handed to the pacer when their
//! utterance has the floor. One clause is one utterance of the pacer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use voxplane_control::v1::TtsConfig;
use voxplane_media::Speaker;
use voxplane_media::clock::{Position, RATE};
use voxplane_media::pacer::{EnqueueError, PlayoutEvent, UtteranceId as PacerId};
use voxplane_media::resample::Resampler;
use voxplane_platform::error_chain::describe;
use voxplane_session::{CallTime, ClauseId, FailedWork, Input, Stage, UtteranceId, WordTime};

use super::driver::News;
use crate::providers::tts::{TtsProvider, TtsRequest, WordMark};

/// Rate of the pacer.
const OUTPUT_RATE: u32 = 48_000;
/// Frames this close together were sent without a pause.
const CONTIGUOUS: i64 = RATE * 30 / 1_000;

/// Audio of one clause on its way to the pacer.
#[derive(Debug, Default)]
struct Clip {
    waiting: Vec<i16>,
    /// Samples made so far.
    made: u64,
    complete: bool,
    closed: bool,
}

/// How much of the playing clause was sent and reported.
#[derive(Debug, Clone, Copy)]
struct Progress {
    clause: ClauseId,
    sent: u64,
    /// End of what was reported, on the call clock.
    until: Position,
}

/// Speaks for one call.
pub(super) struct Mouth {
    tts: Arc<dyn TtsProvider>,
    voice: TtsConfig,
    language: String,
    queue: VecDeque<(ClauseId, String)>,
    making: Option<(ClauseId, AbortHandle)>,
    clips: BTreeMap<ClauseId, Clip>,
    speaker: Option<Speaker>,
    floor: Option<UtteranceId>,
    progress: Option<Progress>,
}

impl Mouth {
    pub(super) fn new(tts: Arc<dyn TtsProvider>, voice: TtsConfig, language: String) -> Self {
        Self {
            tts,
            voice,
            language,
            queue: VecDeque::new(),
            making: None,
            clips: BTreeMap::new(),
            speaker: None,
            floor: None,
            progress: None,
        }
    }

    /// The track is published.
    pub(super) fn published(&mut self, speaker: Speaker) {
        self.speaker = Some(speaker);
        self.feed();
    }

    /// Wants audio for a clause.
    pub(super) fn synthesize(
        &mut self,
        clause: ClauseId,
        text: String,
        tasks: &mut JoinSet<()>,
        news: &mpsc::Sender<News>,
    ) {
        self.clips.insert(clause, Clip::default());
        self.queue.push_back((clause, text));
        self.make_next(tasks, news);
    }

    fn make_next(&mut self, tasks: &mut JoinSet<()>, news: &mpsc::Sender<News>) {
        if self.making.is_some() {
            return;
        }
        let Some((clause, text)) = self.queue.pop_front() else { return };
        let request = TtsRequest {
            text,
            voice: self.voice.voice.clone(),
            speed: self.voice.speed as f32,
            language: self.language.clone(),
        };
        let task = tasks.spawn(make(self.tts.clone(), clause, request, news.clone()));
        self.making = Some((clause, task));
    }

    /// Audio of a clause arrived. Returns what the engine has to know.
    pub(super) fn audio(&mut self, clause: ClauseId, pcm: &[i16]) -> Option<Input> {
        let clip = self.clips.get_mut(&clause)?;
        let first = clip.made == 0;
        clip.made += pcm.len() as u64;
        clip.waiting.extend_from_slice(pcm);
        self.feed();
        first.then_some(Input::ClauseAudio { clause })
    }

    /// A clause's audio is complete.
    pub(super) fn complete(
        &mut self,
        clause: ClauseId,
        words: Option<Vec<WordMark>>,
        tasks: &mut JoinSet<()>,
        news: &mpsc::Sender<News>,
    ) -> Option<Input> {
        self.making.take_if(|(making, _)| *making == clause);
        self.make_next(tasks, news);
        let clip = self.clips.get_mut(&clause)?;
        clip.complete = true;
        let duration = span(clip.made);
        self.feed();
        let word = |mark: WordMark| WordTime { text: mark.text, end: Duration::from_millis(mark.end_ms.into()) };
        let words = words.unwrap_or_default().into_iter().map(word).collect();
        Some(Input::ClauseReady { clause, duration, words })
    }

    /// A clause could not be made.
    pub(super) fn failed(
        &mut self,
        clause: ClauseId,
        error: String,
        tasks: &mut JoinSet<()>,
        news: &mpsc::Sender<News>,
    ) -> Input {
        self.making.take_if(|(making, _)| *making == clause);
        self.make_next(tasks, news);
        let provider = self.tts.name().to_owned();
        Input::ProviderFailed { stage: Stage::Tts, provider, error, of: FailedWork::Clause(clause) }
    }

    /// Gives the floor to an utterance.
    pub(super) fn play(&mut self, utterance: UtteranceId) {
        self.clips.retain(|clause, _| clause.utterance >= utterance || self.floor != Some(clause.utterance));
        self.floor = Some(utterance);
        self.feed();
    }

    /// Lowers or raises the voice.
    pub(super) fn duck(&self, ducked: bool) {
        if let Some(speaker) = &self.speaker {
            speaker.set_ducked(ducked);
        }
    }

    /// Drops an utterance at once, whatever its state.
    pub(super) fn stop(&mut self, utterance: UtteranceId, tasks: &mut JoinSet<()>, news: &mpsc::Sender<News>) {
        if self.floor == Some(utterance) {
            if let Some(speaker) = &self.speaker {
                speaker.flush();
            }
            self.floor = None;
            self.progress = None;
        }
        self.clips.retain(|clause, _| clause.utterance != utterance);
        self.queue.retain(|(clause, _)| clause.utterance != utterance);
        if let Some((_, task)) = self.making.take_if(|(clause, _)| clause.utterance == utterance) {
            task.abort();
        }
        self.make_next(tasks, news);
    }

    /// What the pacer reports.
    pub(super) fn playout(&mut self, event: PlayoutEvent) -> Vec<Input> {
        match event {
            PlayoutEvent::Started { utterance, at } => {
                let clause = clause_id(utterance);
                self.progress = Some(Progress { clause, sent: 0, until: at });
                vec![frame(clause, 0, 0, at)]
            }
            PlayoutEvent::Starved { .. } => Vec::new(),
            PlayoutEvent::Finished { utterance, at } => {
                let clause = clause_id(utterance);
                let mut inputs: Vec<_> = self.sent_until(at).into_iter().collect();
                self.progress.take_if(|progress| progress.clause == clause);
                self.clips.remove(&clause);
                inputs.push(Input::ClausePlayed { clause });
                inputs
            }
        }
    }

    /// Whether progress has to be looked at every frame.
    pub(super) fn is_speaking(&self) -> bool {
        self.progress.is_some()
            || self.floor.is_some_and(|floor| self.clips.keys().any(|clause| clause.utterance == floor))
    }

    /// What was sent since the last look; hands more to the pacer.
    pub(super) fn keep_up(&mut self) -> Option<Input> {
        self.feed();
        let now = self.speaker.as_ref()?.clock().now();
        self.sent_until(now)
    }

    fn sent_until(&mut self, now: Position) -> Option<Input> {
        let (speaker, progress) = (self.speaker.as_ref()?, self.progress.as_mut()?);
        let sent = speaker.sent_before(pacer_id(progress.clause), now);
        let new = sent.checked_sub(progress.sent).filter(|new| *new > 0)?;
        let (offset, length) = (progress.sent, new.cast_signed());
        let paused = now - length - progress.until > CONTIGUOUS;
        let at = if paused { now - length } else { progress.until };
        progress.sent = sent;
        progress.until = at + length;
        Some(frame(progress.clause, offset, new, at))
    }

    /// Hands the floor's clips to the pacer in order, as far as they are there.
    fn feed(&mut self) {
        let (Some(speaker), Some(floor)) = (&self.speaker, self.floor) else { return };
        let clips = self.clips.iter_mut().filter(|(clause, clip)| clause.utterance == floor && !clip.closed);
        for (clause, clip) in clips {
            let id = pacer_id(*clause);
            if !clip.waiting.is_empty() || clip.complete {
                match speaker.enqueue(id, &clip.waiting) {
                    Ok(()) => clip.waiting = Vec::new(),
                    // The pacer has two minutes: the rest follows when some of it was sent.
                    Err(EnqueueError::Full) => return,
                    Err(error @ EnqueueError::Finished(_)) => {
                        tracing::error!(%error, "audio came after the end of its clause");
                        clip.waiting = Vec::new();
                    }
                }
            }
            if !clip.complete {
                return;
            }
            clip.closed = true;
            speaker.finish(id);
        }
    }
}

/// Makes one clause.
async fn make(tts: Arc<dyn TtsProvider>, clause: ClauseId, request: TtsRequest, news: mpsc::Sender<News>) {
    let item = match stream(tts.as_ref(), clause, request, &news).await {
        Ok(words) => News::ClauseComplete { clause, words },
        Err(error) => News::ClauseFailed { clause, error },
    };
    // Fails only when the call is over.
    let _ = news.send(item).await;
}

async fn stream(
    tts: &dyn TtsProvider,
    clause: ClauseId,
    request: TtsRequest,
    news: &mpsc::Sender<News>,
) -> Result<Option<Vec<WordMark>>, String> {
    let mut audio = tts.synthesize(request).await.map_err(|error| describe(&error))?;
    let mut resampler = Resampler::new(audio.sample_rate, OUTPUT_RATE).map_err(|error| describe(&error))?;
    while let Some(chunk) = audio.chunks.next().await {
        let pcm = resampler.push(&chunk.map_err(|error| describe(&error))?);
        if !pcm.is_empty() && news.send(News::ClauseAudio { clause, pcm }).await.is_err() {
            return Ok(None);
        }
    }
    let pcm = resampler.finish();
    if !pcm.is_empty() {
        let _ = news.send(News::ClauseAudio { clause, pcm }).await;
    }
    Ok(audio.words)
}

fn frame(clause: ClauseId, offset: u64, length: u64, at: Position) -> Input {
    let at = CallTime::from_micros(at.micros());
    Input::FrameSent { clause, offset: span(offset), length: span(length), at }
}

/// Length of so many samples of the pacer.
fn span(samples: u64) -> Duration {
    Duration::from_micros(samples.saturating_mul(125) / 6)
}

fn pacer_id(clause: ClauseId) -> PacerId {
    PacerId(u64::from(clause.utterance.0) << 32 | u64::from(clause.index))
}

fn clause_id(PacerId(id): PacerId) -> ClauseId {
    // Both halves are 32 bits by construction.
    ClauseId { utterance: UtteranceId((id >> 32) as u32), index: id as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_has_one_name_in_the_pacer() {
        let clause = ClauseId { utterance: UtteranceId(7), index: 3 };
        assert_eq!(clause_id(pacer_id(clause)), clause);
        assert!(pacer_id(clause) < pacer_id(ClauseId { utterance: UtteranceId(8), index: 0 }));
    }

    #[test]
    fn samples_are_spans_of_time() {
        assert_eq!(span(48_000), Duration::from_secs(1));
        assert_eq!(span(960), Duration::from_millis(20));
    }
}
