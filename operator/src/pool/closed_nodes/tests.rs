use super::*;

const UP: Member = Member { on_closed_node: false, is_up: true, gives_way: false };
const STARTING: Member = Member { on_closed_node: false, is_up: false, gives_way: false };
const LEAVING: Member = Member { on_closed_node: true, is_up: true, gives_way: true };

fn view(wanted: i32, has_one_more: bool, members: &[Member]) -> View {
    View { wanted, has_one_more, members: members.to_vec() }
}

fn decided(view: &View) -> (bool, Stage) {
    let decision = decide(view, None);
    (decision.one_more, decision.stage)
}

#[test]
fn a_pod_gives_way_when_another_is_up_and_not_before() {
    assert_eq!(decided(&view(2, false, &[UP, UP])), (false, Stage::Left));
    assert_eq!(decided(&view(2, false, &[UP, LEAVING])), (true, Stage::Substituting));
    assert_eq!(decided(&view(2, true, &[UP, LEAVING])), (true, Stage::Substituting), "it has not been made yet");
    assert_eq!(decided(&view(2, true, &[UP, LEAVING, STARTING])), (true, Stage::Substituting));
    assert_eq!(decided(&view(2, true, &[UP, LEAVING, UP])), (false, Stage::GivingWay));
    assert_eq!(
        decided(&view(2, false, &[UP, LEAVING, UP])),
        (false, Stage::Settling),
        "it has not been told to go yet"
    );
}

#[test]
fn every_pod_elsewhere_must_be_up_because_others_are_given_up_first() {
    assert_eq!(decided(&view(3, true, &[UP, STARTING, LEAVING, UP])), (true, Stage::Substituting));
    assert_eq!(decided(&view(3, true, &[UP, UP, LEAVING, UP])), (false, Stage::GivingWay));
}

#[test]
fn a_mark_that_is_not_seen_yet_does_not_count() {
    let unmarked = Member { gives_way: false, ..LEAVING };
    assert_eq!(decided(&view(1, true, &[unmarked, UP])), (true, Stage::Substituting));
}

#[test]
fn the_next_one_waits_until_the_one_before_is_told_to_go() {
    assert_eq!(decided(&view(2, false, &[LEAVING, LEAVING, UP])), (false, Stage::Settling));
    assert_eq!(decided(&view(2, false, &[LEAVING, UP])), (true, Stage::Substituting));
}

#[test]
fn a_substitute_whose_own_node_is_closed_holds_nothing_up() {
    assert_eq!(decided(&view(1, true, &[LEAVING, LEAVING])), (false, Stage::GivingWay));
    assert_eq!(decided(&view(1, false, &[LEAVING])), (true, Stage::Substituting));
}

#[test]
fn an_opened_node_takes_the_one_more_back() {
    assert_eq!(decided(&view(2, true, &[UP, UP, STARTING])), (false, Stage::Left));
    assert_eq!(decided(&view(0, true, &[LEAVING])), (false, Stage::Left), "a pool that should have none");
}

#[test]
fn a_decision_holds_until_the_deployment_shows_it() {
    let asked = decide(&view(1, false, &[LEAVING]), None);
    let later = decide(&view(1, false, &[LEAVING, STARTING]), Some(&asked));
    assert_eq!((later.one_more, later.stage), (true, Stage::Substituting), "the pod was seen before the Deployment");
    let taken_back = decide(&view(1, true, &[LEAVING, UP]), Some(&later));
    assert_eq!(taken_back.stage, Stage::GivingWay);
    assert_eq!(decide(&view(1, true, &[LEAVING, UP]), Some(&taken_back)), taken_back);
    assert_eq!(decide(&view(1, true, &[UP]), Some(&taken_back)).stage, Stage::Left, "gone already");
}

#[test]
fn without_room_nothing_is_given_up() {
    let decision = decide(&view(1, false, &[LEAVING]), None);
    assert_eq!(decision.with_room(true), decision);
    let refused = decision.with_room(false);
    assert_eq!((refused.one_more, refused.stage), (false, Stage::NoRoom));
    let left = decide(&view(1, false, &[UP]), None);
    assert_eq!(left.with_room(false).stage, Stage::Left);
}
