//! Plans for the cases in which LiveKit would refuse, or would let a stranger in.

use std::collections::BTreeSet;

use livekit_protocol::{SipDispatchRuleInfo, SipInboundTrunkInfo};
use uuid::Uuid;
use voxplane_telephony::{E164, SipCarrier, SipLogin};

use super::desired::{Access, Holder, Wanted, same_rule, same_trunk, strangers_rule};
use super::plan::{Found, TrunkStep, plan, take_blocked};

fn holder() -> Holder {
    Holder { agency_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_dead_beef), agency: "brightline".to_owned() }
}

fn sip(login: Option<SipLogin>) -> SipCarrier {
    SipCarrier::new(&["203.0.113.0/24".to_owned()], login, 20).unwrap()
}

fn wanted(carrier: &str, numbers: &[&str]) -> Wanted {
    Wanted {
        carrier: carrier.to_owned(),
        access: Access::Known(sip(None)),
        numbers: numbers.iter().map(|number| E164::parse(number).unwrap()).collect(),
        outbound: None,
    }
}

fn trunk(wanted: &Wanted) -> SipInboundTrunkInfo {
    holder().trunk(wanted, None).unwrap()
}

fn existing(id: &str, wanted: &Wanted) -> SipInboundTrunkInfo {
    SipInboundTrunkInfo { sip_trunk_id: id.to_owned(), ..trunk(wanted) }
}

fn rule(id: &str, carrier: &str, trunk: &str) -> SipDispatchRuleInfo {
    SipDispatchRuleInfo { sip_dispatch_rule_id: id.to_owned(), ..holder().rule(carrier, trunk) }
}

#[test]
fn rooms_carry_the_random_part_of_the_agency_id() {
    assert_eq!(holder().room_prefix(), "vx-deadbeef");
}

#[test]
fn a_connection_without_numbers_has_no_trunk_because_it_would_take_every_call() {
    let empty = wanted("main", &[]);
    let found = Found {
        trunks: vec![existing("ST_1", &wanted("main", &["+15550100"]))],
        rules: vec![rule("SDR_1", "main", "ST_1")],
        ..Found::default()
    };
    let steps = plan(&holder(), &[empty], &found);
    assert_eq!(steps.delete_rules, ["SDR_1"]);
    assert_eq!(steps.delete_trunks, ["ST_1"]);
    assert!(steps.trunks.is_empty() && steps.shrink.is_empty());
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let main = wanted("main", &["+15550100", "+15550101"]);
    let mut trunk = existing("ST_1", &main);
    trunk.numbers.reverse();
    let steps = plan(
        &holder(),
        &[main],
        &Found { trunks: vec![trunk], rules: vec![rule("SDR_1", "main", "ST_1")], ..Found::default() },
    );
    assert_eq!(steps.trunks, [("main".to_owned(), TrunkStep::Keep { id: "ST_1".to_owned() })]);
    assert!(steps.delete_rules.is_empty() && steps.delete_trunks.is_empty());
}

#[test]
fn a_number_leaves_its_old_trunk_before_it_joins_the_new_one() {
    let before = [wanted("a", &["+15550100", "+15550101"]), wanted("b", &["+15550200"])];
    let found = Found { trunks: vec![existing("ST_a", &before[0]), existing("ST_b", &before[1])], ..Found::default() };
    let after = [wanted("a", &["+15550100"]), wanted("b", &["+15550101", "+15550200"])];
    let steps = plan(&holder(), &after, &found);
    let shrunk: Vec<_> = steps.shrink.iter().map(|(id, trunk)| (id.as_str(), trunk.numbers.clone())).collect();
    assert_eq!(shrunk, [("ST_a", vec!["+15550100".to_owned()])]);
    assert!(matches!(&steps.trunks[1].1, TrunkStep::Replace { id, trunk } if id == "ST_b" && trunk.numbers.len() == 2));
}

#[test]
fn two_trunks_can_swap_their_numbers_and_none_is_ever_without() {
    let before = [wanted("a", &["+15550100"]), wanted("b", &["+15550200"])];
    let found = Found { trunks: vec![existing("ST_a", &before[0]), existing("ST_b", &before[1])], ..Found::default() };
    let after = [wanted("a", &["+15550200"]), wanted("b", &["+15550100"])];
    let steps = plan(&holder(), &after, &found);
    assert!(steps.shrink.is_empty());
    assert_eq!(steps.delete_trunks, ["ST_a", "ST_b"]);
    assert!(steps.trunks.iter().all(|(_, step)| matches!(step, TrunkStep::Create(_))), "{:?}", steps.trunks);
}

#[test]
fn a_trunk_whose_numbers_were_all_replaced_is_replaced_in_one_step() {
    let found = Found { trunks: vec![existing("ST_a", &wanted("a", &["+15550100"]))], ..Found::default() };
    let steps = plan(&holder(), &[wanted("a", &["+15550999"])], &found);
    assert!(steps.shrink.is_empty() && steps.delete_trunks.is_empty());
    assert!(matches!(&steps.trunks[0].1, TrunkStep::Replace { .. }));
}

#[test]
fn objects_of_others_are_not_touched_and_duplicates_and_leftovers_go() {
    let main = wanted("main", &["+15550100"]);
    let other = Holder { agency_id: Uuid::from_u128(7), agency: "other".to_owned() };
    let foreign = SipInboundTrunkInfo { sip_trunk_id: "ST_x".to_owned(), ..other.trunk(&main, None).unwrap() };
    let by_hand =
        SipInboundTrunkInfo { sip_trunk_id: "ST_h".to_owned(), name: "main".to_owned(), ..Default::default() };
    let found = Found {
        trunks: vec![
            foreign,
            by_hand,
            existing("ST_1", &main),
            existing("ST_2", &main),
            existing("ST_3", &wanted("gone", &["+15550300"])),
        ],
        rules: vec![rule("SDR_1", "main", "ST_1"), rule("SDR_2", "main", "ST_2"), rule("SDR_3", "gone", "ST_3")],
        ..Found::default()
    };
    let steps = plan(&holder(), &[main], &found);
    assert_eq!(steps.delete_trunks, ["ST_2", "ST_3"]);
    assert_eq!(steps.delete_rules, ["SDR_2", "SDR_3"]);
    assert_eq!(steps.trunks, [("main".to_owned(), TrunkStep::Keep { id: "ST_1".to_owned() })]);
}

#[test]
fn without_its_secret_a_connection_keeps_its_access_and_still_gives_up_numbers() {
    let before = wanted("main", &["+15550100", "+15550101"]);
    let found = Found { trunks: vec![existing("ST_1", &before)], ..Found::default() };
    let unknown = Wanted { access: Access::AsFound, ..wanted("main", &["+15550100"]) };
    let steps = plan(&holder(), std::slice::from_ref(&unknown), &found);
    let TrunkStep::Replace { trunk, .. } = &steps.trunks[0].1 else { panic!("{:?}", steps.trunks) };
    assert_eq!(trunk.numbers, ["+15550100"]);
    assert_eq!(trunk.allowed_addresses, ["203.0.113.0/24"]);
    assert!(plan(&holder(), &[unknown], &Found::default()).trunks.is_empty());
}

#[test]
fn a_number_on_somebody_elses_trunk_holds_up_no_other_number() {
    let mut connections = [wanted("main", &["+15550100", "+15550101"])];
    let other = Holder { agency_id: Uuid::from_u128(7), agency: "other".to_owned() };
    let by_hand = SipInboundTrunkInfo {
        name: "by hand".to_owned(),
        numbers: vec!["15550101".to_owned()],
        ..SipInboundTrunkInfo::default()
    };
    let theirs = other.trunk(&wanted("main", &["+15550102"]), None).unwrap();
    let ours = existing("ST_1", &wanted("main", &["+15550100"]));
    let found = Found { trunks: vec![by_hand, theirs, ours], ..Found::default() };
    let blocked = take_blocked(&holder(), &mut connections, &found);
    assert_eq!(blocked["main"], BTreeSet::from([E164::parse("+15550101").unwrap()]));
    assert_eq!(connections[0].numbers, BTreeSet::from([E164::parse("+15550100").unwrap()]));
}

#[test]
fn drift_is_seen() {
    let main = wanted("main", &["+15550100"]);
    let good = trunk(&main);
    let open = SipInboundTrunkInfo { allowed_addresses: Vec::new(), ..good.clone() };
    let login = SipLogin { username: "u".to_owned(), password: "p".into() };
    let with_login = trunk(&Wanted { access: Access::Known(sip(Some(login))), ..main });
    assert!(same_trunk(&good, &good));
    assert!(!same_trunk(&open, &good));
    assert!(!same_trunk(&good, &with_login));

    let good = holder().rule("main", "ST_1");
    let mut unattended = good.clone();
    unattended.room_config = None;
    assert!(same_rule(&good, &good));
    assert!(!same_rule(&unattended, &good));
    assert!(!same_rule(&SipDispatchRuleInfo { trunk_ids: Vec::new(), ..good.clone() }, &good));
}

#[test]
fn the_rule_for_strangers_names_no_trunk_and_is_recognisable() {
    let rule = strangers_rule();
    assert!(rule.trunk_ids.is_empty());
    assert_eq!(rule.attributes.get("voxplane.stranger").map(String::as_str), Some("true"));
    let names: BTreeSet<_> =
        rule.room_config.iter().flat_map(|room| &room.agents).map(|agent| &agent.agent_name).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["voxplane"]);
}
