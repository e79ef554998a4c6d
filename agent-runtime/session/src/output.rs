//! What the engine wants done.

use crate::event::{EndReason, LedgerEvent};
use crate::history::Message;
use crate::ids::{ClauseId, GenerationId, InvocationId, TurnId, UtteranceId};
use crate::input::Passage;
use crate::time::CallTime;

/// Something to do, in this order.
///
/// Outputs carry what people said: log [`Output::kind`], never the value.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Publish the agent's track. Over SIP this answers the call.
    Publish,
    /// Make audio of this text; report `ClauseAudio` and `ClauseReady`.
    Synthesize {
        /// The clause.
        clause: ClauseId,
        /// What to say.
        text: String,
    },
    /// Start sending the utterance's clauses in order, as far as their audio is there, now and as it arrives.
    Play {
        /// The utterance.
        utterance: UtteranceId,
    },
    /// The caller started to speak: lower the agent's voice.
    Duck,
    /// Full voice again.
    Resume,
    /// Drop all audio and synthesis of the utterance at once, whether it plays or not. What plays next has full voice.
    Stop {
        /// The utterance.
        utterance: UtteranceId,
    },
    /// Tell the recogniser that speech starts.
    SpeechStarted {
        /// First sample that belongs to it.
        at: CallTime,
    },
    /// Tell the recogniser that the caller fell silent and may be done.
    SpeechPaused {
        /// Last voiced sample.
        at: CallTime,
    },
    /// Tell the recogniser that speech is over and its final text is wanted.
    SpeechEnded {
        /// Last voiced sample.
        at: CallTime,
    },
    /// Search the agent's knowledge.
    Retrieve {
        /// The turn it is for.
        turn: TurnId,
        /// What the caller said.
        query: String,
    },
    /// Ask the language model for the next answer.
    Generate {
        /// Name of the request.
        generation: GenerationId,
        /// The turn it answers.
        turn: TurnId,
        /// The conversation as the caller heard it; the last message is the caller's.
        messages: Vec<Message>,
        /// Knowledge for the answer.
        passages: Vec<Passage>,
        /// Whether it may ask for tools.
        may_call: bool,
    },
    /// Tell the language model this as well from the next request on; empty: nothing beyond its prompt.
    Instruct {
        /// What.
        text: String,
    },
    /// The request's answer is not wanted any more.
    CancelGeneration {
        /// The request.
        generation: GenerationId,
    },
    /// Use a tool.
    Invoke {
        /// Name of the use.
        invocation: InvocationId,
        /// The tool.
        tool: String,
        /// JSON that was found to be right.
        arguments: String,
    },
    /// What comes of this use is not wanted any more.
    CancelInvocation {
        /// Which use.
        invocation: InvocationId,
    },
    /// A command is done with.
    CommandFinished {
        /// Its id.
        id: String,
        /// How it went.
        outcome: CommandOutcome,
    },
    /// Remove the caller's leg from the room.
    HangUp {
        /// Why.
        reason: EndReason,
    },
    /// Tell the ledger.
    Event(LedgerEvent),
    /// The call is in another state, for people and metrics.
    State(State),
    /// Nothing follows. Leave the room.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

impl Output {
    /// What it is, without what was said: fit for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Synthesize { .. } => "synthesize",
            Self::Play { .. } => "play",
            Self::Duck => "duck",
            Self::Resume => "resume",
            Self::Stop { .. } => "stop",
            Self::SpeechStarted { .. } => "speech_started",
            Self::SpeechPaused { .. } => "speech_paused",
            Self::SpeechEnded { .. } => "speech_ended",
            Self::Retrieve { .. } => "retrieve",
            Self::Generate { .. } => "generate",
            Self::Instruct { .. } => "instruct",
            Self::CancelGeneration { .. } => "cancel_generation",
            Self::Invoke { .. } => "invoke",
            Self::CancelInvocation { .. } => "cancel_invocation",
            Self::CommandFinished { .. } => "command_finished",
            Self::HangUp { .. } => "hang_up",
            Self::Event(event) => event.name(),
            Self::State(_) => "state",
            Self::Ended { .. } => "ended",
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Done: the text was played, the hang-up began.
    Done,
    /// The caller interrupted the text.
    Interrupted,
    /// The call was ending, or ended before it could be done.
    CallEnding,
    /// Too many texts wait to be spoken.
    QueueFull,
    /// There is nothing to say in the text.
    EmptyText,
}

/// Where the call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The first audio is being made; the caller hears ringing.
    Preparing,
    /// Published; the leg is not up yet.
    Answering,
    /// The caller has the floor.
    Listening,
    /// The turn is over, the answer is not audible yet.
    Thinking,
    /// The agent speaks.
    Speaking,
    /// The farewell.
    Closing,
    /// The leg is being removed.
    HangingUp,
    /// Over.
    Ended,
}
