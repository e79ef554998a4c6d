//! What happened to a call: results of its tasks, the room's events, transcripts, messages from outside.

use std::sync::Arc;
use std::time::Instant;

use futures::stream::BoxStream;
use voxplane_control::v1::{
    Command, CommandResult, Durability, command, command_result::Outcome, runtime_message::Body,
};
use voxplane_media::{DisconnectReason, JoinError, JoinOptions, Participant, Room, RoomEvent, RoomEvents};
use voxplane_platform::error_chain::describe;
use voxplane_session::{CallTime, Input, Stage};

use super::Message;
use super::driver::{CALLER_DUE, Driver, News, Opened};
use super::people::leg_is_active;
use crate::providers::stt::SttEvent;

/// Commands whose outcome is remembered.
const MAX_COMMANDS: usize = 256;

impl Driver {
    pub(super) fn join(&mut self) {
        let mut options = JoinOptions::new(self.access.url.clone(), self.access.join_token.clone());
        options.clock = self.clock;
        let teller = self.teller.clone();
        self.tasks.spawn(async move {
            let joined = Box::pin(Room::join(options)).await;
            let _ = teller.send(News::Joined(Box::new(joined))).await;
        });
    }

    pub(super) fn joined(&mut self, joined: Result<(Room, RoomEvents), JoinError>) -> Option<RoomEvents> {
        match joined {
            Ok((room, events)) => {
                let ms = self.clock.now().millis();
                self.ledger.record("call.joined", Durability::Soon, format!(r#"{{"ms":{ms}}}"#));
                self.metrics.livekit_joined();
                self.room = Some(Arc::new(room));
                self.caller_due = Some(Instant::now() + CALLER_DUE);
                if self.publish_wanted {
                    self.publish();
                }
                Some(events)
            }
            Err(error) => {
                let text = describe(&error);
                tracing::error!(call.id = self.call_id, error = text, "cannot join the room");
                self.metrics.livekit_failed(&text);
                self.provider_failed(Stage::Answer, "livekit", text);
                None
            }
        }
    }

    pub(super) fn open_recogniser(&mut self) {
        let Some((provider, config)) = self.recogniser.take() else { return };
        let teller = self.teller.clone();
        self.tasks.spawn(async move {
            let opened = provider.open(&config).await;
            let opened = opened.map(|stream| (stream.input, stream.events)).map_err(|error| describe(&error));
            let _ = teller.send(News::Recogniser(opened)).await;
        });
    }

    pub(super) fn recogniser_opened(&mut self, opened: Opened) -> Option<BoxStream<'static, SttEvent>> {
        match opened {
            Ok((input, events)) => {
                let inputs = self.ears.as_mut().map(|ears| ears.recogniser_opened(input)).unwrap_or_default();
                self.tell_all(inputs);
                Some(events)
            }
            Err(error) => {
                self.provider_failed(Stage::Stt, self.stt_name, error);
                None
            }
        }
    }

    pub(super) fn news(&mut self, news: News) {
        match news {
            // Handled where their streams live.
            News::Joined(_) | News::Recogniser(_) => {}
            News::Published(Ok(speaker)) => self.mouth.published(speaker),
            News::Published(Err(error)) => self.provider_failed(Stage::Answer, "livekit", describe(&error)),
            News::ClauseAudio { clause, pcm } => {
                let input = self.mouth.audio(clause, &pcm);
                self.tell_all(input);
            }
            News::ClauseComplete { clause, words } => {
                let input = self.mouth.complete(clause, words, &mut self.tasks, &self.teller);
                self.tell_all(input);
            }
            News::ClauseFailed { clause, error } => {
                let input = self.mouth.failed(clause, error, &mut self.tasks, &self.teller);
                self.tell(input);
            }
            News::Usage(usage) => self.metrics.tokens(usage),
            News::Input(input) => self.tell(input),
        }
    }

    pub(super) fn room_event(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::ParticipantJoined(participant) => {
                self.people.joined(&participant);
                self.look_at_leg(&participant);
            }
            RoomEvent::AttributesChanged { participant, .. } => self.look_at_leg(&participant),
            RoomEvent::ParticipantLeft(participant) => {
                let alone = self.people.left(&participant);
                self.tell_all(alone.then_some(Input::CallerLeft));
            }
            RoomEvent::TrackSubscribed { track, participant } if self.people.is_caller(&participant) => {
                if let Some(Err(error)) = self.ears.as_mut().map(|ears| ears.attend(track)) {
                    self.provider_failed(Stage::Stt, "opus", describe(&error));
                }
            }
            RoomEvent::TrackUnsubscribed { track } => {
                if let Some(ears) = &mut self.ears {
                    ears.detach(&track);
                }
            }
            RoomEvent::Audio(packet) => {
                let inputs = self.ears.as_mut().map(|ears| ears.hear(&packet)).unwrap_or_default();
                self.tell_all(inputs);
            }
            RoomEvent::Dtmf { participant, digit, .. } if self.people.is_caller(&participant) => {
                self.tell(Input::Dtmf { digit });
            }
            RoomEvent::LocalTrackSubscribed { .. } => self.tell(Input::TrackSubscribed),
            RoomEvent::Playout(event) => {
                let inputs = self.mouth.playout(event);
                self.tell_all(inputs);
            }
            RoomEvent::Disconnected { reason } => {
                tracing::info!(call.id = self.call_id, ?reason, "the room ended");
                self.tell(match reason {
                    DisconnectReason::DuplicateIdentity | DisconnectReason::ParticipantRemoved => Input::LeaseLost,
                    DisconnectReason::RoomDeleted | DisconnectReason::RoomClosed => Input::CallerLeft,
                    _ => Input::TransportLost,
                });
            }
            _ => {}
        }
    }

    pub(super) fn look_at_leg(&mut self, participant: &Participant) {
        if self.people.is_caller(&participant.identity) && leg_is_active(participant) {
            self.tell(Input::LegActive);
        }
    }

    pub(super) fn transcript(&mut self, event: SttEvent) {
        let (transcript, is_final, confidence) = match event {
            SttEvent::Partial(transcript) => (transcript, false, None),
            SttEvent::Final { transcript, confidence, timing } => {
                tracing::debug!(
                    call.id = self.call_id,
                    finalise_ms = timing.finalise.as_millis(),
                    decode_ms = timing.decode.as_millis(),
                    audio_ms = timing.audio.as_millis(),
                    "final transcript"
                );
                (transcript, true, Some(confidence))
            }
            SttEvent::Failed(error) if error.is_fatal() => {
                return self.provider_failed(Stage::Stt, self.stt_name, describe(&error));
            }
            // This utterance is lost; the engine goes on with the last partial when its patience ends.
            SttEvent::Failed(error) => {
                tracing::warn!(call.id = self.call_id, error = describe(&error), "speech was not recognised");
                self.metrics.error("stt", error.reason());
                return;
            }
        };
        let (start, end) = (CallTime::from_micros(transcript.start_us), CallTime::from_micros(transcript.end_us));
        self.tell(Input::Transcript { text: transcript.text, start, end, is_final, confidence });
    }

    pub(super) fn message(&mut self, message: Message) {
        match message {
            Message::LeaseLost => self.tell(Input::LeaseLost),
            Message::Drain { finish_by } => {
                let finish_by = CallTime::from_micros(self.clock.position(finish_by).micros());
                self.tell(Input::Drain { finish_by });
            }
            Message::Command(command) => self.command(command),
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        if let Some(known) = self.commands.get(&command.id) {
            // Seen before: answered again, not done again.
            if let Some(outcome) = *known {
                self.answer(command.id, outcome);
            }
            return;
        }
        let action = match command.action {
            Some(command::Action::HangUp(_)) => voxplane_session::Command::HangUp,
            Some(command::Action::Say(say)) => {
                voxplane_session::Command::Say { text: say.text, interruptible: say.interruptible }
            }
            None => return self.answer(command.id, Outcome::Unsupported),
        };
        if self.commands.len() >= MAX_COMMANDS {
            self.commands.retain(|_, outcome| outcome.is_none());
        }
        self.commands.insert(command.id.clone(), None);
        self.tell(Input::Command { id: command.id, command: action });
    }

    pub(super) fn answer(&self, id: String, outcome: Outcome) {
        let message = String::new();
        let result = CommandResult { id, outcome: outcome.into(), message };
        if self.outgoing.try_send(Body::CommandResult(result)).is_err() {
            tracing::warn!(call.id = self.call_id, "the outcome of a command is not told: too many answers wait");
        }
    }
}
