//! The answer gate. Publishing a track is answering, so the agent publishes only when it has something to say, and says
//! it only when someone hears it.

use crate::event::{AgentSource, LedgerEvent, Stage};
use crate::output::Output;
use crate::session::Session;
use crate::time::{CallTime, millis};
use crate::utterance::Utterance;
use crate::{GreetingMode, State};

/// How far answering is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The first audio is being made.
    Preparing { by: CallTime },
    /// Published; waiting for the leg and the subscription.
    Answering { by: CallTime },
    /// The caller hears the agent.
    Open { since: CallTime },
}

impl Gate {
    /// When waiting here has gone on for too long.
    pub(crate) fn deadline(self) -> Option<CallTime> {
        match self {
            Self::Preparing { by } | Self::Answering { by } => Some(by),
            Self::Open { .. } => None,
        }
    }

    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(crate) fn state(self) -> Option<State> {
        match self {
            Self::Preparing { .. } => Some(State::Preparing),
            Self::Answering { .. } => Some(State::Answering),
            Self::Open { .. } => None,
        }
    }
}

impl Session {
    /// Queues what is said first, so that its audio is made while the room is joined.
    pub(crate) fn prepare_opening(&mut self) {
        let config = &self.config;
        let opening: Vec<(AgentSource, bool, String)> = if let Some(refusal) = &config.refusal {
            vec![(AgentSource::Farewell, false, refusal.clone())]
        } else {
            let greets = config.greeting_mode == GreetingMode::AgentFirst && config.flow.is_none();
            vec![
                (AgentSource::Disclosure, false, config.disclosure.clone()),
                (AgentSource::Disclosure, false, config.consent_message.clone()),
                (AgentSource::Greeting, true, if greets { config.greeting.clone() } else { String::new() }),
            ]
        };
        for (source, interruptible, text) in opening.into_iter().filter(|(.., text)| !text.trim().is_empty()) {
            self.say(source, interruptible, &text);
        }
        if self.config.refusal.is_none() {
            self.begin_flow();
        }
    }

    pub(crate) fn advance_gate(&mut self) -> bool {
        if self.closing.is_some() {
            return false;
        }
        match self.gate {
            Gate::Preparing { .. } if self.opening_is_audible() => {
                self.out(Output::Publish);
                self.gate = Gate::Answering { by: self.now + self.config.timeouts.answer };
                true
            }
            Gate::Answering { .. } if self.leg_active && self.track_subscribed => {
                self.gate = Gate::Open { since: self.now };
                self.quiet_since = self.now;
                self.event(LedgerEvent::CallAnswered { ms: millis(self.now.since(self.created_at)) });
                self.prepare_apology();
                true
            }
            Gate::Preparing { by } if self.now >= by => {
                self.fail(Stage::Tts, String::new(), "no audio for the greeting in time".into());
                true
            }
            Gate::Answering { by } if self.now >= by => {
                let missing =
                    if self.leg_active { "nobody subscribed to the agent's track" } else { "the leg is not active" };
                self.fail(Stage::Answer, String::new(), missing.into());
                true
            }
            _ => false,
        }
    }

    fn opening_is_audible(&self) -> bool {
        match &self.current {
            Some(utterance) => utterance.is_audible(),
            None => self.queue.is_empty(),
        }
    }

    /// Has the apology at hand before anything fails: afterwards there may be no voice to say it.
    fn prepare_apology(&mut self) {
        if self.config.refusal.is_some() {
            return;
        }
        let apology = Utterance::of_text(self.ids.utterance(), AgentSource::Error, false, &self.config.error_message);
        self.apology = (!apology.clauses.is_empty()).then_some(apology);
    }
}
