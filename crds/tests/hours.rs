//! When a tenant is open: the week, nights, holidays, and clocks that are changed.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use voxplane_crds::hours::{BadHours, Moment, Schedule};
use voxplane_crds::tenant::BusinessHours;

fn schedule(hours: Value, zone: &str) -> Result<Schedule, BadHours> {
    Schedule::new(&serde_json::from_value::<BusinessHours>(hours).unwrap(), zone)
}

fn at(schedule: &Schedule, when: &str) -> Moment {
    schedule.at(when.parse::<Timestamp>().unwrap())
}

#[track_caller]
fn says(schedule: &Schedule, when: &str, open: bool, rule: &str, local: &str) {
    assert_eq!(at(schedule, when), Moment { open, rule: rule.to_owned(), local: local.to_owned() }, "at {when}");
}

fn clinic() -> Value {
    json!({
        "weekly": [
            {"day": "Monday", "ranges": [{"from": "14:00", "to": "18:00"}, {"from": "09:00", "to": "12:30"}]},
            {"day": "Friday", "ranges": [{"from": "22:00", "to": "02:00", "nextDay": true}]},
            {"day": "Sunday"},
        ],
        "dates": [
            {"date": "2026-12-25", "name": "Christmas Day"},
            {"date": "2026-12-26", "ranges": [{"from": "10:00", "to": "24:00"}]},
        ],
    })
}

#[test]
fn the_first_minute_is_open_and_the_last_one_is_not() {
    let clinic = schedule(clinic(), "America/New_York").unwrap();
    // Monday, 23 November 2026; New York is five hours behind.
    says(&clinic, "2026-11-23T13:59:59Z", false, "weekly Monday", "2026-11-23 08:59");
    says(&clinic, "2026-11-23T14:00:00Z", true, "weekly Monday 09:00-12:30", "2026-11-23 09:00");
    says(&clinic, "2026-11-23T17:30:00Z", false, "weekly Monday", "2026-11-23 12:30");
    says(&clinic, "2026-11-23T22:59:59Z", true, "weekly Monday 14:00-18:00", "2026-11-23 17:59");
    says(&clinic, "2026-11-24T15:00:00Z", false, "weekly Tuesday", "2026-11-24 10:00");
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let clinic = schedule(clinic(), "UTC").unwrap();
    says(&clinic, "2026-11-28T01:59:00Z", true, "weekly Friday 22:00-02:00", "2026-11-28 01:59");
    says(&clinic, "2026-11-28T02:00:00Z", false, "weekly Saturday", "2026-11-28 02:00");
    // Christmas Day is a Friday: its night does not begin.
    says(&clinic, "2026-12-25T23:00:00Z", false, "dates 2026-12-25 (Christmas Day)", "2026-12-25 23:00");
    says(&clinic, "2026-12-26T01:00:00Z", false, "dates 2026-12-26", "2026-12-26 01:00");
    says(&clinic, "2026-12-26T23:59:00Z", true, "dates 2026-12-26 10:00-24:00", "2026-12-26 23:59");
    // A night that began on an ordinary day ends as usual, even into a holiday.
    let eve = json!({"weekly": [{"day": "Thursday", "ranges": [{"from": "20:00", "to": "03:00", "nextDay": true}]}],
                     "dates": [{"date": "2026-12-25"}]});
    let eve = schedule(eve, "UTC").unwrap();
    says(&eve, "2026-12-25T02:00:00Z", true, "weekly Thursday 20:00-03:00", "2026-12-25 02:00");
}

#[test]
fn the_clock_on_the_wall_decides_when_clocks_are_changed() {
    let night = json!({"weekly": [{"day": "Sunday", "ranges": [{"from": "01:30", "to": "02:30"}]}]});
    let berlin = schedule(night, "Europe/Berlin").unwrap();
    let rule = "weekly Sunday 01:30-02:30";
    // 29 March 2026, from 02:00 to 03:00: half an hour is left.
    says(&berlin, "2026-03-29T00:30:00Z", true, rule, "2026-03-29 01:30");
    says(&berlin, "2026-03-29T01:00:00Z", false, "weekly Sunday", "2026-03-29 03:00");
    // 25 October 2026, from 03:00 back to 02:00: 02:00 to 02:30 comes twice.
    says(&berlin, "2026-10-25T00:29:00Z", true, rule, "2026-10-25 02:29");
    says(&berlin, "2026-10-25T00:30:00Z", false, "weekly Sunday", "2026-10-25 02:30");
    says(&berlin, "2026-10-25T01:00:00Z", true, rule, "2026-10-25 02:00");
    says(&berlin, "2026-10-25T01:30:00Z", false, "weekly Sunday", "2026-10-25 02:30");
    // The same time of day is another instant in summer.
    let day = json!({"weekly": [{"day": "Monday", "ranges": [{"from": "09:00", "to": "17:00"}]}]});
    let new_york = schedule(day, "America/New_York").unwrap();
    assert!(!at(&new_york, "2026-03-02T13:30:00Z").open && at(&new_york, "2026-03-09T13:30:00Z").open);
}

#[test]
fn what_makes_no_sense_is_named() {
    let refused = |hours: Value, zone: &str| schedule(hours, zone).unwrap_err().to_string();
    let day = |ranges: Value| json!({"weekly": [{"day": "Monday", "ranges": ranges}]});
    assert_eq!(
        refused(json!({}), "Europe/Berln"),
        "spec.timezone: there is no time zone \"Europe/Berln\": use a name of the IANA database, for example Europe/Berlin"
    );
    let backwards = refused(day(json!([{"from": "09:00", "to": "05:00"}])), "UTC");
    let words = "spec.businessHours.weekly[Monday].ranges: 09:00-05:00 ends before it begins: write afternoon times as";
    assert!(backwards.starts_with(words), "{backwards}");
    let overlapping = day(json!([{"from": "12:00", "to": "15:00"}, {"from": "09:00", "to": "13:00"}]));
    let words = "spec.businessHours.weekly[Monday].ranges: 09:00-13:00 and 12:00-15:00 overlap: make them one range";
    assert_eq!(refused(overlapping, "UTC"), words);
    let nightly = json!({"weekly": [
        {"day": "Sunday", "ranges": [{"from": "20:00", "to": "04:00", "nextDay": true}]},
        {"day": "Monday", "ranges": [{"from": "03:00", "to": "12:00"}]},
    ]});
    let words = "spec.businessHours.weekly[Monday]: its range 03:00-12:00 overlaps the night of Sunday, 20:00-04:00: \
                 shorten one of them";
    assert_eq!(refused(nightly, "UTC"), words);
    let words = "spec.businessHours.dates[2026-02-30]: there is no such date";
    assert!(refused(json!({"dates": [{"date": "2026-02-30"}]}), "UTC").starts_with(words));
    let day_and_more = day(json!([{"from": "09:00", "to": "10:00", "nextDay": true}]));
    assert!(refused(day_and_more, "UTC").contains("at most a day long"));
}

proptest! {
    /// Two ranges that do not touch, on every day and in any zone: open exactly when the wall's clock is inside one.
    #[test]
    fn open_is_inside_a_range_by_the_clock_on_the_wall(
        bounds in prop::collection::btree_set(0_u16..1440, 4),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        seconds in 1_767_225_600_i64..1_830_297_600,
    ) {
        let bounds: Vec<u16> = bounds.into_iter().collect();
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let ranges = json!([{"from": time(bounds[0]), "to": time(bounds[1])}, {"from": time(bounds[2]), "to": time(bounds[3])}]);
        let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let weekly: Vec<_> = days.iter().map(|day| json!({"day": day, "ranges": ranges})).collect();
        let found = schedule(json!({"weekly": weekly}), zone).unwrap().at(Timestamp::from_second(seconds).unwrap());
        let wall: Vec<u16> = found.local[11..].split(':').map(|part| part.parse().unwrap()).collect();
        let minute = wall[0] * 60 + wall[1];
        let inside = (bounds[0]..bounds[1]).contains(&minute) || (bounds[2]..bounds[3]).contains(&minute);
        prop_assert_eq!(found.open, inside);
    }
}
