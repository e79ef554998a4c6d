//! What the sweeper should do about rooms and calls that do not fit each other. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use voxplane_store::CallId;
use voxplane_store::calls::{CallStatus, LiveCall};

use crate::livekit::RoomSummary;

/// Rooms of ours; the operator's dispatch rules prefix them so.
pub const ROOM_PREFIX: &str = "vx-";

/// Younger rooms and calls are still being placed by whoever got the job offer.
const PLACEMENT_TIME: SignedDuration = SignedDuration::from_secs(4);
/// A lease that ended this long ago is not coming back. Together with the lease itself (5 s) the caller of a lost pod
/// waits 15 s.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// A call that nobody ever got, or will get.
const UNPLACED_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Ended calls whose room lingers this long have it deleted again.
const LINGER: SignedDuration = SignedDuration::from_secs(5);

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A caller waits in a room that has no call: the job offer was lost.
    Place {
        /// The room.
        room: String,
    },
    /// An unanswered call lost its pod, or never got one: another may still take it.
    PlaceAgain {
        /// The call.
        call: CallId,
    },
    /// Nobody has the call and nobody will.
    End {
        /// The call.
        call: CallId,
        /// Its end reason.
        reason: &'static str,
    },
    /// The call is over and LiveKit no longer has its room: the slot is free.
    FreeSlot {
        /// The call.
        call: CallId,
    },
    /// The call is over and its room is still there.
    DeleteRoom {
        /// The room.
        room: String,
    },
}

impl Action {
    /// A word for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Place { .. } => "place",
            Self::PlaceAgain { .. } => "place_again",
            Self::End { .. } => "end",
            Self::FreeSlot { .. } => "free_slot",
            Self::DeleteRoom { .. } => "delete_room",
        }
    }
}

/// What the sweeper sees in one pass.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Every room LiveKit has.
    pub rooms: &'a [RoomSummary],
    /// Every call that has not ended.
    pub live: &'a [LiveCall],
    /// Ended calls that hold a slot.
    pub holding: &'a [LiveCall],
    /// The time.
    pub now: Timestamp,
    /// Since when LiveKit, database and this process have all been there. Before pods had time to reconnect, a missing
    /// lease means nothing.
    pub steady_since: Timestamp,
}

/// Decides about everything seen.
pub fn decide(seen: &Seen<'_>) -> Vec<Action> {
    let rooms: HashMap<&str, &RoomSummary> = seen.rooms.iter().map(|room| (room.name.as_str(), room)).collect();
    let known: HashMap<&str, ()> = seen.live.iter().chain(seen.holding).map(|call| (call.room.as_str(), ())).collect();
    let mut actions = Vec::new();
    for room in seen.rooms {
        let ours = room.name.starts_with(ROOM_PREFIX) && room.participants > 0;
        let age = seen.now.as_second() - room.created_at;
        if ours && !known.contains_key(room.name.as_str()) && age >= PLACEMENT_TIME.as_secs() {
            actions.push(Action::Place { room: room.name.clone() });
        }
    }
    for call in seen.live.iter().filter(|call| !call.leased) {
        let occupied = rooms.get(call.room.as_str()).is_some_and(|room| room.participants > 0);
        actions.extend(orphan(call, occupied, seen));
    }
    for call in seen.holding {
        match rooms.get(call.room.as_str()) {
            None => actions.push(Action::FreeSlot { call: call.id }),
            Some(_) if call.ended_at.is_some_and(|ended| seen.now.duration_since(ended) >= LINGER) => {
                actions.push(Action::DeleteRoom { room: call.room.clone() });
            }
            Some(_) => {}
        }
    }
    actions
}

/// A call without a lease.
fn orphan(call: &LiveCall, occupied: bool, seen: &Seen<'_>) -> Option<Action> {
    let age = seen.now.duration_since(call.created_at);
    let steady = seen.now.duration_since(seen.steady_since);
    let unanswered = matches!(call.status, CallStatus::Queued | CallStatus::Ringing);
    let leaseless = call.lease_expires_at.map_or(age, |expired| seen.now.duration_since(expired));
    let end = |reason| Some(Action::End { call: call.id, reason });
    if age < PLACEMENT_TIME {
        return None;
    }
    if !occupied && steady >= PLACEMENT_TIME {
        // Nobody is on the line any more, and nobody told us.
        return end("caller_hung_up");
    }
    if unanswered && age < UNPLACED_AFTER {
        return Some(Action::PlaceAgain { call: call.id });
    }
    let limit = if call.lease_expires_at.is_some() { LOST_AFTER } else { UNPLACED_AFTER };
    if leaseless >= limit && steady >= UNPLACED_AFTER { end("lease_lost") } else { None }
}

#[cfg(test)]
mod tests {
    use voxplane_store::{AgencyId, AgentId, TenantId};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn room(name: &str, participants: u32, created: i64) -> RoomSummary {
        RoomSummary { name: name.into(), participants, created_at: 1_000_000 + created }
    }

    fn call(room: &str, status: CallStatus, created: i64, lease_until: Option<i64>) -> LiveCall {
        LiveCall {
            id: CallId::new(),
            agency: AgencyId::new(),
            tenant: TenantId::new(),
            agent: AgentId::new(),
            room: room.into(),
            status,
            epoch: 1,
            owner: None,
            leased: false,
            lease_expires_at: lease_until.map(at),
            created_at: at(created),
            ended_at: None,
            holds_slot: true,
        }
    }

    fn decide_at(now: i64, steady: i64, rooms: &[RoomSummary], live: &[LiveCall], holding: &[LiveCall]) -> Vec<Action> {
        decide(&Seen { rooms, live, holding, now: at(now), steady_since: at(steady) })
    }

    #[test]
    fn a_waiting_caller_without_a_call_is_placed() {
        let rooms = [room("vx-1_a", 1, 0), room("vx-1_empty", 0, 0), room("other", 3, 0)];
        assert_eq!(decide_at(10, 0, &rooms, &[], &[]), [Action::Place { room: "vx-1_a".into() }]);
        assert_eq!(decide_at(2, 0, &rooms, &[], &[]), [], "its job offer is still being answered");
    }

    #[test]
    fn an_unanswered_call_gets_another_chance_and_then_ends() {
        let rooms = [room("vx-1", 1, 0)];
        let orphan = call("vx-1", CallStatus::Ringing, 0, Some(5));
        let again = [Action::PlaceAgain { call: orphan.id }];
        assert_eq!(decide_at(8, 0, &rooms, std::slice::from_ref(&orphan), &[]), again);
        let end = [Action::End { call: orphan.id, reason: "lease_lost" }];
        assert_eq!(decide_at(16, 0, &rooms, std::slice::from_ref(&orphan), &[]), end);
    }

    #[test]
    fn an_answered_call_waits_for_its_pod_and_ends_after_fifteen_seconds() {
        let rooms = [room("vx-1", 2, 0)];
        let orphan = call("vx-1", CallStatus::InProgress, 0, Some(100));
        assert_eq!(decide_at(109, 0, &rooms, std::slice::from_ref(&orphan), &[]), []);
        let end = [Action::End { call: orphan.id, reason: "lease_lost" }];
        assert_eq!(decide_at(110, 0, &rooms, std::slice::from_ref(&orphan), &[]), end);
    }

    #[test]
    fn after_a_restart_or_an_outage_pods_get_time_to_come_back() {
        let rooms = [room("vx-1", 2, 0)];
        let orphan = call("vx-1", CallStatus::InProgress, 0, Some(100));
        assert_eq!(decide_at(600, 590, &rooms, std::slice::from_ref(&orphan), &[]), []);
        assert_eq!(decide_at(606, 590, &rooms, &[orphan], &[]).len(), 1);
    }

    #[test]
    fn a_call_whose_room_is_gone_ends_at_once() {
        let orphan = call("vx-1", CallStatus::InProgress, 0, Some(100));
        let end = [Action::End { call: orphan.id, reason: "caller_hung_up" }];
        assert_eq!(decide_at(101, 0, &[], &[orphan], &[]), end);
    }

    #[test]
    fn a_leased_call_is_left_alone() {
        let mut owned = call("vx-1", CallStatus::InProgress, 0, Some(100));
        owned.leased = true;
        assert_eq!(decide_at(99, 0, &[], &[owned], &[]), []);
    }

    #[test]
    fn slots_are_freed_when_the_room_is_gone() {
        let mut ended = call("vx-1", CallStatus::Completed, 0, None);
        ended.ended_at = Some(at(50));
        let listed = [room("vx-1", 1, 0)];
        assert_eq!(decide_at(51, 0, &listed, &[], std::slice::from_ref(&ended)), [], "not a new caller either");
        let delete = [Action::DeleteRoom { room: "vx-1".into() }];
        assert_eq!(decide_at(56, 0, &listed, &[], std::slice::from_ref(&ended)), delete);
        let free = [Action::FreeSlot { call: ended.id }];
        assert_eq!(decide_at(51, 0, &[], &[], &[ended]), free);
    }
}
