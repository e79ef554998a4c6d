use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let mut conditions = vec![];
    let waiting = || Desired::no(types::READY, reasons::WAITING_FOR_PODS, "0 of 1 pods are ready");
    assert!(set(&mut conditions, waiting(), Some(1), at(100)));
    assert!(!set(&mut conditions, Desired::no(types::READY, reasons::DRAINING, "2 calls left"), Some(2), at(200)));

    let condition = find(&conditions, types::READY).unwrap();
    assert_eq!(condition.last_transition_time, Time(at(100)));
    assert_eq!(condition.observed_generation, Some(2));
    assert_eq!((condition.reason.as_str(), condition.message.as_str()), ("Draining", "2 calls left"));

    assert!(set(&mut conditions, Desired::yes(types::READY, reasons::READY), Some(2), at(300)));
    assert_eq!(find(&conditions, types::READY).unwrap().last_transition_time, Time(at(300)));
    assert_eq!(conditions.len(), 1);
}

#[test]
fn a_condition_of_an_older_generation_says_nothing_about_this_one() {
    let mut conditions = vec![];
    set(&mut conditions, Desired::yes(types::ACCEPTED, reasons::ACCEPTED), Some(1), at(0));
    assert!(is_true(&conditions, types::ACCEPTED));
    assert!(is_true_for(&conditions, types::ACCEPTED, Some(1)));
    assert!(!is_true_for(&conditions, types::ACCEPTED, Some(2)));
    assert!(!is_true(&conditions, types::READY));
}

#[test]
fn a_message_is_cut_to_what_the_api_server_accepts() {
    let mut conditions = vec![];
    set(&mut conditions, Desired::no(types::READY, reasons::INVALID, "ä".repeat(40_000)), None, at(0));
    assert_eq!(conditions[0].message.chars().count(), MAX_MESSAGE);
}
