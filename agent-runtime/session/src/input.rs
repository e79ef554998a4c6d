//! What can happen in a call.

use std::time::Duration;

use crate::event::Stage;
use crate::ids::{ClauseId, GenerationId, InvocationId, TurnId};
use crate::time::CallTime;
use crate::tools::{ToolCall, ToolOutcome};

/// Something that happened. Times within an input lie on the call clock, not later than the `now` it is handled at.
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing happened but time; sent when a deadline is due.
    Tick,
    /// The caller's leg is answered (`sip.callStatus=active`), or needs no answering (WebRTC).
    LegActive,
    /// Someone subscribed to the agent's track: audio sent from now on is heard.
    TrackSubscribed,
    /// One window of the voice detector over the caller's audio.
    Voice {
        /// Probability of speech, 0–1.
        probability: f32,
        /// Start of the window.
        start: CallTime,
        /// End of the window.
        end: CallTime,
    },
    /// Text from the recogniser. An empty final says that nothing was recognised in the speech that ended.
    Transcript {
        /// The words.
        text: String,
        /// Start of the audio it stands for.
        start: CallTime,
        /// End of the audio it stands for.
        end: CallTime,
        /// Whether it will not change any more.
        is_final: bool,
        /// 0–1, when the recogniser says.
        confidence: Option<f32>,
    },
    /// Passages found for a turn, best first.
    Passages {
        /// The turn they were asked for.
        turn: TurnId,
        /// What was found; may be empty.
        passages: Vec<Passage>,
    },
    /// Text from the language model.
    Token {
        /// The request it belongs to.
        generation: GenerationId,
        /// One or more tokens; empty when it writes something that is not spoken.
        text: String,
    },
    /// The language model asks for tools. `GenerationDone` follows.
    ToolCalls {
        /// The request it belongs to.
        generation: GenerationId,
        /// What it asks for.
        calls: Vec<ToolCall>,
    },
    /// The intent to use a tool is stored in the ledger.
    ToolRecorded {
        /// Which use.
        invocation: InvocationId,
    },
    /// A tool was used.
    ToolFinished {
        /// Which use.
        invocation: InvocationId,
        /// What came of it.
        outcome: ToolOutcome,
    },
    /// The language model is done.
    GenerationDone {
        /// The finished request.
        generation: GenerationId,
    },
    /// The first audio of a clause is there.
    ClauseAudio {
        /// The clause.
        clause: ClauseId,
    },
    /// All audio of a clause is there.
    ClauseReady {
        /// The clause.
        clause: ClauseId,
        /// How long it is.
        duration: Duration,
        /// Word timestamps, when the voice gives them.
        words: Vec<WordTime>,
    },
    /// Audio of a clause was committed to the network.
    FrameSent {
        /// The clause.
        clause: ClauseId,
        /// Where in the clause the frame starts.
        offset: Duration,
        /// How long it is.
        length: Duration,
        /// When its first sample was sent.
        at: CallTime,
    },
    /// The last sample of a clause was committed.
    ClausePlayed {
        /// The clause.
        clause: ClauseId,
    },
    /// The caller pressed a key (`0`–`9`, `*`, `#`, `A`–`D`).
    Dtmf {
        /// The key.
        digit: char,
    },
    /// A provider failed and will not recover within this call.
    ProviderFailed {
        /// What it was for.
        stage: Stage,
        /// Which provider, for the ledger.
        provider: String,
        /// Why, without secrets or caller data.
        error: String,
        /// The generation or clause it failed in, so that an abandoned one does no harm.
        of: FailedWork,
    },
    /// Someone outside wants something done.
    Command {
        /// Repeated in the outcome.
        id: String,
        /// What.
        command: Command,
    },
    /// The pod drains: the call must be over at that time.
    Drain {
        /// Latest end.
        finish_by: CallTime,
    },
    /// The hang-up event is stored in the ledger.
    HangUpRecorded,
    /// The last other participant left the room.
    CallerLeft,
    /// The room or the transport to it is gone.
    TransportLost,
    /// Another owner has the call.
    LeaseLost,
}

/// What a provider was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedWork {
    /// This generation.
    Generation(GenerationId),
    /// This clause.
    Clause(ClauseId),
    /// The caller's speech, or the provider as a whole.
    Call,
}

/// A request from outside the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// End the call now, without a farewell.
    HangUp,
    /// Say something.
    Say {
        /// The text.
        text: String,
        /// Whether the caller may interrupt it.
        interruptible: bool,
    },
}

/// A piece of knowledge found for the caller's question.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Stable id.
    pub id: String,
    /// The text.
    pub text: String,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
}

/// When a word ends within a clause's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordTime {
    /// The word.
    pub text: String,
    /// Its end, from the start of the clause.
    pub end: Duration,
}
