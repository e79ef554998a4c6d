//! Paces speech: one 20 ms frame per tick, timestamps from the call clock, and a record of what was sent when.
//!
//! Speech waits here as PCM, so a flush is atomic: whatever was not handed out by [`Pacer::tick`] is never sent.
//! After a late tick at most two frames leave at once (LiveKit SIP mixes through a buffer of 60-100 ms and drops the
//! oldest audio); anything beyond that moves the speech later instead of bursting.

mod gain;
mod log;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::gain::Gain;
use self::log::PlayoutLog;
use crate::clock::{FRAME, Position, RATE};

/// Samples in one frame.
pub const FRAME_SAMPLES: usize = FRAME as usize;

/// Speech that may wait, in samples: two minutes.
pub const MAX_QUEUED: usize = 120 * RATE as usize;

/// Silent frames after speech. They flush the encoder and give the receiver's concealment silence to continue.
const TAIL_FRAMES: u8 = 2;

/// Frames handed out by one tick at most.
const MAX_BURST: usize = 2;

/// Names one utterance; chosen by the owner, unique within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UtteranceId(pub u64);

/// Progress of an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayoutEvent {
    /// Its first sample was sent.
    Started {
        /// Which utterance.
        utterance: UtteranceId,
        /// When, on the call clock.
        at: Position,
    },
    /// It ran out of samples before [`Pacer::finish`]: the caller hears a gap.
    Starved {
        /// Which utterance.
        utterance: UtteranceId,
        /// Where the gap begins.
        at: Position,
    },
    /// Its last sample was sent.
    Finished {
        /// Which utterance.
        utterance: UtteranceId,
        /// The end of its last sample.
        at: Position,
    },
}

/// An utterance dropped by [`Pacer::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// Samples that had been sent.
    pub sent: u64,
    /// Samples that had been enqueued, sent ones included.
    pub enqueued: u64,
}

/// Why speech was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// Two minutes of speech wait already.
    #[error("the speech queue is full ({MAX_QUEUED} samples): wait for playout before sending more")]
    Full,
    /// The utterance was finished before.
    #[error("utterance {} is already finished", .0.0)]
    Finished(UtteranceId),
}

/// One 20 ms frame to encode and send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The frame's first sample on the call clock; its RTP timestamp.
    pub at: Position,
    /// The previous frame does not end where this one begins.
    pub talkspurt_start: bool,
    /// The samples.
    pub pcm: Vec<i16>,
}

#[derive(Debug)]
struct Open {
    utterance: UtteranceId,
    enqueued: u64,
    sent: u64,
    finished: bool,
    started: bool,
    starved: bool,
}

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub struct Pacer {
    /// Samples of the utterances in `open`, oldest first.
    queue: VecDeque<i16>,
    open: VecDeque<Open>,
    /// When the next frame of the running talkspurt is due.
    next: Option<Position>,
    tail: u8,
    paused: bool,
    gain: Gain,
    log: PlayoutLog,
    events: VecDeque<PlayoutEvent>,
}

impl Pacer {
    /// A pacer with nothing to say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds 48 kHz mono speech to `utterance`. Utterances are spoken in the order of their first samples.
    ///
    /// # Errors
    /// See [`EnqueueError`]; nothing is added then.
    pub fn enqueue(&mut self, utterance: UtteranceId, pcm: &[i16]) -> Result<(), EnqueueError> {
        if self.queue.len() + pcm.len() > MAX_QUEUED {
            return Err(EnqueueError::Full);
        }
        if self.open.iter().any(|open| open.utterance == utterance && open.finished) {
            return Err(EnqueueError::Finished(utterance));
        }
        match self.open.back_mut() {
            Some(open) if open.utterance == utterance => open.enqueued += pcm.len() as u64,
            last => {
                // Speech of one utterance is contiguous, so the one before it can get no more.
                if let Some(last) = last {
                    last.finished = true;
                }
                self.open.push_back(Open {
                    utterance,
                    enqueued: pcm.len() as u64,
                    sent: 0,
                    finished: false,
                    started: false,
                    starved: false,
                });
            }
        }
        self.queue.extend(pcm);
        Ok(())
    }

    /// Says that `utterance` gets no more samples. Unknown and flushed utterances are ignored.
    pub fn finish(&mut self, utterance: UtteranceId) {
        if let Some(open) = self.open.iter_mut().find(|open| open.utterance == utterance) {
            open.finished = true;
        }
    }

    /// Drops all speech that has not been sent and ends ducking and pausing.
    pub fn flush(&mut self) -> Vec<Flushed> {
        self.queue.clear();
        self.paused = false;
        self.gain.reset();
        self.open
            .drain(..)
            .map(|open| Flushed { utterance: open.utterance, sent: open.sent, enqueued: open.enqueued })
            .collect()
    }

    /// Lowers speech by 18 dB, or brings it back, over 10 ms.
    pub fn set_ducked(&mut self, ducked: bool) {
        self.gain.set_ducked(ducked);
    }

    /// Holds speech back, or goes on where it stopped.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// When [`Pacer::tick`] should run next: in the past if something waits already, `None` if nothing does.
    pub fn due(&self, now: Position) -> Option<Position> {
        if let Some(next) = self.next {
            return Some(next);
        }
        (self.ready() > 0 || self.front_is_done()).then_some(now)
    }

    /// Hands out the frames that are due at `now`: none to two.
    pub fn tick(&mut self, now: Position) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut talkspurt_start = false;
        let mut at = match self.next {
            None => {
                talkspurt_start = true;
                now
            }
            // More than one frame behind: the speech moves later, only the last two frames' worth is sent now.
            Some(next) if now - next > FRAME => {
                talkspurt_start = true;
                now - FRAME
            }
            Some(next) => next,
        };
        while at <= now && frames.len() < MAX_BURST {
            let Some(pcm) = self.next_frame(at) else {
                self.next = None;
                break;
            };
            frames.push(Frame { at, talkspurt_start, pcm });
            talkspurt_start = false;
            at = at + FRAME;
            self.next = Some(at);
        }
        self.report_finished(now);
        frames
    }

    /// The next thing to tell the owner.
    pub fn poll_event(&mut self) -> Option<PlayoutEvent> {
        self.events.pop_front()
    }

    /// How many samples of `utterance` had been sent before `until`.
    ///
    /// Pass the time of the caller's speech onset less the path delay to learn how much of it they had heard.
    pub fn sent_before(&self, utterance: UtteranceId, until: Position) -> u64 {
        self.log.sent_before(utterance, until)
    }

    /// Samples that wait to be sent.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    fn next_frame(&mut self, at: Position) -> Option<Vec<i16>> {
        let take = self.ready();
        if take > 0 {
            self.tail = TAIL_FRAMES;
            return Some(self.speech(take, at));
        }
        self.tail = self.tail.checked_sub(1)?;
        self.report_starved(at);
        Some(vec![0; FRAME_SAMPLES])
    }

    /// How many samples the next frame can carry; 0 if it has to wait.
    fn ready(&self) -> usize {
        if self.paused {
            return 0;
        }
        if self.queue.len() >= FRAME_SAMPLES || self.open.back().is_some_and(|open| open.finished) {
            return self.queue.len().min(FRAME_SAMPLES);
        }
        // Less than a frame, and the last utterance may still grow: only what lies before it can go.
        let finished = self.open.iter().filter(|open| open.finished);
        let waiting: u64 = finished.map(|open| open.enqueued - open.sent).sum();
        usize::try_from(waiting).map_or(FRAME_SAMPLES, |waiting| waiting.min(FRAME_SAMPLES))
    }

    fn speech(&mut self, take: usize, at: Position) -> Vec<i16> {
        let mut pcm: Vec<i16> = self.queue.drain(..take).collect();
        self.gain.apply(&mut pcm);
        pcm.resize(FRAME_SAMPLES, 0);

        let mut position = at;
        let mut left = take as u64;
        for open in &mut self.open {
            let part = left.min(open.enqueued - open.sent);
            if part == 0 {
                continue;
            }
            if !open.started {
                open.started = true;
                self.events.push_back(PlayoutEvent::Started { utterance: open.utterance, at: position });
            }
            open.starved = false;
            self.log.record(open.utterance, open.sent, position, part);
            open.sent += part;
            position = position + part as i64;
            left -= part;
        }
        pcm
    }

    fn front_is_done(&self) -> bool {
        self.open.front().is_some_and(|open| open.finished && open.sent == open.enqueued)
    }

    fn report_finished(&mut self, now: Position) {
        while self.front_is_done() {
            if let Some(open) = self.open.pop_front() {
                let at = self.log.end_of(open.utterance).unwrap_or(now);
                self.events.push_back(PlayoutEvent::Finished { utterance: open.utterance, at });
            }
        }
    }

    fn report_starved(&mut self, at: Position) {
        if self.paused {
            return;
        }
        if let Some(open) = self.open.front_mut()
            && open.started
            && !open.starved
        {
            open.starved = true;
            self.events.push_back(PlayoutEvent::Starved { utterance: open.utterance, at });
        }
    }
}
