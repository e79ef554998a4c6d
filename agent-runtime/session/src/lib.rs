//! The call engine: turns, barge-in, time-outs. It performs no I/O and reads no clock.
//!
//! A [`Session`] is one call. Its owner feeds it what happened ([`Input`]) with the time on the call clock, takes out
//! what is to be done ([`Output`]) until there is nothing left, and calls it again at the latest at
//! [`Session::next_deadline`]:
//!
//! ```
//! use voxplane_session::{CallTime, Input, Output, Session, SessionConfig};
//!
//! let mut session = Session::new(SessionConfig::default(), CallTime::ZERO);
//! session.handle(CallTime::from_millis(40), Input::LegActive);
//! while let Some(output) = session.poll() {
//!     match output {
//!         Output::Synthesize { clause, text } => println!("speak {text} as {clause:?}"),
//!         other => println!("{}", other.kind()),
//!     }
//! }
//! let wake_me_at = session.next_deadline();
//! # assert!(wake_me_at.is_some());
//! ```
//!
//! Everything that decides how a conversation goes is decided here and nowhere else; the adapters around it only pump.
//!
//! | file | decides |
//! | --- | --- |
//! | `gate` | when the call is answered: first audio ready, track published, leg active, track subscribed |
//! | `voice` | what counts as caller speech (hysteresis over voice probabilities) |
//! | `caller_turn`, `endpointing`, `pauses` | what the caller said and when they are done |
//! | `answer`, `clauses` | retrieval, generation, cutting the token stream into clauses |
//! | `tools` | calls of tools: rounds, what goes on in the background, what the model is told |
//! | `floor`, `utterance` | who speaks, what has been synthesised, sent and heard |
//! | `barge_in` | ducking, committing and resuming when the caller speaks over the agent |
//! | `closing` | farewells and hanging up |
//! | `flow` | conversations in steps: menus, questions, conditions |
//! | `timers` | every deadline, in one place |
//! | `event`, `latency` | what the ledger is told |
//!
//! Promises, held by property tests over random inputs: at most one utterance is played at a time; every generation
//! ends or is cancelled; handling a deadline always moves the next one into the future; the maximum duration and the
//! caller leaving always end the session within a bound.

mod answer;
mod barge_in;
mod caller_turn;
mod clauses;
mod closing;
mod config;
mod endpointing;
mod event;
mod floor;
pub mod flow;
mod gate;
mod history;
mod ids;
mod input;
mod keypad;
mod latency;
mod output;
mod pauses;
mod session;
mod text;
mod time;
mod timers;
mod tools;
mod utterance;
mod voice;

pub use config::{
    BargeInRules, ConfigError, GoodbyeRules, GreetingMode, SessionConfig, SilenceRules, Timeouts, TurnRules, VoiceRules,
};
pub use event::{AgentSource, BargeInTrigger, Durability, EndReason, HeardBy, LedgerEvent, Stage};
pub use flow::{Flow, FlowInput, FlowOutcome};
pub use history::{Message, Role};
pub use ids::{ClauseId, GenerationId, InvocationId, TurnId, UtteranceId};
pub use input::{Command, FailedWork, Input, Passage, WordTime};
pub use latency::TurnLatency;
pub use output::{CommandOutcome, Output, State};
pub use session::Session;
pub use time::CallTime;
pub use tools::{Effect, ToolCall, ToolKind, ToolOutcome, ToolRules, ToolStatus, ToolUse};
