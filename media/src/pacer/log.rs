//! What was sent when: which sample of which utterance lies at which position of the call clock.

use std::collections::VecDeque;

use super::UtteranceId;
use crate::clock::Position;

/// Segments kept. A segment is one uninterrupted run of one utterance, so this is far more than one call's talk.
const CAPACITY: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Segment {
    utterance: UtteranceId,
    offset: u64,
    at: Position,
    len: u64,
}

impl Segment {
    fn end(&self) -> Position {
        self.at + self.len as i64
    }
}

#[derive(Debug, Default)]
pub(super) struct PlayoutLog {
    segments: VecDeque<Segment>,
}

impl PlayoutLog {
    pub(super) fn record(&mut self, utterance: UtteranceId, offset: u64, at: Position, len: u64) {
        if let Some(last) = self.segments.back_mut()
            && last.utterance == utterance
            && last.end() == at
        {
            last.len += len;
            return;
        }
        if self.segments.len() == CAPACITY {
            self.segments.pop_front();
        }
        self.segments.push_back(Segment { utterance, offset, at, len });
    }

    pub(super) fn sent_before(&self, utterance: UtteranceId, until: Position) -> u64 {
        let started = |segment: &&Segment| segment.utterance == utterance && segment.at < until;
        self.segments
            .iter()
            .rev()
            .find(started)
            .map_or(0, |segment| segment.offset + segment.len.min((until - segment.at).unsigned_abs()))
    }

    pub(super) fn end_of(&self, utterance: UtteranceId) -> Option<Position> {
        self.segments.iter().rev().find(|segment| segment.utterance == utterance).map(Segment::end)
    }
}
