//! What must change in LiveKit for an agency. Pure: from what is wanted and what was found to a list of steps.

use std::collections::{BTreeMap, BTreeSet};

use livekit_protocol::{SipDispatchRuleInfo, SipInboundTrunkInfo, SipOutboundTrunkInfo};
use voxplane_telephony::E164;

use super::desired::{Holder, Wanted, same_trunk};

/// What was found in LiveKit.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// All inbound trunks, ours or not.
    pub trunks: Vec<SipInboundTrunkInfo>,
    /// All dispatch rules, ours or not.
    pub rules: Vec<SipDispatchRuleInfo>,
    /// All outbound trunks, ours or not.
    pub outbound: Vec<SipOutboundTrunkInfo>,
}

/// Takes the numbers out of `wanted` that are on a trunk of somebody else (made by hand, or of another agency that is
/// about to give them up): LiveKit would refuse the whole change for one of them. Returns them by connection.
pub fn take_blocked(holder: &Holder, wanted: &mut [Wanted], found: &Found) -> BTreeMap<String, BTreeSet<E164>> {
    let prefix = holder.prefix();
    let elsewhere: BTreeSet<E164> = found
        .trunks
        .iter()
        .filter(|trunk| !trunk.name.starts_with(&prefix))
        .flat_map(|trunk| &trunk.numbers)
        .filter_map(|number| E164::parse(number).or_else(|_| E164::parse(&format!("+{number}"))).ok())
        .collect();
    let mut blocked = BTreeMap::new();
    for connection in wanted {
        let taken: BTreeSet<E164> = connection.numbers.intersection(&elsewhere).cloned().collect();
        if !taken.is_empty() {
            connection.numbers.retain(|number| !taken.contains(number));
            blocked.insert(connection.carrier.clone(), taken);
        }
    }
    blocked
}

/// What happens to a connection's trunk.
#[derive(Clone, Debug, PartialEq)]
pub enum TrunkStep {
    /// It is as it should be.
    Keep {
        /// Its id.
        id: String,
    },
    /// There is none.
    Create(Box<SipInboundTrunkInfo>),
    /// It differs.
    Replace {
        /// Its id.
        id: String,
        /// As it should be.
        trunk: Box<SipInboundTrunkInfo>,
    },
}

/// The steps for one agency, to be carried out in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Rules to delete: of connections that are gone or have no numbers, and duplicates.
    pub delete_rules: Vec<String>,
    /// Trunks to delete, likewise.
    pub delete_trunks: Vec<String>,
    /// Trunks that give numbers away. First, because LiveKit refuses a number that another trunk still has.
    pub shrink: Vec<(String, Box<SipInboundTrunkInfo>)>,
    /// Per connection with numbers: its trunk. Its rule follows when the trunk's id is known.
    pub trunks: Vec<(String, TrunkStep)>,
}

/// The steps that make LiveKit be as `wanted` for the agency `holder`.
#[must_use]
pub fn plan(holder: &Holder, wanted: &[Wanted], found: &Found) -> Plan {
    let mut plan = Plan::default();
    let prefix = holder.prefix();
    let with_numbers: Vec<&Wanted> = wanted.iter().filter(|connection| !connection.numbers.is_empty()).collect();
    let named = |name: &str| with_numbers.iter().find(|connection| holder.name(&connection.carrier) == name).copied();

    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for rule in found.rules.iter().filter(|rule| rule.name.starts_with(&prefix)) {
        if named(&rule.name).is_none() || !kept.insert(&rule.name) {
            plan.delete_rules.push(rule.sip_dispatch_rule_id.clone());
        }
    }
    kept.clear();
    let mut recreated: BTreeSet<&str> = BTreeSet::new();
    for trunk in found.trunks.iter().filter(|trunk| trunk.name.starts_with(&prefix)) {
        let id = trunk.sip_trunk_id.clone();
        let connection = named(&trunk.name).filter(|_| kept.insert(&trunk.name));
        match connection.map(|connection| give_away(trunk, connection, wanted)) {
            Some(Giving::Nothing) => {}
            Some(Giving::Some(smaller)) => plan.shrink.push((id, smaller)),
            Some(Giving::All) => {
                recreated.insert(&trunk.name);
                plan.delete_trunks.push(id);
            }
            None => plan.delete_trunks.push(id),
        }
    }
    for connection in with_numbers {
        let name = holder.name(&connection.carrier);
        let existing = found.trunks.iter().find(|found| found.name == name);
        let Some(trunk) = holder.trunk(connection, existing) else { continue };
        let step = match existing.filter(|found| !recreated.contains(found.name.as_str())) {
            None => TrunkStep::Create(Box::new(trunk)),
            Some(found) if same_trunk(found, &trunk) => TrunkStep::Keep { id: found.sip_trunk_id.clone() },
            Some(found) => TrunkStep::Replace { id: found.sip_trunk_id.clone(), trunk: Box::new(trunk) },
        };
        plan.trunks.push((connection.carrier.clone(), step));
    }
    plan
}

enum Giving {
    Nothing,
    Some(Box<SipInboundTrunkInfo>),
    All,
}

/// What a trunk gives away to other connections before they are worked on. A trunk without numbers would take every
/// stranger's call, so one that gives all of them away is deleted and made again.
fn give_away(trunk: &SipInboundTrunkInfo, to_be: &Wanted, all: &[Wanted]) -> Giving {
    let elsewhere = |number: &String| {
        let others = all.iter().filter(|other| other.carrier != to_be.carrier);
        others.flat_map(|other| &other.numbers).any(|other| other.as_str() == number)
    };
    let (give, keep): (Vec<_>, Vec<_>) = trunk.numbers.iter().cloned().partition(elsewhere);
    match (give.is_empty(), keep.is_empty()) {
        (true, _) => Giving::Nothing,
        (false, true) => Giving::All,
        (false, false) => Giving::Some(Box::new(SipInboundTrunkInfo { numbers: keep, ..trunk.clone() })),
    }
}
