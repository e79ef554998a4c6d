//! One thing the agent says: what was asked of the voice, what was sent, what was heard.

use std::time::Duration;

use crate::event::{AgentSource, HeardBy};
use crate::ids::{ClauseId, UtteranceId};
use crate::input::WordTime;
use crate::text;
use crate::time::CallTime;

/// Usual length of one spoken character, for audio whose length is not known yet.
const PER_CHARACTER: Duration = Duration::from_millis(65);
/// Clauses synthesised ahead of the one that plays: enough for an unbroken voice, little enough to throw away.
const AHEAD: usize = 3;

/// How far the audio of a clause is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Synthesis {
    /// Not asked for yet.
    Waiting,
    /// Asked for; `since` is the last progress.
    Running { since: CallTime, audible: bool },
    /// Complete.
    Ready { duration: Duration, words: Vec<WordTime> },
}

/// Frames sent without a gap.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: CallTime,
    offset: Duration,
    length: Duration,
}

#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) text: String,
    pub(crate) synthesis: Synthesis,
    sent: Vec<Sent>,
    pub(crate) played: bool,
}

/// What the caller heard of an utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) by: HeardBy,
}

/// One thing the agent says.
#[derive(Debug)]
pub(crate) struct Utterance {
    pub(crate) id: UtteranceId,
    pub(crate) source: AgentSource,
    pub(crate) interruptible: bool,
    /// The command that asked for it.
    pub(crate) command: Option<String>,
    pub(crate) clauses: Vec<Clause>,
    /// Whether no clause follows.
    pub(crate) closed: bool,
    /// Whether `Play` was said.
    pub(crate) playing: bool,
    /// End of the last frame sent.
    pub(crate) sent_until: Option<CallTime>,
    /// Last time something moved in sending it.
    pub(crate) playout_since: CallTime,
    /// Since when it could be played but the caller speaks.
    pub(crate) held_since: Option<CallTime>,
}

impl Utterance {
    pub(crate) fn new(id: UtteranceId, source: AgentSource, interruptible: bool) -> Self {
        Self {
            id,
            source,
            interruptible,
            command: None,
            clauses: Vec::new(),
            closed: false,
            playing: false,
            sent_until: None,
            playout_since: CallTime::ZERO,
            held_since: None,
        }
    }

    /// A whole text at once.
    pub(crate) fn of_text(id: UtteranceId, source: AgentSource, interruptible: bool, text: &str) -> Self {
        let mut utterance = Self::new(id, source, interruptible);
        for clause in crate::clauses::split(text) {
            utterance.add(clause);
        }
        utterance.closed = true;
        utterance
    }

    pub(crate) fn add(&mut self, text: String) {
        self.clauses.push(Clause { text, synthesis: Synthesis::Waiting, sent: Vec::new(), played: false });
    }

    pub(crate) fn text(&self) -> String {
        text::join(self.clauses.iter().map(|clause| clause.text.as_str()))
    }

    pub(crate) fn clause_mut(&mut self, id: ClauseId) -> Option<&mut Clause> {
        (id.utterance == self.id).then(|| self.clauses.get_mut(id.index as usize)).flatten()
    }

    /// Whether audio of the first clause is there.
    pub(crate) fn is_audible(&self) -> bool {
        self.clauses.first().is_some_and(|clause| match &clause.synthesis {
            Synthesis::Waiting => false,
            Synthesis::Running { audible, .. } => *audible,
            Synthesis::Ready { .. } => true,
        })
    }

    /// Whether everything was played and nothing follows.
    pub(crate) fn is_finished(&self) -> bool {
        self.closed && self.clauses.iter().all(|clause| clause.played)
    }

    /// Marks the next clauses as asked for and returns them.
    pub(crate) fn take_requests(&mut self, now: CallTime) -> Vec<(ClauseId, String)> {
        let unplayed = self.clauses.iter_mut().enumerate().filter(|(_, clause)| !clause.played);
        let mut requests = Vec::new();
        for (index, clause) in unplayed.take(AHEAD) {
            if clause.synthesis == Synthesis::Waiting {
                clause.synthesis = Synthesis::Running { since: now, audible: false };
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                requests.push((ClauseId { utterance: self.id, index }, clause.text.clone()));
            }
        }
        requests
    }

    /// Last progress of the synthesis that is waited for, if one is. Clauses are made in order, so only the first
    /// unfinished one counts, from when the one before it was done.
    pub(crate) fn synthesis_since(&self) -> Option<CallTime> {
        self.clauses.iter().find_map(|clause| match clause.synthesis {
            Synthesis::Running { since, .. } => Some(since),
            _ => None,
        })
    }

    /// Notes progress of a clause; its successor's patience starts anew.
    pub(crate) fn progress(&mut self, now: CallTime) {
        for clause in &mut self.clauses {
            if let Synthesis::Running { since, .. } = &mut clause.synthesis {
                *since = now;
            }
        }
    }

    /// Whether complete audio waits to be sent.
    pub(crate) fn has_audio_to_send(&self) -> bool {
        let next = self.clauses.iter().find(|clause| !clause.played);
        self.playing && next.is_some_and(|clause| matches!(clause.synthesis, Synthesis::Ready { .. }))
    }

    /// Notes that a frame was sent.
    pub(crate) fn frame_sent(&mut self, id: ClauseId, at: CallTime, offset: Duration, length: Duration) {
        self.sent_until = Some(self.sent_until.map_or(at + length, |until| until.max(at + length)));
        let Some(clause) = self.clause_mut(id) else { return };
        match clause.sent.last_mut() {
            Some(last) if last.at + last.length == at && last.offset + last.length == offset => last.length += length,
            _ => clause.sent.push(Sent { at, offset, length }),
        }
    }

    /// What was sent before `cutoff`; everything when there is none.
    pub(crate) fn heard(&self, cutoff: Option<CallTime>) -> Heard {
        let mut parts = Vec::new();
        let mut by = HeardBy::Complete;
        for clause in &self.clauses {
            let (words, how) = clause.heard(cutoff);
            parts.push(words);
            if how != HeardBy::Complete {
                by = how;
                break;
            }
        }
        if by == HeardBy::Complete && !self.closed {
            by = HeardBy::Proportional;
        }
        Heard { text: text::join(parts.iter().map(String::as_str)), by }
    }
}

impl Clause {
    /// The words heard before `cutoff` and how that is known; `Complete` when all of them were.
    fn heard(&self, cutoff: Option<CallTime>) -> (String, HeardBy) {
        let position = self.position(cutoff);
        let (duration, words): (Duration, &[WordTime]) = match &self.synthesis {
            Synthesis::Ready { duration, words } => (*duration, words),
            _ => (PER_CHARACTER * u32::try_from(self.text.chars().count()).unwrap_or(u32::MAX), &[]),
        };
        let ready = matches!(self.synthesis, Synthesis::Ready { .. });
        if self.played && (cutoff.is_none() || position >= duration) {
            return (self.text.clone(), HeardBy::Complete);
        }
        let tokens: Vec<&str> = self.text.split_whitespace().collect();
        let (count, by) = if words.len() == tokens.len() && !words.is_empty() {
            (words.iter().take_while(|word| word.end <= position).count(), HeardBy::Timestamps)
        } else {
            let by = if ready { HeardBy::Proportional } else { HeardBy::Estimated };
            (proportional(&tokens, position, duration), by)
        };
        (tokens[..count].join(" "), by)
    }

    /// How much of the clause was sent before `cutoff`.
    fn position(&self, cutoff: Option<CallTime>) -> Duration {
        self.sent
            .iter()
            .map(|sent| match cutoff {
                Some(cutoff) if cutoff <= sent.at => Duration::ZERO,
                Some(cutoff) => sent.offset + cutoff.since(sent.at).min(sent.length),
                None => sent.offset + sent.length,
            })
            .max()
            .unwrap_or(Duration::ZERO)
    }
}

/// How many whole words fit into the part of the audio that was heard, counting characters.
fn proportional(tokens: &[&str], position: Duration, duration: Duration) -> usize {
    if duration.is_zero() {
        return 0;
    }
    let length = |token: &str| token.chars().count() + 1;
    let total = tokens.iter().map(|token| length(token)).sum::<usize>().saturating_sub(1);
    let heard = position.as_secs_f64() / duration.as_secs_f64() * total as f64;
    let mut end = 0;
    tokens
        .iter()
        .take_while(|token| {
            end += length(token);
            // The gap after a word need not be heard.
            (end - 1) as f64 <= heard
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: i64) -> CallTime {
        CallTime::from_millis(millis)
    }

    fn id(index: u32) -> ClauseId {
        ClauseId { utterance: UtteranceId(1), index }
    }

    /// "one two three." of 1.4 s sent from 1.0 s on, then "Four." of 0.5 s.
    fn spoken(words: Vec<WordTime>) -> Utterance {
        let mut utterance = Utterance::of_text(UtteranceId(1), AgentSource::Answer, true, "one two three. Four.");
        utterance.clauses[0].synthesis = Synthesis::Ready { duration: ms(1_400), words };
        utterance.clauses[1].synthesis = Synthesis::Ready { duration: ms(500), words: Vec::new() };
        for n in 0..70 {
            utterance.frame_sent(id(0), at(1_000 + n * 20), ms(n as u64 * 20), ms(20));
        }
        utterance.clauses[0].played = true;
        for n in 0..10 {
            utterance.frame_sent(id(1), at(2_400 + n * 20), ms(n as u64 * 20), ms(20));
        }
        utterance
    }

    #[test]
    fn words_heard_are_proportional_to_the_audio() {
        let utterance = spoken(Vec::new());
        for (cutoff, expected) in
            [(1_000, ""), (1_299, ""), (1_300, "one"), (1_700, "one two"), (2_400, "one two three.")]
        {
            assert_eq!(utterance.heard(Some(at(cutoff))).text, expected, "cut at {cutoff} ms");
        }
        assert_eq!(utterance.heard(Some(at(1_700))).by, HeardBy::Proportional);
    }

    #[test]
    fn word_timestamps_win() {
        let words = [("one", 900), ("two", 1_000), ("three.", 1_400)]
            .map(|(text, end)| WordTime { text: text.into(), end: ms(end) });
        let utterance = spoken(words.to_vec());
        let heard = utterance.heard(Some(at(1_950)));
        assert_eq!(heard, Heard { text: "one".into(), by: HeardBy::Timestamps });
    }

    #[test]
    fn a_pause_is_not_heard_text() {
        let mut utterance = Utterance::of_text(UtteranceId(1), AgentSource::Answer, true, "one two three four");
        utterance.clauses[0].synthesis = Synthesis::Ready { duration: ms(2_000), words: Vec::new() };
        utterance.frame_sent(id(0), at(0), ms(0), ms(500));
        utterance.frame_sent(id(0), at(5_000), ms(500), ms(500));
        assert_eq!(utterance.heard(Some(at(4_900))).text, "one");
        assert_eq!(utterance.heard(Some(at(5_500))).text, "one two");
    }

    #[test]
    fn audio_of_unknown_length_is_estimated() {
        let mut utterance = Utterance::of_text(UtteranceId(1), AgentSource::Answer, true, "one two three four");
        utterance.clauses[0].synthesis = Synthesis::Running { since: at(0), audible: true };
        utterance.frame_sent(id(0), at(0), ms(0), ms(500));
        assert_eq!(utterance.heard(Some(at(500))), Heard { text: "one two".into(), by: HeardBy::Estimated });
    }

    #[test]
    fn synthesis_stays_a_few_clauses_ahead() {
        let mut utterance = Utterance::of_text(UtteranceId(1), AgentSource::Greeting, true, "A b. C d. E f. G h. I j.");
        assert_eq!(utterance.take_requests(at(0)).len(), AHEAD);
        assert_eq!(utterance.take_requests(at(0)).len(), 0);
        utterance.clauses[0].played = true;
        assert_eq!(utterance.take_requests(at(0)).len(), 1);
    }
}
