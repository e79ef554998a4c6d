//! Who is in the room, what they publish and which of it we receive. Server messages in, events out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use livekit_protocol::participant_info::State;
use livekit_protocol::{ParticipantInfo, TrackType};

use super::{Participant, ParticipantKind, RoomEvent};

#[derive(Debug)]
struct Known {
    participant: Participant,
    version: u32,
    tracks: Vec<Arc<str>>,
}

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct Roster {
    local_sid: String,
    known: HashMap<String, Known>,
    /// Sessions that ended. Their ids are never used again.
    left: HashSet<String>,
    /// Tracks we receive, by the media section they arrive on.
    received: HashMap<String, Arc<str>>,
    /// Tracks in `received` whose subscription was reported.
    reported: HashSet<Arc<str>>,
}

impl Roster {
    /// A roster of everybody but us.
    pub(super) fn new(local_sid: String) -> Self {
        Self { local_sid, ..Self::default() }
    }

    /// Applies the server's news about participants.
    pub(super) fn update(&mut self, participants: Vec<ParticipantInfo>) -> Vec<RoomEvent> {
        let mut events = Vec::new();
        for info in participants {
            if info.sid != self.local_sid {
                self.update_one(info, &mut events);
            }
        }
        self.report_subscriptions(&mut events);
        events
    }

    fn update_one(&mut self, info: ParticipantInfo, events: &mut Vec<RoomEvent>) {
        // An update that was overtaken by the end must not bring anybody back: nobody would see them leave again.
        if self.left.contains(&info.sid) {
            return;
        }
        if info.state() == State::Disconnected {
            self.left.insert(info.sid.clone());
            if let Some(known) = self.known.remove(&info.sid) {
                events.push(RoomEvent::ParticipantLeft(known.participant));
            }
            return;
        }
        let tracks = info
            .tracks
            .iter()
            .filter(|track| track.r#type() == TrackType::Audio)
            .map(|track| Arc::from(track.sid.as_str()))
            .collect();
        let version = info.version;
        let sid = info.sid.clone();
        let participant = Participant {
            sid: info.sid,
            identity: info.identity,
            kind: ParticipantKind::from_wire(info.kind),
            attributes: info.attributes,
        };
        match self.known.get_mut(&sid) {
            // Updates may overtake each other; versions grow.
            Some(known) if version < known.version => {}
            Some(known) => {
                let changed = changed_keys(&known.participant.attributes, &participant.attributes);
                *known = Known { participant: participant.clone(), version, tracks };
                if !changed.is_empty() {
                    events.push(RoomEvent::AttributesChanged { participant, changed });
                }
            }
            None => {
                self.known.insert(sid, Known { participant: participant.clone(), version, tracks });
                events.push(RoomEvent::ParticipantJoined(participant));
            }
        }
    }

    /// Applies the server's assignment of tracks to media sections.
    pub(super) fn assign_sections(&mut self, tracks: HashMap<String, String>) -> Vec<RoomEvent> {
        self.received = tracks.into_iter().map(|(mid, track)| (mid, Arc::from(track))).collect();
        let mut gone: Vec<Arc<str>> = self
            .reported
            .iter()
            .filter(|track| !self.received.values().any(|other| other == *track))
            .cloned()
            .collect();
        gone.sort();
        self.reported.retain(|track| !gone.contains(track));
        let mut events: Vec<_> = gone.into_iter().map(|track| RoomEvent::TrackUnsubscribed { track }).collect();
        self.report_subscriptions(&mut events);
        events
    }

    /// The track that arrives on a media section.
    pub(super) fn track_on(&self, mid: &str) -> Option<&Arc<str>> {
        self.received.get(mid)
    }

    /// Reports tracks that are both received and known to belong to somebody: the two arrive in either order.
    fn report_subscriptions(&mut self, events: &mut Vec<RoomEvent>) {
        let mut news: Vec<_> =
            self.received.values().filter(|track| !self.reported.contains(*track)).cloned().collect();
        news.sort();
        for track in news {
            let publisher = self.known.values().find(|known| known.tracks.contains(&track));
            if let Some(publisher) = publisher {
                let participant = publisher.participant.identity.clone();
                self.reported.insert(track.clone());
                events.push(RoomEvent::TrackSubscribed { track, participant });
            }
        }
    }
}

fn changed_keys(before: &HashMap<String, String>, after: &HashMap<String, String>) -> Vec<String> {
    let mut changed: Vec<String> = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, _)| key)
        .chain(before.keys().filter(|key| !after.contains_key(*key)))
        .cloned()
        .collect();
    changed.sort();
    changed
}

#[cfg(test)]
mod tests {
    use livekit_protocol::TrackInfo;

    use super::*;

    fn info(sid: &str, version: u32, attributes: &[(&str, &str)], tracks: &[&str]) -> ParticipantInfo {
        ParticipantInfo {
            sid: sid.into(),
            identity: format!("identity of {sid}"),
            state: State::Active as i32,
            kind: 3,
            version,
            attributes: attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            tracks: tracks.iter().map(|sid| TrackInfo { sid: (*sid).into(), ..Default::default() }).collect(),
            ..Default::default()
        }
    }

    fn names(events: &[RoomEvent]) -> Vec<String> {
        events
            .iter()
            .map(|event| match event {
                RoomEvent::ParticipantJoined(participant) => format!("joined {}", participant.sid),
                RoomEvent::ParticipantLeft(participant) => format!("left {}", participant.sid),
                RoomEvent::AttributesChanged { participant, changed } => {
                    format!("attributes of {}: {}", participant.sid, changed.join(" "))
                }
                RoomEvent::TrackSubscribed { track, participant } => format!("{track} from {participant}"),
                RoomEvent::TrackUnsubscribed { track } => format!("{track} gone"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn sections(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(mid, track)| ((*mid).into(), (*track).into())).collect()
    }

    #[test]
    fn participants_come_change_and_go() {
        let mut roster = Roster::new("PA_me".into());
        let ringing = &[("sip.callStatus", "ringing"), ("sip.trunkID", "ST_1")];
        let active = &[("sip.callStatus", "active"), ("x", "1")];
        let joined = roster.update(vec![info("PA_1", 1, ringing, &[]), info("PA_me", 1, &[], &[])]);
        assert_eq!(names(&joined), ["joined PA_1"]);
        assert!(matches!(&joined[0], RoomEvent::ParticipantJoined(p) if p.kind == ParticipantKind::Sip));
        assert_eq!(
            names(&roster.update(vec![info("PA_1", 2, active, &[])])),
            ["attributes of PA_1: sip.callStatus sip.trunkID x"]
        );
        // An old update that was overtaken changes nothing.
        assert!(roster.update(vec![info("PA_1", 1, ringing, &[])]).is_empty());
        let mut gone = info("PA_1", 3, active, &[]);
        gone.state = State::Disconnected as i32;
        assert_eq!(names(&roster.update(vec![gone.clone()])), ["left PA_1"]);
        assert!(roster.update(vec![gone]).is_empty());
        assert!(roster.update(vec![info("PA_1", 2, active, &[])]).is_empty(), "nobody comes back from the past");
    }

    #[test]
    fn a_subscription_is_reported_when_both_halves_are_known() {
        let mut roster = Roster::new("PA_me".into());
        assert!(roster.assign_sections(sections(&[("1", "TR_1")])).is_empty());
        assert_eq!(
            names(&roster.update(vec![info("PA_1", 1, &[], &["TR_1"])])),
            ["joined PA_1", "TR_1 from identity of PA_1"]
        );
        assert_eq!(roster.track_on("1").unwrap().as_ref(), "TR_1");

        // The other order, and a reused section.
        assert_eq!(names(&roster.update(vec![info("PA_2", 1, &[], &["TR_2"])])), ["joined PA_2"]);
        assert_eq!(
            names(&roster.assign_sections(sections(&[("1", "TR_2")]))),
            ["TR_1 gone", "TR_2 from identity of PA_2"]
        );
        assert!(roster.assign_sections(sections(&[("1", "TR_2")])).is_empty());
        assert_eq!(names(&roster.assign_sections(sections(&[]))), ["TR_2 gone"]);
        assert!(roster.track_on("1").is_none());
    }
}
