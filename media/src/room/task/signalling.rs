//! What the room's task says to the server and hears from it, other than media.

use livekit_protocol as proto;
use livekit_protocol::request_response::Reason;
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;

use super::{Command, End, RoomTask, SIGNAL_TIMEOUT};
use crate::room::{DisconnectReason, RoomError, RoomEvent};

impl RoomTask {
    /// A message of the server.
    pub(super) async fn signalled(&mut self, message: Response) -> Result<(), End> {
        match message {
            Response::Answer(answer) => {
                self.peer.answer(&answer)?;
                for event in self.roster.assign_sections(answer.mid_to_track_id) {
                    self.events.send(event)?;
                }
                self.publication.negotiated(self.peer.can_send());
            }
            Response::Trickle(trickle) => self.peer.candidate(&trickle.candidate_init),
            Response::MediaSectionsRequirement(required) => self.peer.require_sections(required.num_audios),
            Response::Update(update) => self.update(update.participants)?,
            Response::TrackPublished(published) => {
                if let Some(track) = published.track
                    && self.publication.announced(&published.cid, track.sid)
                {
                    self.peer.publish(published.cid);
                }
            }
            Response::TrackSubscribed(subscribed) => {
                self.events.send(RoomEvent::LocalTrackSubscribed { track: subscribed.track_sid })?;
            }
            Response::RequestResponse(response) => self.verdict(&response),
            Response::Leave(leave) => {
                tracing::debug!(reason = leave.reason, action = leave.action, "the server ended the session");
                return Err(End::Room(DisconnectReason::from_leave(&leave)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The server's answer to one of our requests.
    fn verdict(&mut self, response: &proto::RequestResponse) {
        let verdict = match response.reason() {
            Reason::Ok | Reason::Queued => Ok(()),
            reason => Err(RoomError::Refused { message: format!("{}: {}", reason.as_str_name(), response.message) }),
        };
        if let Some(reply) = self.asked.remove(&response.request_id) {
            let _ = reply.send(verdict);
        } else if let (Err(error), Some(proto::request_response::Request::AddTrack(_))) = (verdict, &response.request) {
            self.publication.refused(error);
        }
    }

    /// News about participants.
    pub(super) fn update(&mut self, participants: Vec<proto::ParticipantInfo>) -> Result<(), End> {
        for event in self.roster.update(participants) {
            if let RoomEvent::ParticipantLeft(participant) = &event {
                self.receiver.forget(&participant.sid);
            }
            self.events.send(event)?;
        }
        Ok(())
    }

    /// A request of the room's owner.
    pub(super) async fn command(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Publish { name, reply } => {
                if let Some(request) = self.publication.request(name, reply, self.clock) {
                    self.request(Request::AddTrack(request)).await?;
                }
            }
            // Sent by the next turn, when the channel has room.
            Command::Send { packet, reply } => self.outbox.push(*packet, reply),
            Command::SetAttributes { attributes, reply } => {
                let request_id = self.signal.next_request_id();
                let attributes = attributes.into_iter().collect();
                let update = proto::UpdateParticipantMetadata { attributes, request_id, ..Default::default() };
                // An answer that never comes leaves its entry behind; owners time out, so there are few.
                self.asked.retain(|_, waiting| !waiting.is_closed());
                self.asked.insert(request_id, reply);
                self.request(Request::UpdateMetadata(update)).await?;
            }
        }
        Ok(())
    }

    /// Sends a request to the server.
    pub(super) async fn request(&mut self, request: Request) -> Result<(), End> {
        tokio::time::timeout(SIGNAL_TIMEOUT, self.signal.send(request)).await.map_err(|_| {
            tracing::warn!("the signalling connection is stuck");
            End::Room(DisconnectReason::TransportLost)
        })
    }
}
