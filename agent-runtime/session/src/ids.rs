//! Names of the things an owner and the engine talk about. All are unique within one session.

use serde::Serialize;

/// One caller turn that was answered; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TurnId(pub u32);

/// One thing the agent says without giving up the floor; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UtteranceId(pub u32);

/// One request to the language model; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct GenerationId(pub u32);

/// One clause of an utterance: the unit that is synthesised. Clauses play in the order of their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ClauseId {
    /// The utterance it belongs to.
    pub utterance: UtteranceId,
    /// Position within the utterance, from 0.
    pub index: u32,
}

/// One call of a tool; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct InvocationId(pub u32);

/// Hands out the next id of each kind.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    turns: u32,
    utterances: u32,
    generations: u32,
}

impl IdSource {
    pub(crate) fn turn(&mut self) -> TurnId {
        self.turns += 1;
        TurnId(self.turns)
    }

    pub(crate) fn utterance(&mut self) -> UtteranceId {
        self.utterances += 1;
        UtteranceId(self.utterances)
    }

    pub(crate) fn generation(&mut self) -> GenerationId {
        self.generations += 1;
        GenerationId(self.generations)
    }

    /// How many caller turns were answered so far.
    pub(crate) fn turns_taken(&self) -> u32 {
        self.turns
    }
}
