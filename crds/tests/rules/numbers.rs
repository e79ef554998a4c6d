//! Telephone numbers.

use serde_json::{Value, json};
use voxplane_crds::PhoneNumber;

use super::{object, refused};

#[test]
fn a_number_is_not_its_own_fallback() {
    let number = |fallback: &str| json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}, "fallbackNumber": fallback});
    assert_eq!(verdict!(PhoneNumber, "main", number("+15550199")), "");
    refused(&verdict!(PhoneNumber, "main", number("+15550100")), "cannot be its own `fallbackNumber`");
}

#[test]
fn a_number_is_named_or_looked_for() {
    let spec = |more: Value| {
        let mut spec = json!({"carrier": "c", "agentRef": {"name": "a"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    assert_eq!(verdict!(PhoneNumber, "main", spec(json!({"number": "+15550100"}))), "");
    assert_eq!(verdict!(PhoneNumber, "main", spec(json!({"search": {}}))), "");
    let search = json!({"search": {"country": "US", "areaCode": "404", "contains": "77", "region": "GA"}});
    assert_eq!(verdict!(PhoneNumber, "main", spec(search)), "");
    let both = json!({"number": "+15550100", "search": {}});
    for neither_or_both in [json!({}), both] {
        refused(&verdict!(PhoneNumber, "main", spec(neither_or_both)), "give either `number`");
    }
}

#[test]
fn what_was_looked_for_never_changes() {
    let number = |wanted: Value, carrier: &str| -> PhoneNumber {
        let mut spec = wanted;
        spec["carrier"] = carrier.into();
        spec["agentRef"] = json!({"name": "a"});
        serde_json::from_value(object("PhoneNumber", "main", &spec)).unwrap()
    };
    let (atlanta, boston) = (json!({"search": {"areaCode": "404"}}), json!({"search": {"areaCode": "617"}}));
    let old = number(atlanta.clone(), "c");
    assert!(number(atlanta.clone(), "c").validate_cel_update(&old).is_ok());
    let said = |new: PhoneNumber| new.validate_cel_update(&old).unwrap_err().to_string();
    refused(&said(number(boston, "c")), "`search` cannot be changed");
    refused(&said(number(atlanta, "other")), "`carrier` cannot be changed");
    let named = said(number(json!({"number": "+15550100"}), "c"));
    refused(&named, "`number` cannot be changed");
    refused(&named, "`search` cannot be changed");
}

#[test]
fn a_number_never_changes_and_what_answers_may() {
    let number = |number: &str, agent: &str| -> PhoneNumber {
        let spec = json!({"number": number, "carrier": "c", "agentRef": {"name": agent}});
        serde_json::from_value(object("PhoneNumber", "main", &spec)).unwrap()
    };
    let old = number("+15550100", "day");
    assert!(number("+15550100", "night").validate_cel_update(&old).is_ok());
    let errors = number("+15550101", "day").validate_cel_update(&old).unwrap_err();
    refused(&errors.to_string(), "`number` cannot be changed");
}

#[test]
fn one_agent_answers_or_a_squad() {
    let number = |routing: Value| {
        let mut spec = json!({"number": "+15550100", "carrier": "c"});
        spec.as_object_mut().unwrap().extend(routing.as_object().unwrap().clone());
        verdict!(PhoneNumber, "main", spec)
    };
    let squad = |squad: Value| number(json!({"squad": squad}));
    assert_eq!(squad(json!({"agents": [{"name": "a"}, {"name": "b"}]})), "");
    assert_eq!(squad(json!({"routing": "Priority", "agents": [{"name": "a"}]})), "");
    assert_eq!(squad(json!({"routing": "Weighted", "agents": [{"name": "a", "weight": 3}, {"name": "b"}]})), "");
    let both = json!({"agentRef": {"name": "a"}, "squad": {"agents": [{"name": "a"}]}});
    for neither_or_both in [json!({}), both] {
        refused(&number(neither_or_both), "give either `agentRef`");
    }
    for routing in ["RoundRobin", "Priority"] {
        let weighted = json!({"routing": routing, "agents": [{"name": "a", "weight": 3}]});
        refused(&squad(weighted), "only with `routing: Weighted`");
    }
}

#[test]
fn an_entry_of_a_schedule_says_when() {
    let number = |entry: Value| {
        let mut entry = entry;
        entry["name"] = "night".into();
        entry["agentRef"] = json!({"name": "b"});
        let spec = json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}, "schedule": [entry]});
        verdict!(PhoneNumber, "main", spec)
    };
    let night = json!([{"from": "20:00", "to": "06:00", "nextDay": true}]);
    assert_eq!(number(json!({"weekly": [{"day": "Monday", "ranges": night}]})), "");
    assert_eq!(number(json!({"dates": [{"date": "2026-12-25", "ranges": night}]})), "");
    for empty in [json!({}), json!({"weekly": [], "dates": []})] {
        refused(&number(empty), "never counts");
    }
    let backwards = json!([{"from": "20:00", "to": "06:00"}]);
    refused(&number(json!({"weekly": [{"day": "Monday", "ranges": backwards}]})), "a range ends after it begins");
}
