//! Who is in the room, as far as the call cares.

use std::collections::HashMap;

use voxplane_media::{Participant, ParticipantKind};

/// The other participants.
#[derive(Debug, Default)]
pub(super) struct People {
    caller: String,
    /// By session: who comes back under the same identity may be seen coming before they are seen leaving.
    present: HashMap<String, Person>,
    caller_was_here: bool,
}

#[derive(Debug)]
struct Person {
    identity: String,
    kind: ParticipantKind,
}

impl People {
    pub(super) fn new(caller: String) -> Self {
        Self { caller, ..Self::default() }
    }

    pub(super) fn is_caller(&self, identity: &str) -> bool {
        identity == self.caller
    }

    /// Somebody is in the room.
    pub(super) fn joined(&mut self, participant: &Participant) {
        self.caller_was_here |= self.is_caller(&participant.identity);
        let person = Person { identity: participant.identity.clone(), kind: participant.kind };
        self.present.insert(participant.sid.clone(), person);
    }

    /// Somebody left. True when nobody is left to talk to.
    pub(super) fn left(&mut self, participant: &Participant) -> bool {
        self.present.remove(&participant.sid);
        self.caller_was_here && !self.present.values().any(|person| is_person(person.kind))
    }

    /// Whether the caller was seen at all.
    pub(super) fn caller_was_here(&self) -> bool {
        self.caller_was_here
    }

    /// The legs to remove when hanging up: every telephone, and the caller whatever it is.
    pub(super) fn legs(&self) -> Vec<String> {
        let telephones = self.present.values().filter(|person| person.kind == ParticipantKind::Sip);
        let mut legs: Vec<String> = telephones.map(|person| person.identity.clone()).collect();
        legs.sort();
        legs.dedup();
        if !legs.contains(&self.caller) {
            legs.push(self.caller.clone());
        }
        legs
    }
}

/// Whether the caller's leg is answered. Only telephones have to be.
pub(super) fn leg_is_active(participant: &Participant) -> bool {
    participant.kind != ParticipantKind::Sip
        || participant.attributes.get("sip.callStatus").is_some_and(|status| status == "active")
}

fn is_person(kind: ParticipantKind) -> bool {
    matches!(kind, ParticipantKind::Sip | ParticipantKind::Standard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(identity: &str, kind: ParticipantKind, status: Option<&str>) -> Participant {
        let attributes = status.map(|status| ("sip.callStatus".to_owned(), status.to_owned())).into_iter().collect();
        Participant { sid: format!("PA_{identity}"), identity: identity.into(), kind, attributes }
    }

    #[test]
    fn a_telephone_is_active_when_livekit_says_so_a_browser_always() {
        assert!(!leg_is_active(&participant("sip_1", ParticipantKind::Sip, Some("ringing"))));
        assert!(!leg_is_active(&participant("sip_1", ParticipantKind::Sip, None)));
        assert!(leg_is_active(&participant("sip_1", ParticipantKind::Sip, Some("active"))));
        assert!(leg_is_active(&participant("web", ParticipantKind::Standard, None)));
    }

    #[test]
    fn the_call_is_over_when_the_last_person_left() {
        let mut people = People::new("sip_1".into());
        let caller = participant("sip_1", ParticipantKind::Sip, None);
        let recorder = participant("rec", ParticipantKind::Egress, None);
        people.joined(&recorder);
        assert!(!people.left(&recorder), "the caller has not come yet");
        people.joined(&caller);
        people.joined(&recorder);
        assert!(people.left(&caller), "a recorder is nobody to talk to");
    }

    #[test]
    fn a_caller_who_is_back_before_the_old_session_ends_has_not_left() {
        let mut people = People::new("web".into());
        let before = participant("web", ParticipantKind::Standard, None);
        let after = Participant { sid: "PA_again".into(), ..before.clone() };
        people.joined(&before);
        people.joined(&after);
        assert!(!people.left(&before), "the browser has reconnected");
        assert!(people.left(&after));
    }

    #[test]
    fn every_telephone_is_a_leg_to_remove() {
        let mut people = People::new("web".into());
        people.joined(&participant("sip_1", ParticipantKind::Sip, None));
        people.joined(&participant("rec", ParticipantKind::Egress, None));
        assert_eq!(people.legs(), ["sip_1", "web"]);
    }
}
