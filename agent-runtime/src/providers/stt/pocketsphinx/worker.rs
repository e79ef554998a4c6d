//! The thread behind one call's stream: takes audio and marks, decodes, reports.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc::Sender;

use super::{
    buffer::AudioBuffer,
    recogniser::{Recogniser, Recognition},
};
use crate::providers::stt::{SttEvent, SttTiming, Transcript};

/// Silence taken along before the utterance: the noise estimate needs about 0.3 s of it. With half of that, one in
/// ten short phrases is refused.
const LEAD_US: i64 = 300_000;
/// Silence left after it.
const TAIL_US: i64 = 200_000;
/// Shorter utterances get no partial result: there is no word in them yet.
const MIN_PARTIAL: Duration = Duration::from_millis(300);
/// Least time between two partial results.
const PARTIAL_EVERY: Duration = Duration::from_millis(200);
/// Partial results may take this share of the thread's time: one in PARTIAL_SHARE.
const PARTIAL_SHARE: u32 = 5;
/// The tail of an utterance is waited for until nothing has arrived for so long, which is more than a network holds
/// packets back: a caller whose telephone sends nothing while they are silent is answered without delay.
const TAIL_WAIT: Duration = Duration::from_millis(150);
/// No partial result so soon after getting ahead of the final one: by then the utterance is over or goes on.
const AFTER_PAUSE: Duration = Duration::from_millis(400);

/// What the stream's input sends.
pub(super) enum Message {
    Audio { pcm: Vec<i16>, at_us: i64 },
    Started { at_us: i64 },
    Paused { at_us: i64 },
    Ended { at_us: i64, called: Instant },
}

/// Runs until the input or the events' reader is gone. `waiting` counts the audio messages sent and not yet taken.
pub(super) fn run(
    mut recogniser: Recogniser,
    messages: &Receiver<Message>,
    waiting: &AtomicUsize,
    events: &Sender<SttEvent>,
) {
    let buffer = AudioBuffer::default();
    let (state, last_audio) = (State::Idle, Instant::now());
    let mut worker = Worker { recogniser: &mut recogniser, events, waiting, buffer, last_audio, prepared: None, state };
    while !events.is_closed() {
        let message = match worker.deadline() {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(message) => worker.take(message),
            // The tail is not waited for any longer, which the step sees.
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                worker.finish();
                return;
            }
        }
        // Decoding is worth its time only when no audio waits.
        worker.drain(messages);
        worker.step();
    }
}

struct Worker<'a> {
    recogniser: &'a mut Recogniser,
    events: &'a Sender<SttEvent>,
    waiting: &'a AtomicUsize,
    buffer: AudioBuffer,
    /// When audio arrived last.
    last_audio: Instant,
    prepared: Option<Prepared>,
    state: State,
}

enum State {
    Idle,
    /// `paused_us`: where the caller fell silent, while that is still to be looked into.
    Speaking {
        start_us: i64,
        next_partial: Instant,
        said: String,
        paused_us: Option<i64>,
    },
    Ending {
        start_us: i64,
        end_us: i64,
        called: Instant,
    },
}

/// A reading made while the silence still ran, good for an utterance with this end and this much audio.
struct Prepared {
    end_us: i64,
    samples: usize,
    recognition: Recognition,
}

impl Worker<'_> {
    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ending { .. } | State::Speaking { paused_us: Some(_), .. } => Some(self.last_audio + TAIL_WAIT),
            State::Idle | State::Speaking { paused_us: None, .. } => None,
        }
    }

    /// Whether the silence after `end_us` is there, or will not come.
    fn has_tail(&self, end_us: i64) -> bool {
        self.buffer.reaches(end_us + TAIL_US) || self.last_audio.elapsed() >= TAIL_WAIT
    }

    fn drain(&mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.try_recv() {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Audio { pcm, at_us } => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                self.buffer.push(&pcm, at_us);
                self.last_audio = Instant::now();
            }
            Message::Started { at_us } => {
                self.finish();
                if matches!(self.state, State::Idle) {
                    self.buffer.open(at_us - LEAD_US);
                    let (next_partial, said) = (Instant::now(), String::new());
                    self.prepared = None;
                    self.state = State::Speaking { start_us: at_us, next_partial, said, paused_us: None };
                }
            }
            Message::Paused { at_us } => {
                if let State::Speaking { start_us, paused_us, .. } = &mut self.state {
                    *paused_us = Some(at_us.max(*start_us));
                }
            }
            Message::Ended { at_us, called } => {
                if let State::Speaking { start_us, .. } = self.state {
                    self.state = State::Ending { start_us, end_us: at_us.max(start_us), called };
                }
            }
        }
    }

    fn step(&mut self) {
        match self.state {
            State::Ending { end_us, .. } if self.has_tail(end_us) => self.finish(),
            State::Speaking { paused_us: Some(end_us), .. } if self.has_tail(end_us) => self.prepare(end_us),
            // A partial result now would only delay the final one.
            State::Speaking { paused_us: Some(_), .. } => {}
            State::Speaking { next_partial, .. } if Instant::now() >= next_partial => self.partial(),
            _ => {}
        }
    }

    /// Reads the utterance as if it ended here, so that the final result is at hand when it does.
    fn prepare(&mut self, end_us: i64) {
        let pcm = self.buffer.utterance(end_us + TAIL_US);
        let samples = pcm.len();
        // A failure is told when the utterance ends.
        let recognition = self.recogniser.complete(pcm).ok();
        self.prepared = recognition.map(|recognition| Prepared { end_us, samples, recognition });
        if let State::Speaking { paused_us, next_partial, .. } = &mut self.state {
            *paused_us = None;
            *next_partial = Instant::now() + AFTER_PAUSE;
        }
    }

    fn partial(&mut self) {
        let State::Speaking { start_us, next_partial, said, .. } = &mut self.state else { return };
        let end_us = self.buffer.end_us();
        if end_us - *start_us < MIN_PARTIAL.as_micros() as i64 {
            return;
        }
        let began = Instant::now();
        let result = self.recogniser.partial(self.buffer.utterance(end_us));
        *next_partial = Instant::now() + PARTIAL_EVERY.max(began.elapsed() * (PARTIAL_SHARE - 1));
        // A failed partial result is no loss; the final one will say what is wrong.
        let Ok(text) = result else { return };
        if !text.is_empty() && text != *said {
            said.clone_from(&text);
            // Only hints: a reader that is behind wants the newest ones, not all of them.
            let _ = self.events.try_send(SttEvent::Partial(Transcript { text, start_us: *start_us, end_us }));
        }
    }

    /// Gives the final result of an ended utterance; nothing else.
    fn finish(&mut self) {
        let State::Ending { start_us, end_us, called, .. } = self.state else { return };
        let until = end_us + TAIL_US;
        let pcm = self.buffer.utterance(until);
        let audio = Duration::from_micros(pcm.len() as u64 * 1_000_000 / u64::from(crate::providers::INPUT_RATE));
        let prepared = self.prepared.take();
        let prepared = prepared.filter(|prepared| prepared.end_us == end_us && prepared.samples == pcm.len());
        let result = match prepared {
            Some(prepared) => Ok(prepared.recognition),
            None => self.recogniser.complete(pcm),
        };
        let event = match result {
            Ok(recognition) => SttEvent::Final {
                transcript: Transcript { text: recognition.text, start_us, end_us },
                confidence: recognition.confidence,
                timing: SttTiming { finalise: called.elapsed(), decode: recognition.took, audio },
            },
            Err(error) => SttEvent::Failed(error),
        };
        self.buffer.close(until);
        self.state = State::Idle;
        // Ends when the reader is gone, which also ends the thread.
        let _ = self.events.blocking_send(event);
    }
}
