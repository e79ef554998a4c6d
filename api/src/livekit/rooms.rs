//! The room service: who is in a room, removing a leg, deleting a room.

use std::time::Duration;

use livekit_api::services::room::RoomClient;
use livekit_api::services::{ServerError, ServerErrorCode, ServiceError};
use livekit_protocol::{ParticipantInfo, participant_info};
use secrecy::ExposeSecret as _;
use voxplane_platform::redact::Redacted;

use super::access::{AGENT_IDENTITY, LiveKitAccount};

/// LiveKit answers such requests in milliseconds; placement has 1.5 s in all.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1_000);

/// A request to LiveKit failed.
#[derive(Debug, thiserror::Error)]
#[error("LiveKit did not {action}")]
pub struct RoomError {
    /// What was asked.
    action: &'static str,
    /// What came back.
    #[source]
    source: ServiceError,
}

/// What a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegKind {
    /// A telephone leg bridged by livekit-sip.
    Sip,
    /// Our agent.
    Agent,
    /// A browser, application or anything else a person speaks through.
    Person,
    /// Recorders and ingress: no one to talk to.
    Machine,
}

/// One participant of a room, as far as placement cares.
#[derive(Debug, Clone)]
pub struct Leg {
    /// LiveKit identity.
    pub identity: String,
    /// What it is.
    pub kind: LegKind,
    /// Number dialled (`sip.trunkPhoneNumber`).
    pub dialled: Option<Redacted<String>>,
    /// Caller's number (`sip.phoneNumber`).
    pub caller: Option<Redacted<String>>,
    /// LiveKit's inbound trunk (`sip.trunkID`).
    pub trunk_id: Option<String>,
    /// SIP Call-ID (`sip.callIDFull`); the same for a repeated INVITE of one dialog.
    pub sip_call_id: Option<String>,
    /// `sip.callStatus`: ringing, active, hangup …
    pub status: Option<String>,
}

impl Leg {
    /// Reads LiveKit's description of a participant.
    pub fn from_info(info: ParticipantInfo) -> Self {
        use participant_info::Kind;
        let kind = match info.kind() {
            Kind::Sip => LegKind::Sip,
            Kind::Agent => LegKind::Agent,
            Kind::Ingress | Kind::Egress => LegKind::Machine,
            _ if info.identity == AGENT_IDENTITY => LegKind::Agent,
            _ => LegKind::Person,
        };
        let mut attributes = info.attributes;
        let mut take = |name: &str| attributes.remove(name).filter(|value| !value.is_empty());
        Self {
            identity: info.identity,
            kind,
            dialled: take("sip.trunkPhoneNumber").map(Redacted::new),
            caller: take("sip.phoneNumber").map(Redacted::new),
            trunk_id: take("sip.trunkID"),
            sip_call_id: take("sip.callIDFull").or_else(|| take("sip.callID")),
            status: take("sip.callStatus"),
        }
    }

    /// Whether somebody may be listening at this leg.
    pub fn is_caller(&self) -> bool {
        matches!(self.kind, LegKind::Sip | LegKind::Person) && self.status.as_deref() != Some("hangup")
    }
}

/// A room as the sweeper sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Room name.
    pub name: String,
    /// Participants LiveKit counts, agents included.
    pub participants: u32,
    /// Creation, Unix seconds.
    pub created_at: i64,
}

/// A room's name as logs may show it. livekit-sip builds it as `<prefix>_<number dialled>_<random>`, and numbers do not
/// belong in logs: prefix and random part tell rooms apart as well.
pub fn shown(room: &str) -> String {
    match (room.split_once('_'), room.rsplit_once('_')) {
        (Some((prefix, rest)), Some((_, random))) if rest != random => format!("{prefix}_…_{random}"),
        (Some((prefix, _)), _) => format!("{prefix}_…"),
        _ => "…".to_owned(),
    }
}

/// The room service of one LiveKit.
#[derive(Debug)]
pub struct Rooms {
    client: RoomClient,
}

impl Rooms {
    /// A client for this account.
    pub fn new(account: &LiveKitAccount) -> Self {
        let client = RoomClient::with_api_key(&account.http_url, &account.key, account.secret.expose_secret())
            .with_failover(false)
            .with_request_timeout(REQUEST_TIMEOUT);
        Self { client }
    }

    /// Everybody in the room; empty when there is no such room.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn legs(&self, room: &str) -> Result<Vec<Leg>, RoomError> {
        match self.client.list_participants(room).await {
            Ok(participants) => Ok(participants.into_iter().map(Leg::from_info).collect()),
            Err(error) if is_not_found(&error) => Ok(Vec::new()),
            Err(source) => Err(RoomError { action: "list the participants of a room", source }),
        }
    }

    /// Removes one participant; for a ringing SIP leg the caller gets 486, for an answered one BYE. A participant that
    /// is already gone is fine.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn remove(&self, room: &str, identity: &str) -> Result<(), RoomError> {
        done(self.client.remove_participant(room, identity).await, "remove a participant")
    }

    /// Deletes the room and everybody in it; a room that is already gone is fine.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn delete(&self, room: &str) -> Result<(), RoomError> {
        done(self.client.delete_room(room).await, "delete a room")
    }

    /// Every room LiveKit has.
    ///
    /// # Errors
    /// When LiveKit does not answer.
    pub async fn list(&self) -> Result<Vec<RoomSummary>, RoomError> {
        let rooms = self
            .client
            .list_rooms(Vec::new())
            .await
            .map_err(|source| RoomError { action: "list its rooms", source })?;
        Ok(rooms
            .into_iter()
            .map(|room| RoomSummary {
                name: room.name,
                participants: room.num_participants,
                created_at: room.creation_time,
            })
            .collect())
    }
}

fn done(answer: Result<(), ServiceError>, action: &'static str) -> Result<(), RoomError> {
    match answer {
        Err(error) if !is_not_found(&error) => Err(RoomError { action, source: error }),
        _ => Ok(()),
    }
}

fn is_not_found(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Twirp(ServerError::Twirp(code)) if code.code == ServerErrorCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(kind: participant_info::Kind, attributes: &[(&str, &str)]) -> ParticipantInfo {
        ParticipantInfo {
            identity: "sip_x".into(),
            kind: kind.into(),
            attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..ParticipantInfo::default()
        }
    }

    #[test]
    fn a_sip_leg_carries_its_numbers_without_showing_them() {
        let leg = Leg::from_info(info(
            participant_info::Kind::Sip,
            &[("sip.trunkPhoneNumber", "+15550100"), ("sip.phoneNumber", "+15559876"), ("sip.trunkID", "ST_1")],
        ));
        assert!(leg.is_caller());
        assert_eq!(leg.trunk_id.as_deref(), Some("ST_1"));
        assert_eq!(leg.sip_call_id, None);
        let shown = format!("{leg:?}");
        assert!(!shown.contains("5559876") && !shown.contains("5550100"), "{shown}");
    }

    #[test]
    fn the_number_in_a_rooms_name_is_not_shown() {
        assert_eq!(shown("vx-deadbeef_+15550100_9aBcDeFg"), "vx-deadbeef_…_9aBcDeFg");
        assert_eq!(shown("vx-deadbeef_+15550100"), "vx-deadbeef_…");
        assert_eq!(shown("+15550100"), "…");
    }

    #[test]
    fn agents_recorders_and_gone_legs_are_no_callers() {
        assert!(!Leg::from_info(info(participant_info::Kind::Agent, &[])).is_caller());
        assert!(!Leg::from_info(info(participant_info::Kind::Egress, &[])).is_caller());
        assert!(!Leg::from_info(info(participant_info::Kind::Sip, &[("sip.callStatus", "hangup")])).is_caller());
        assert!(Leg::from_info(info(participant_info::Kind::Standard, &[])).is_caller());
    }
}
