//! What in LiveKit is not as the last passes left it, and what has no owner any more. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use livekit_protocol::SipDispatchRuleInfo;
use uuid::Uuid;

use super::desired::{Holder, OURS, same_rule};
use super::outbound::plan_outbound;
use super::plan::{Found, TrunkStep, plan, take_blocked};
use super::programmed::Goal;

/// How long an agency must be away before what it left is removed, if its clean-up never ran: somebody may be about to
/// restore the cluster. After a clean-up two looks suffice.
pub const AWAY_FOR: Duration = Duration::from_secs(600);

/// The agencies whose connections are not as their last pass wanted them.
#[must_use]
pub fn drifted(goals: &[Goal], found: &Found) -> Vec<String> {
    goals.iter().filter(|goal| !is_settled(goal, found)).map(|goal| goal.holder.agency.clone()).collect()
}

fn is_settled(goal: &Goal, found: &Found) -> bool {
    let mut wanted = goal.wanted.clone();
    // A number on somebody else's trunk is waited for by the agency's own passes.
    take_blocked(&goal.holder, &mut wanted, found);
    let plan = plan(&goal.holder, &wanted, found);
    let kept = |(carrier, step): &(String, TrunkStep)| match step {
        TrunkStep::Keep { id } => has_rule(&goal.holder, carrier, id, &found.rules),
        TrunkStep::Create(_) | TrunkStep::Replace { .. } => false,
    };
    plan.delete_rules.is_empty()
        && plan.delete_trunks.is_empty()
        && plan.shrink.is_empty()
        && plan.trunks.iter().all(kept)
        && plan_outbound(&goal.holder, &wanted, &found.outbound).is_settled()
}

fn has_rule(holder: &Holder, carrier: &str, trunk: &str, rules: &[SipDispatchRuleInfo]) -> bool {
    let wanted = holder.rule(carrier, trunk);
    rules.iter().find(|rule| rule.name == wanted.name).is_some_and(|rule| same_rule(rule, &wanted))
}

/// Trunks and rules that carry the id of one agency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    /// Ids of its rules.
    pub rules: Vec<String>,
    /// Ids of its trunks, inbound and outbound.
    pub trunks: Vec<String>,
}

/// Everything that carries the id of an agency which is not among `present`.
#[must_use]
pub fn without_owner(found: &Found, present: &BTreeSet<Uuid>) -> BTreeMap<Uuid, Belongings> {
    let mut left: BTreeMap<Uuid, Belongings> = BTreeMap::new();
    for rule in &found.rules {
        if let Some(agency) = owner(&rule.name).filter(|agency| !present.contains(agency)) {
            left.entry(agency).or_default().rules.push(rule.sip_dispatch_rule_id.clone());
        }
    }
    let inbound = found.trunks.iter().map(|trunk| (&trunk.name, &trunk.sip_trunk_id));
    let outbound = found.outbound.iter().map(|trunk| (&trunk.name, &trunk.sip_trunk_id));
    for (name, id) in inbound.chain(outbound) {
        if let Some(agency) = owner(name).filter(|agency| !present.contains(agency)) {
            left.entry(agency).or_default().trunks.push(id.clone());
        }
    }
    left
}

/// The agency in the name of a trunk or rule of ours.
fn owner(name: &str) -> Option<Uuid> {
    name.strip_prefix(OURS)?.strip_prefix('/')?.split_once('/')?.0.parse().ok()
}

/// What the database says about an agency that is not in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing that lets us remove anything: it may belong to another installation that shares this LiveKit.
    Unknown,
    /// It was here, and its clean-up has not run.
    Away,
    /// It was here, and its clean-up is done.
    Deleted,
}

/// Since when agencies have been away, by id.
#[derive(Debug, Default)]
pub struct Absences {
    since: HashMap<Uuid, Instant>,
}

impl Absences {
    /// The agencies among `records` whose belongings may be removed now. Called after every look.
    pub fn over(&mut self, records: &BTreeMap<Uuid, Record>, now: Instant) -> Vec<Uuid> {
        let before = std::mem::take(&mut self.since);
        let mut over = Vec::new();
        for (agency, record) in records.iter().filter(|(_, record)| **record != Record::Unknown) {
            let first_look = !before.contains_key(agency);
            let since = before.get(agency).copied().unwrap_or(now);
            self.since.insert(*agency, since);
            let long_enough = *record == Record::Deleted || now.saturating_duration_since(since) >= AWAY_FOR;
            if !first_look && long_enough {
                over.push(*agency);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::livekit::desired::{Access, Wanted};
    use crate::livekit::outbound::{Calling, Exit, outbound_trunk};
    use livekit_protocol::{SipInboundTrunkInfo, SipOutboundTrunkInfo};
    use voxplane_telephony::outbound::{MediaEncryption, OutboundSettings, Transport};
    use voxplane_telephony::{CarrierKind, E164, OutboundTrunk, SipCarrier};

    const AGENCY: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_dead_beef);

    fn goal(numbers: &[&str]) -> Goal {
        let sip = SipCarrier::new(&["203.0.113.0/24".to_owned()], None, 20).unwrap();
        let numbers: BTreeSet<E164> = numbers.iter().map(|number| E164::parse(number).unwrap()).collect();
        let settings = OutboundSettings {
            address: None,
            transport: Transport::Udp,
            media_encryption: MediaEncryption::Disabled,
            login: None,
            headers: BTreeMap::new(),
        };
        let exit = Exit::Known(OutboundTrunk::new(CarrierKind::Telnyx, settings).unwrap());
        let outbound = Some(Calling { exit, caller_ids: numbers.clone() });
        let wanted = Wanted { carrier: "main".to_owned(), access: Access::Known(sip), numbers, outbound };
        Goal { holder: Holder { agency_id: AGENCY, agency: "brightline".to_owned() }, wanted: vec![wanted] }
    }

    fn as_wanted(goal: &Goal) -> Found {
        let trunk = goal.holder.trunk(&goal.wanted[0], None).unwrap();
        let calling = goal.wanted[0].outbound.as_ref().unwrap();
        let outbound = outbound_trunk(&goal.holder, "main", calling, None).unwrap();
        Found {
            trunks: vec![SipInboundTrunkInfo { sip_trunk_id: "ST_1".to_owned(), ..trunk }],
            rules: vec![SipDispatchRuleInfo {
                sip_dispatch_rule_id: "SDR_1".to_owned(),
                ..goal.holder.rule("main", "ST_1")
            }],
            outbound: vec![SipOutboundTrunkInfo { sip_trunk_id: "ST_out".to_owned(), ..outbound }],
        }
    }

    #[test]
    fn every_difference_is_drift_and_nothing_else_is() {
        let goal = goal(&["+15550100"]);
        let good = as_wanted(&goal);
        let is_drift = |change: &dyn Fn(&mut Found)| {
            let mut found = good.clone();
            change(&mut found);
            !drifted(std::slice::from_ref(&goal), &found).is_empty()
        };
        assert!(!is_drift(&|_| {}));
        assert!(!is_drift(&|found| found.trunks.push(SipInboundTrunkInfo::default())), "a stranger's trunk");
        assert!(is_drift(&|found| found.trunks[0].numbers = vec!["+15550199".to_owned()]));
        assert!(is_drift(&|found| found.trunks[0].allowed_addresses.clear()));
        assert!(is_drift(&|found| found.trunks.clear()));
        assert!(is_drift(&|found| found.rules.clear()));
        assert!(is_drift(&|found| found.rules[0].room_config = None));
        assert!(is_drift(&|found| found.rules[0].trunk_ids = vec!["ST_2".to_owned()]));
        assert!(is_drift(&|found| found.trunks.push(found.trunks[0].clone())), "a second trunk of the same name");
        assert!(!is_drift(&|found| found.outbound.push(SipOutboundTrunkInfo::default())), "a stranger's trunk");
        assert!(is_drift(&|found| found.outbound.clear()));
        assert!(is_drift(&|found| found.outbound[0].address = "elsewhere.example.com".to_owned()));
        assert!(is_drift(&|found| found.outbound[0].numbers.push("+15550199".to_owned())));
    }

    #[test]
    fn only_agencies_that_are_not_here_leave_something() {
        let found = as_wanted(&goal(&["+15550100"]));
        assert!(without_owner(&found, &BTreeSet::from([AGENCY])).is_empty());
        let left = without_owner(&found, &BTreeSet::new());
        let all = Belongings { rules: vec!["SDR_1".to_owned()], trunks: vec!["ST_1".to_owned(), "ST_out".to_owned()] };
        assert_eq!(left, BTreeMap::from([(AGENCY, all)]));
        for name in ["main", "voxplane-strangers", "voxplane/somebody/main", "other/00000000/main"] {
            assert_eq!(owner(name), None, "{name}");
        }
    }

    #[test]
    fn what_a_deleted_agency_left_goes_at_the_second_look_and_what_another_left_after_a_while() {
        let mut absences = Absences::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (deleted, away, foreign) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let records = BTreeMap::from([(deleted, Record::Deleted), (away, Record::Away), (foreign, Record::Unknown)]);
        assert!(absences.over(&records, at(0)).is_empty());
        assert_eq!(absences.over(&records, at(20)), [deleted]);
        assert_eq!(absences.over(&records, at(599)), [deleted]);
        assert_eq!(absences.over(&records, at(600)), [deleted, away]);
        // It came back in between: the clock starts again.
        assert!(absences.over(&BTreeMap::new(), at(620)).is_empty());
        assert!(absences.over(&records, at(640)).is_empty());
        assert_eq!(absences.over(&records, at(660)), [deleted]);
    }
}
