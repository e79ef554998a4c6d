//! A conversation from the caller's side: say something, listen until the agent has finished, look at what was heard.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

use crate::{
    caller::{Call, CallState, DialOptions, EndCause, Recording},
    heard::{self, RATE, Segment},
    voice,
};

/// The agent has finished when it has been quiet for this long: longer than a pause between its sentences, shorter
/// than its patience before it prompts.
const AGENT_DONE_MS: usize = 1_200;

/// A call being held by a script.
pub struct Conversation {
    call: Call,
    /// Everything before this sample has been listened to.
    listened: usize,
    /// End of the caller's latest utterance.
    said: usize,
}

/// One stretch of the agent's speech as the caller heard it.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// Where it is in the recording.
    pub segment: Segment,
    /// Its samples, with a little silence around for a recogniser.
    pub samples: Vec<i16>,
    /// Milliseconds since the caller's latest word (or the answer of the call).
    pub after_ms: usize,
}

impl Conversation {
    /// Dials and waits for the answer.
    ///
    /// # Errors
    /// When the call is refused or not answered within ten seconds.
    pub async fn dial(target: String) -> Result<Self> {
        let mut call = Call::dial(DialOptions::to(target)).await?;
        call.answered(Duration::from_secs(10)).await?;
        Ok(Self { call, listened: 0, said: 0 })
    }

    /// Listens until the agent has spoken and fallen silent.
    ///
    /// # Errors
    /// When it does not speak, or does not stop, within `limit`.
    pub async fn listen(&mut self, limit: Duration) -> Result<Utterance> {
        let deadline = Instant::now() + limit;
        loop {
            let heard = self.call.recording().heard;
            let now = self.call.now().max(heard.len());
            if let Some(segment) = self.next_utterance(&heard) {
                let over = matches!(self.call.state(), CallState::Ended(_));
                if over || now.saturating_sub(segment.end) >= AGENT_DONE_MS * RATE / 1000 {
                    self.listened = segment.end;
                    let from = segment.start.saturating_sub(RATE / 5);
                    let to = (segment.end + RATE / 5).min(heard.len());
                    let after_ms = segment.start.saturating_sub(self.said) * 1000 / RATE;
                    return Ok(Utterance { segment, samples: heard[from..to].to_vec(), after_ms });
                }
            } else if let CallState::Ended(cause) = self.call.state() {
                bail!("the call ended ({cause:?}) while the caller waited for the agent to speak");
            }
            if Instant::now() >= deadline {
                bail!("the agent did not finish speaking within {limit:?}; heard {:?}", heard::segments(&heard));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// All speech after what was listened to, merged into one utterance: an agent pauses between sentences.
    fn next_utterance(&self, heard: &[i16]) -> Option<Segment> {
        let new = heard.get(self.listened..)?;
        let found = heard::segments(new);
        let (first, last) = (found.first()?, found.last()?);
        Some(Segment { start: first.start + self.listened, end: last.end + self.listened })
    }

    /// Waits until the agent has begun to speak and has done so for `for_ms`, as one who wants to interrupt.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn hear_beginning(&mut self, for_ms: usize, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let heard = self.call.recording().heard;
            if self.next_utterance(&heard).is_some_and(|segment| segment.millis() >= for_ms) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("the agent did not speak for {for_ms} ms within {limit:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Says a sentence and waits until its last sample is on the wire. Returns the samples it took, on the call's clock.
    ///
    /// # Errors
    /// When the sentence cannot be synthesised.
    pub async fn say(&mut self, text: &str) -> Result<Segment> {
        let text = text.to_owned();
        let samples = tokio::task::spawn_blocking(move || voice::say(&text)).await??;
        let speech = heard::segments(&samples);
        let (first, last) = (
            speech.first().context("the synthesised sentence is silent")?.start,
            speech.last().context("the synthesised sentence is silent")?.end,
        );
        let end = self.call.speak(&samples[first..last]);
        let start = end.saturating_sub(last - first);
        self.said = end;
        while self.call.now() < end {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Segment { start, end })
    }

    /// Presses a key.
    ///
    /// # Errors
    /// When it is not on a keypad.
    pub fn press(&self, digit: char) -> Result<()> {
        self.call.dtmf(digit)
    }

    /// Waits for the far end to end the call.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<EndCause> {
        self.call.ended(limit).await
    }

    /// Hangs up.
    ///
    /// # Errors
    /// When the far end does not agree.
    pub async fn hang_up(&mut self) -> Result<EndCause> {
        self.call.hang_up().await
    }

    /// The recording so far.
    pub fn recording(&self) -> Recording {
        self.call.recording()
    }

    /// Samples since the answer.
    pub fn now(&self) -> usize {
        self.call.now()
    }
}
