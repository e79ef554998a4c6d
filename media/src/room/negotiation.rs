//! What the next SDP offer contains.
//!
//! LiveKit's single-peer-connection mode never offers: it asks for receive sections (`MediaSectionsRequirement`, also
//! with zero sections when an existing one is to be re-used) and the client offers, one offer at a time. A section
//! that the server answered as inactive is only re-used when a later offer opens it again.

use std::collections::VecDeque;

use str0m::media::Mid;

/// Something the next offers must bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Receive { sections: u32 },
    Publish { cid: String },
}

/// The changes of one offer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Inactive receive sections to open again.
    pub(super) reopen: Vec<Mid>,
    /// Receive sections to add.
    pub(super) add: u32,
    /// Client id of a track to publish.
    pub(super) publish: Option<String>,
}

/// Largest number of sections added at the server's request: far above any room we join.
const MAX_ADDED: u32 = 16;

/// Wishes that wait for an offer.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    wishes: VecDeque<Wish>,
}

impl Negotiation {
    /// The server asked for an offer with this many more audio sections.
    pub(super) fn require(&mut self, audio_sections: u32) {
        self.wishes.push_back(Wish::Receive { sections: audio_sections.min(MAX_ADDED) });
    }

    /// A track is to be published.
    pub(super) fn publish(&mut self, cid: String) {
        self.wishes.push_back(Wish::Publish { cid });
    }

    /// The next offer, or `None` if there is nothing to negotiate. `inactive` are our receive sections that the server
    /// left unused.
    pub(super) fn next(&mut self, inactive: Vec<Mid>) -> Option<Plan> {
        let first = self.wishes.pop_front()?;
        let mut plan = Plan { reopen: inactive, ..Plan::default() };
        let mut asked = false;
        for wish in std::iter::once(first).chain(std::mem::take(&mut self.wishes)) {
            match wish {
                Wish::Receive { sections } => {
                    asked = true;
                    plan.add = (plan.add + sections).min(MAX_ADDED);
                }
                Wish::Publish { cid } if plan.publish.is_none() => plan.publish = Some(cid),
                later => self.wishes.push_back(later),
            }
        }
        // An offer must change something, or there is none.
        if asked && plan.add == 0 && plan.reopen.is_empty() && plan.publish.is_none() {
            plan.add = 1;
        }
        Some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_share_an_offer() {
        let mut negotiation = Negotiation::default();
        assert_eq!(negotiation.next(vec![]), None);
        negotiation.require(2);
        negotiation.publish("a".into());
        negotiation.require(1);
        assert_eq!(negotiation.next(vec![]), Some(Plan { reopen: vec![], add: 3, publish: Some("a".into()) }));
        assert_eq!(negotiation.next(vec![]), None);
    }

    #[test]
    fn a_requirement_of_nothing_still_makes_an_offer() {
        let mut negotiation = Negotiation::default();
        negotiation.require(0);
        assert_eq!(negotiation.next(vec![]).map(|plan| plan.add), Some(1));
        negotiation.require(0);
        let idle = Mid::from("abc");
        assert_eq!(negotiation.next(vec![idle]), Some(Plan { reopen: vec![idle], add: 0, publish: None }));
    }

    #[test]
    fn a_hostile_requirement_is_bounded() {
        let mut negotiation = Negotiation::default();
        negotiation.require(u32::MAX);
        negotiation.require(u32::MAX);
        assert_eq!(negotiation.next(vec![]).map(|plan| plan.add), Some(MAX_ADDED));
    }

    #[test]
    fn one_track_per_offer() {
        let mut negotiation = Negotiation::default();
        negotiation.publish("a".into());
        negotiation.publish("b".into());
        assert_eq!(negotiation.next(vec![]).and_then(|plan| plan.publish), Some("a".into()));
        assert_eq!(negotiation.next(vec![]).and_then(|plan| plan.publish), Some("b".into()));
    }
}
