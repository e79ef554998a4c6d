//! Carrier connections of an agency.

use serde_json::{Value, json};
use voxplane_crds::Agency;

use super::{object, refused};

fn carrier(sip: &Value) -> Value {
    json!({"carriers": [{"name": "c", "type": "sip", "sip": sip}]})
}

#[test]
fn a_carrier_says_who_may_call() {
    for good in [
        json!({"allowedAddresses": ["203.0.113.7"]}),
        json!({"allowedAddresses": ["203.0.113.0/24", "2001:db8::/32"]}),
        json!({"authSecretRef": {"name": "trunk"}}),
    ] {
        assert_eq!(verdict!(Agency, "a", carrier(&good)), "", "{good}");
    }
    refused(&verdict!(Agency, "a", carrier(&json!({}))), "without `allowedAddresses` or `authSecretRef`");
    refused(&verdict!(Agency, "a", carrier(&json!({"allowedAddresses": []}))), "without `allowedAddresses`");
    refused(&verdict!(Agency, "a", carrier(&json!({"allowedAddresses": ["sip.example.com"]}))), "is an IP address");
    for everyone in ["0.0.0.0/0", "::/0"] {
        refused(&verdict!(Agency, "a", carrier(&json!({"allowedAddresses": [everyone]}))), "the whole Internet");
    }
    refused(&verdict!(Agency, "a", json!({"carriers": [{"name": "c", "type": "sip"}]})), "needs the block `sip`");
}

fn account(type_: &str, block: &Value) -> Value {
    json!({"carriers": [{"name": "c", "type": type_, type_: block}]})
}

fn twilio() -> Value {
    let (account, trunk) = (format!("AC{}", "0".repeat(32)), format!("TK{}", "0".repeat(32)));
    json!({"secretRef": {"name": "twilio"}, "accountSid": account, "trunkSid": trunk})
}

fn telnyx() -> Value {
    json!({"secretRef": {"name": "telnyx"}, "connectionId": "1293384261075731499"})
}

fn goto_connect() -> Value {
    json!({
        "secretRef": {"name": "goto"}, "accountKey": "4266846632996939781",
        "extensionId": "744244a8-d866-45cf-9c6f-8585b1e7e064", "allowedAddresses": ["203.0.113.7"],
    })
}

#[test]
fn an_account_has_the_block_of_its_carrier_and_no_other() {
    assert_eq!(verdict!(Agency, "a", account("twilio", &twilio())), "");
    assert_eq!(verdict!(Agency, "a", account("telnyx", &telnyx())), "");
    assert_eq!(verdict!(Agency, "a", account("gotoConnect", &goto_connect())), "");
    for (type_, block) in [("twilio", twilio()), ("telnyx", telnyx()), ("gotoConnect", goto_connect())] {
        let without = json!({"carriers": [{"name": "c", "type": type_}]});
        refused(&verdict!(Agency, "a", without), &format!("needs the block `{type_}`"));
        let mut other = account("sip", &json!({"allowedAddresses": ["203.0.113.7"]}));
        other["carriers"][0][type_] = block;
        refused(&verdict!(Agency, "a", other), "and only that type may have it");
    }
    let mut open = telnyx();
    open["allowedAddresses"] = json!(["0.0.0.0/0"]);
    refused(&verdict!(Agency, "a", account("telnyx", &open)), "the whole Internet");
    open["allowedAddresses"] = json!(["sip.example.com"]);
    refused(&verdict!(Agency, "a", account("telnyx", &open)), "is an IP address");
    let mut open = goto_connect();
    open["allowedAddresses"] = json!(["203.0.113.7", "::/0"]);
    refused(&verdict!(Agency, "a", account("gotoConnect", &open)), "the whole Internet");
    open["allowedAddresses"] = json!(["sip.example.com"]);
    refused(&verdict!(Agency, "a", account("gotoConnect", &open)), "is an IP address");
}

#[test]
fn calls_are_placed_to_where_the_agency_says_and_nowhere_by_default() {
    let with = |type_: &str, block: Value, more: Value| {
        let mut agency = account(type_, &block);
        agency["carriers"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        agency
    };
    let sip = || json!({"allowedAddresses": ["203.0.113.7"]});
    let to = |outbound: Value| json!({"outbound": outbound, "allowedDestinations": ["+49*", "+15550100"]});
    let host = json!({"address": "sip.example.com:5080", "transport": "TLS", "mediaEncryption": "Required"});
    assert_eq!(verdict!(Agency, "a", with("sip", sip(), to(host.clone()))), "");
    assert_eq!(verdict!(Agency, "a", with("telnyx", telnyx(), to(json!({})))), "", "its host is known");
    for (type_, block) in [("sip", sip()), ("twilio", twilio()), ("gotoConnect", goto_connect())] {
        refused(&verdict!(Agency, "a", with(type_, block, to(json!({})))), "`outbound.address` is needed");
    }
    for nowhere in [json!({"outbound": host}), json!({"outbound": host, "allowedDestinations": []})] {
        refused(&verdict!(Agency, "a", with("sip", sip(), nowhere)), "`outbound` needs `allowedDestinations`");
    }
    let open = json!({"address": "sip.example.com", "mediaEncryption": "Allowed"});
    refused(&verdict!(Agency, "a", with("sip", sip(), to(open))), "needs `transport: TLS`");

    let agency: Agency =
        serde_json::from_value(object("Agency", "a", &with("telnyx", telnyx(), to(json!({}))))).unwrap();
    let connection = &agency.spec.carriers[0];
    for (number, allowed) in [("+4930123456", true), ("+15550100", true), ("+15550101", false), ("+18765550100", false)]
    {
        assert_eq!(connection.allows_destination(number), allowed, "{number}");
    }
    let silent: Agency = serde_json::from_value(object("Agency", "a", &account("telnyx", &telnyx()))).unwrap();
    assert!(!silent.spec.carriers[0].allows_destination("+15550100"), "nowhere, unless it is said");
}

#[test]
fn nothing_is_bought_unless_the_agency_says_so() {
    for (type_, block) in [("twilio", twilio()), ("telnyx", telnyx()), ("gotoConnect", goto_connect())] {
        let agency: Agency = serde_json::from_value(object("Agency", "a", &account(type_, &block))).unwrap();
        let purchases = agency.spec.carriers[0].purchases().unwrap();
        assert_eq!((purchases.enabled, purchases.max_numbers), (false, 10), "{type_}");
    }
}
