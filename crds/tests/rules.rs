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
fn a_number_is_not_its_own_fallback() {
    let number = |fallback: &str| json!({"number": "+15550100", "carrier": "c", "agentRef": {"name": "a"}, "fallbackNumber": fallback});
    assert_eq!(verdict!(PhoneNumber, "main", number("+15550199")), "");
    refused(&verdict!(PhoneNumber, "main", number("+15550100")), "cannot be its own `fallbackNumber`");
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

#[test]
fn the_most_silence_belongs_to_adaptive_turns() {
    let turn = |turn: Value| verdict!(VoiceAgent, "a", json!({"turn": turn}));
    assert_eq!(turn(json!({"strategy": "Adaptive"})), "");
    assert_eq!(turn(json!({"strategy": "Adaptive", "silenceMs": 400, "maxSilenceMs": 1200})), "");
    refused(&turn(json!({"maxSilenceMs": 1200})), "belongs to the strategy `Adaptive`");
    let crossed = json!({"strategy": "Adaptive", "silenceMs": 900, "maxSilenceMs": 800});
    refused(&turn(crossed), "`silenceMs` is at most `maxSilenceMs`");
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

#[test]
fn members_are_people_groups_and_accounts_and_never_everybody() {
    let member = |member: Value| {
        let members = json!({"members": [member]});
        let of_agency = verdict!(Agency, "a", members);
        assert_eq!(of_agency, verdict!(Tenant, "t", members));
        of_agency
    };
    for good in [
        json!({"kind": "User", "name": "ada@example.com", "role": "Admin"}),
        json!({"kind": "Group", "name": "CN=Support, OU=People", "role": "Editor"}),
        json!({"kind": "ServiceAccount", "name": "sync", "namespace": "ci", "role": "Viewer"}),
    ] {
        assert_eq!(member(good.clone()), "", "{good}");
    }
    let account = |name: &str, namespace: &str| {
        member(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace, "role": "Admin"}))
    };
    refused(&account("sync", ""), "`namespace` is that of a ServiceAccount");
    refused(&account("Sync Job", "ci"), "a ServiceAccount's name");
    refused(&account("voxplane-runtime", "vx-other--law"), "those of runtime pods");
    let person = json!({"kind": "User", "name": "ada@example.com", "namespace": "ci", "role": "Admin"});
    refused(&member(person), "`namespace` is that of a ServiceAccount");
    for everybody in ["system:authenticated", "system:masters"] {
        refused(&member(json!({"kind": "Group", "name": everybody, "role": "Viewer"})), "belong to Kubernetes");
    }
}

#[test]
fn a_tool_does_one_thing_and_a_secret_stays_out_of_addresses() {
    let tool = |more: Value| {
        let mut tool = json!({"name": "book", "description": "Books a table."});
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        verdict!(VoiceAgent, "a", json!({"tools": [tool]}))
    };
    let url = "https://api.example.com/v1/{{ args.id }}";
    for good in [
        json!({"builtin": "EndCall", "say": {"onStart": "Right."}}),
        json!({"http": {"url": url}}),
        json!({"http": {"url": url, "method": "GET", "retries": 2}}),
        json!({"http": {"url": url, "retries": 2}, "effect": "Idempotent"}),
    ] {
        assert_eq!(tool(good.clone()), "", "{good}");
    }
    refused(&tool(json!({})), "give exactly one of `http`");
    refused(&tool(json!({"http": {"url": url}, "builtin": "EndCall"})), "give exactly one of `http`");
    refused(&tool(json!({"builtin": "EndCall", "effect": "Read"})), "remove `parameters` and `effect`");
    refused(&tool(json!({"builtin": "EndCall", "say": {"onComplete": "Done."}})), "remove `say.onComplete`");
    refused(&tool(json!({"http": {"url": url, "retries": 1}})), "is never tried twice");
    refused(
        &tool(json!({"http": {"url": url, "method": "GET", "retries": 1}, "effect": "Once"})),
        "is never tried twice",
    );
    for secret in ["?k={{ secret.k }}", "?k={{secret.k}}"] {
        refused(&tool(json!({"http": {"url": format!("https://a.example{secret}")}})), "belongs into a header");
    }
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
