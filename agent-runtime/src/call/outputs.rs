//! What the engine wants done.

use std::time::Duration;

use voxplane_control::v1::command_result::Outcome;
use voxplane_session::{CommandOutcome, Input, LedgerEvent, Output};

use super::driver::{Driver, News};

/// The ledger's word is waited for this long; the engine hangs up all the same, and uses no tool.
const RECORD_WITHIN: Duration = Duration::from_secs(1);
const TRACK: &str = "agent";

impl Driver {
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.session.poll() {
            self.perform(output);
        }
    }

    pub(super) fn perform(&mut self, output: Output) {
        tracing::trace!(call.id = self.call_id, output = output.kind(), "engine");
        match output {
            Output::Publish => self.publish(),
            Output::Synthesize { clause, text } => {
                self.mouth.synthesize(clause, text, &mut self.tasks, &self.teller);
            }
            Output::Play { utterance } => self.mouth.play(utterance),
            Output::Duck => self.mouth.duck(true),
            Output::Resume => self.mouth.duck(false),
            Output::Stop { utterance } => self.mouth.stop(utterance, &mut self.tasks, &self.teller),
            Output::SpeechStarted { at } => {
                self.metrics.speech("speech_start");
                let input = self.ears.as_mut().and_then(|ears| ears.speech_started(at));
                self.tell_all(input);
            }
            Output::SpeechPaused { at } => {
                let input = self.ears.as_mut().and_then(|ears| ears.speech_paused(at));
                self.tell_all(input);
            }
            Output::SpeechEnded { at } => {
                self.metrics.speech("speech_end");
                let input = self.ears.as_mut().and_then(|ears| ears.speech_ended(at));
                self.tell_all(input);
            }
            Output::Retrieve { turn, query } => {
                if let Some(mind) = &self.mind {
                    mind.retrieve(turn, query, &mut self.tasks, &self.teller);
                }
            }
            Output::Generate { generation, messages, passages, may_call, .. } => {
                if let Some(mind) = &mut self.mind {
                    mind.generate(generation, messages, passages, may_call, &mut self.tasks, &self.teller);
                }
            }
            Output::Instruct { text } => {
                if let Some(mind) = &mut self.mind {
                    mind.instruct(text);
                }
            }
            Output::CancelGeneration { generation } => {
                if let Some(mind) = &mut self.mind {
                    mind.cancel(generation);
                }
            }
            Output::Invoke { invocation, tool, arguments } => {
                if let Some(hands) = &mut self.hands {
                    hands.invoke(invocation, &tool, arguments, &mut self.tasks, &self.teller);
                }
            }
            Output::CancelInvocation { invocation } => {
                if let Some(hands) = &mut self.hands {
                    hands.cancel(invocation);
                }
            }
            Output::CommandFinished { id, outcome } => {
                let outcome = match outcome {
                    CommandOutcome::Done => Outcome::Done,
                    _ => Outcome::Failed,
                };
                self.commands.insert(id.clone(), Some(outcome));
                self.answer(id, outcome);
            }
            Output::HangUp { .. } => self.remove_legs(),
            Output::Event(event) => self.record(&event),
            Output::State(state) => tracing::debug!(call.id = self.call_id, ?state, "call state"),
            Output::Ended { reason } => self.ended = Some(reason),
        }
    }

    pub(super) fn publish(&mut self) {
        let Some(room) = &self.room else {
            self.publish_wanted = true;
            return;
        };
        let (room, teller) = (room.clone(), self.teller.clone());
        self.tasks.spawn(async move {
            let _ = teller.send(News::Published(room.publish_audio(TRACK).await)).await;
        });
    }

    pub(super) fn remove_legs(&mut self) {
        let (hang_up, legs, teller) = (self.hang_up.clone(), self.people.legs(), self.teller.clone());
        self.tasks.spawn(async move {
            // The room says when they have left; without a room nobody would.
            if hang_up.remove(legs).await {
                let _ = teller.send(News::Input(Input::CallerLeft)).await;
            }
        });
    }

    pub(super) fn record(&mut self, event: &LedgerEvent) {
        self.metrics.event(event);
        let seq = self.ledger.record_event(event);
        // What waits for this event to be stored.
        let waiting = match event {
            LedgerEvent::CallHangingUp { .. } => Input::HangUpRecorded,
            LedgerEvent::ToolIntent { invocation, durable: true, .. } => {
                Input::ToolRecorded { invocation: *invocation }
            }
            _ => return,
        };
        if let Some(seq) = seq {
            let (ledger, teller) = (self.ledger.clone(), self.teller.clone());
            self.tasks.spawn(async move {
                if ledger.stored(seq, RECORD_WITHIN).await {
                    let _ = teller.send(News::Input(waiting)).await;
                }
            });
        }
    }
}
