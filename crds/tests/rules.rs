//! The rules of the definitions, each with an object it accepts and objects it refuses. The same rules run in the API
//! server; what it alone checks (bounds, patterns) is tested against a real one.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "voxplane.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// What the rules say, joined; empty: accepted.
macro_rules! verdict {
    ($kind:ty, $name:expr, $spec:expr) => {{
        let kind = stringify!($kind);
        let object: $kind = serde_json::from_value(object(kind, $name, &$spec)).unwrap();
        match object.validate_cel() {
            Ok(()) => String::new(),
            Err(errors) => errors.to_string(),
        }
    }};
}

#[track_caller]
fn refused(verdict: &str, words: &str) {
    assert!(verdict.contains(words), "expected a refusal with `{words}`, got `{verdict}`");
}

fn carrier(sip: &Value) -> Value {
    json!({"carriers": [{"name": "c", "type": "sip", "sip": sip}]})
}

#[test]
fn names_fit_into_namespaces() {
    let none = json!({});
    for good in ["a", "brightline", "a-1", &"a".repeat(20)] {
        assert_eq!(verdict!(Agency, good, none), "", "{good}");
        assert_eq!(verdict!(Tenant, good, none), "", "{good}");
    }
    refused(&verdict!(Agency, &"a".repeat(21), none), "at most 20 characters");
    refused(&verdict!(Tenant, &"a".repeat(31), none), "at most 30 characters");
    for bad in ["a--b", "a.b", "A"] {
        refused(&verdict!(Agency, bad, none), "lower-case letters, digits and single dashes");
        refused(&verdict!(Tenant, bad, none), "lower-case letters, digits and single dashes");
    }
    let long = "a".repeat(41);
    refused(&verdict!(VoiceAgent, &long, none), "at most 40 characters");
    refused(&verdict!(KnowledgeBase, &long, none), "at most 40 characters");
    let number = json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}});
    assert_eq!(verdict!(PhoneNumber, "main", number), "");
    refused(&verdict!(PhoneNumber, &long, number), "at most 40 characters");
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
fn nothing_is_bought_unless_the_agency_says_so() {
    for (type_, block) in [("twilio", twilio()), ("telnyx", telnyx()), ("gotoConnect", goto_connect())] {
        let agency: Agency = serde_json::from_value(object("Agency", "a", &account(type_, &block))).unwrap();
        let purchases = agency.spec.carriers[0].purchases().unwrap();
        assert_eq!((purchases.enabled, purchases.max_numbers), (false, 10), "{type_}");
    }
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
fn a_guarantee_is_within_the_cap() {
    let quota =
        |guaranteed: i32, max: i32| json!({"quotas": {"concurrentCalls": {"guaranteed": guaranteed, "max": max}}});
    assert_eq!(verdict!(Tenant, "t", quota(3, 3)), "");
    refused(&verdict!(Tenant, "t", quota(4, 3)), "`guaranteed` is at most `max`");
    refused(&verdict!(Tenant, "t", json!({"quotas": {"concurrentCalls": {"guaranteed": 11}}})), "`guaranteed`");
}

#[test]
fn a_language_model_has_what_its_provider_needs() {
    let service = json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "http://llm/v1"}});
    assert_eq!(verdict!(VoiceAgent, "a", service), "");
    assert_eq!(verdict!(VoiceAgent, "a", json!({})), "");
    for part in [json!({"model": "m"}), json!({"baseUrl": "http://llm/v1"}), json!({})] {
        let mut llm = part.clone();
        llm["provider"] = "openai-compatible".into();
        refused(&verdict!(VoiceAgent, "a", json!({"llm": llm})), "needs `model` and `baseUrl`");
    }
    for extra in [json!({"baseUrl": "http://llm/v1"}), json!({"secretRef": {"name": "key"}})] {
        refused(&verdict!(VoiceAgent, "a", json!({"llm": extra})), "runs inside the pod");
    }
}

#[test]
fn voice_activity_is_a_preset_or_custom() {
    assert_eq!(verdict!(VoiceAgent, "a", json!({"vad": {"preset": "Noisy"}})), "");
    assert_eq!(verdict!(VoiceAgent, "a", json!({"vad": {"custom": {"thresholdPercent": 60}}})), "");
    let both = json!({"vad": {"preset": "Noisy", "custom": {}}});
    refused(&verdict!(VoiceAgent, "a", both), "exclude each other");
}

fn runtime(runtime: &Value) -> String {
    verdict!(VoiceAgent, "a", json!({"runtime": runtime}))
}

#[test]
fn accelerators_are_those_of_a_device_plugin() {
    assert_eq!(runtime(&json!({"gpu": {}})), "");
    assert_eq!(runtime(&json!({"gpu": {"resourceName": "amd.com/gpu", "count": 2}})), "");
    for native in ["kubernetes.io/gpu", "requests.kubernetes.io/gpu"] {
        refused(&runtime(&json!({"gpu": {"resourceName": native}})), "nothing of `kubernetes.io`");
    }
}

#[test]
fn tolerations_are_ones_that_kubernetes_takes() {
    let toleration = |toleration: Value| runtime(&json!({"tolerations": [toleration]}));
    for good in [
        json!({"operator": "Exists"}),
        json!({"key": "gpu", "value": "true", "effect": "NoSchedule"}),
        json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}),
    ] {
        assert_eq!(toleration(good.clone()), "", "{good}");
    }
    refused(&toleration(json!({"value": "true"})), "set `operator: Exists`");
    refused(&toleration(json!({"key": "gpu", "operator": "Exists", "value": "true"})), "remove one of them");
    for effect in [
        json!({"key": "a", "tolerationSeconds": 1}),
        json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}),
    ] {
        refused(&toleration(effect), "`effect: NoExecute`");
    }
}

#[test]
fn a_model_volume_has_one_source_and_it_is_no_secret_and_no_path_of_the_host() {
    let volumes = |volume: Value| runtime(&json!({"volumes": [volume]}));
    for source in [
        json!({"name": "m", "persistentVolumeClaim": {"name": "models"}}),
        json!({"name": "m", "configMap": {"name": "words"}}),
        json!({"name": "m", "image": {"reference": "registry.example.com/m:1"}}),
    ] {
        assert_eq!(volumes(source.clone()), "", "{source}");
    }
    let two = json!({"name": "m", "configMap": {"name": "a"}, "persistentVolumeClaim": {"name": "b"}});
    refused(&volumes(two), "exactly one source");
    for forbidden in
        [json!({"hostPath": {"path": "/"}}), json!({"secret": {"secretName": "keys"}}), json!({"projected": {}})]
    {
        let mut volume = forbidden.clone();
        volume["name"] = "m".into();
        refused(&volumes(volume), "exactly one source");
    }
}

#[test]
fn the_bounds_of_scaling_agree() {
    let scaling = |scaling: Value| runtime(&json!({"scaling": scaling}));
    assert_eq!(scaling(json!({"mode": "Operator"})), "");
    assert_eq!(scaling(json!({"mode": "Operator", "min": 2, "max": 2, "warmMinimum": 0, "headroomSlots": 3})), "");
    refused(&scaling(json!({"min": 3, "max": 2})), "`min` is at most `max`");
    refused(&scaling(json!({"min": 11})), "`min` is at most `max`");
    refused(&scaling(json!({"warmMinimum": 2})), "`warmMinimum` is at most `min`");
    refused(&scaling(json!({"headroomSlots": 1, "headroomPercent": 1})), "exclude each other");
}

#[test]
fn sources_have_a_text_and_are_not_too_long_together() {
    let source = |name: &str, length: usize| json!({"name": name, "inline": {"text": "x".repeat(length)}});
    let sources = |all: &[Value]| json!({"sources": all});
    assert_eq!(verdict!(KnowledgeBase, "k", sources(&[source("a", 10), source("b", 10)])), "");
    refused(&verdict!(KnowledgeBase, "k", sources(&[json!({"name": "a"})])), "needs the block `inline`");
    let long: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| source(name, 190_000)).into();
    refused(&verdict!(KnowledgeBase, "k", sources(&long)), "more than 900,000 characters");
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
fn what_happens_when_closed_is_one_thing() {
    let closed = |closed: Value| json!({"closed": closed});
    for good in
        [json!({"message": "We are closed."}), json!({"greeting": "Closed."}), json!({"agentRef": {"name": "n"}})]
    {
        assert_eq!(verdict!(VoiceAgent, "a", closed(good.clone())), "", "{good}");
    }
    for bad in [json!({}), json!({"message": "We are closed.", "agentRef": {"name": "n"}})] {
        refused(&verdict!(VoiceAgent, "a", closed(bad)), "give exactly one of `message`");
    }
}

#[test]
fn hours_end_after_they_begin() {
    let hours = |range: Value| json!({"businessHours": {"weekly": [{"day": "Monday", "ranges": [range]}]}});
    for good in [
        json!({"from": "09:00", "to": "17:00"}),
        json!({"from": "00:00", "to": "24:00"}),
        json!({"from": "22:00", "to": "02:00", "nextDay": true}),
    ] {
        assert_eq!(verdict!(Tenant, "a", hours(good.clone())), "", "{good}");
    }
    refused(&verdict!(Tenant, "a", hours(json!({"from": "09:00", "to": "05:00"}))), "a range ends after it begins");
    let long = json!({"from": "09:00", "to": "10:00", "nextDay": true});
    refused(&verdict!(Tenant, "a", hours(long)), "at most a day long");
}

#[test]
fn a_knowledge_base_says_where_its_texts_and_embeddings_come_from() {
    let source = |source: Value| json!({"sources": [source]});
    let page = json!({"url": "https://clinic.example/faq"});
    assert_eq!(verdict!(KnowledgeBase, "kb", source(json!({"name": "s", "type": "Url", "url": page}))), "");
    refused(&verdict!(KnowledgeBase, "kb", source(json!({"name": "s", "type": "Url"}))), "needs the block `url`");
    let both = json!({"name": "s", "inline": {"text": "a"}, "url": page});
    refused(&verdict!(KnowledgeBase, "kb", source(both)), "only that type may have it");

    let embedding = |embedding: Value| json!({"embedding": embedding});
    let service = json!({"provider": "openai-compatible", "model": "m", "dimensions": 1536,
                         "baseUrl": "https://e.example/v1", "secretRef": {"name": "key"}});
    for good in [json!({"provider": "minilm"}), json!({"provider": "none"}), service] {
        assert_eq!(verdict!(KnowledgeBase, "kb", embedding(good.clone())), "", "{good}");
    }
    let bare = embedding(json!({"provider": "openai-compatible", "model": "m"}));
    refused(&verdict!(KnowledgeBase, "kb", bare), "needs `model`, `dimensions`, `baseUrl`");
    let offline = embedding(json!({"provider": "minilm", "model": "m"}));
    refused(&verdict!(KnowledgeBase, "kb", offline), "only the provider `openai-compatible` takes `model`");

    let cut = |size: i32, overlap: i32| json!({"chunking": {"sizeTokens": size, "overlapTokens": overlap}});
    assert_eq!(verdict!(KnowledgeBase, "kb", cut(100, 50)), "");
    refused(&verdict!(KnowledgeBase, "kb", cut(100, 51)), "at most half of `sizeTokens`");
}
