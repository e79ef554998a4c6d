//! Tools: what is refused, and what somebody who may write agents, but not read Secrets, would try.

use super::*;

/// A model that can call tools, and whose service needs no key.
const LLM: &str = "llm: {provider: openai-compatible, model: m, baseUrl: 'https://llm.example.com/v1'}";

fn with(tool: &str) -> VoiceAgent {
    agent(NAMESPACE, "a", &format!("{{{LLM}, tools: [{{name: book, description: Books., {tool}}}]}}"))
}

fn accepted(agent: &VoiceAgent) -> Result<(), String> {
    let seen = seen(vec![agent.clone()]);
    validate::check(agent, &seen).map(|_| ()).map_err(|problem| {
        assert_eq!(problem.reason, reasons::INVALID);
        problem.message
    })
}

#[test]
fn a_mistake_is_named_with_its_field() {
    let fine = "parameters: {type: object, properties: {day: {type: string, pattern: '^[a-z]+$'}}}, \
                http: {url: 'https://api.example.com/v1/{{ args.day }}'}";
    assert_eq!(accepted(&with(fine)), Ok(()));
    let url = "http: {url: 'https://api.example.com'}";
    let deep = format!("{}1{}", "{not: ".repeat(20), "}".repeat(20));
    for (tool, message) in [
        ("http: {url: 'https://{{ args.x }}.example.com'}".to_owned(), "spec.tools[0].http.url: write scheme, host"),
        (
            "http: {url: 'https://api.example.com/{{ x }}'}".to_owned(),
            "spec.tools[0].http.url: `{{ x }}` means nothing",
        ),
        ("http: {url: 'https://api.example.com/{{ args.day }}'}".to_owned(), "`{{ args.day }}` is no argument"),
        (format!("parameters: {{properties: {{}}}}, {url}"), "spec.tools[0].parameters: arguments have names"),
        (format!("parameters: {{type: object, properties: {{a: {{type: text}}}}}}, {url}"), "it is no JSON Schema"),
        (
            format!("parameters: {{type: object, $ref: 'http://169.254.169.254/'}}, {url}"),
            "write out what it refers to",
        ),
        (format!("parameters: {{type: object, not: {deep}}}, {url}"), "nested more than 16 levels"),
        (format!("parameters: {{type: object, description: {}}}, {url}", "x".repeat(17_000)), "bytes long; at most"),
        (format!("parameters: {{type: object, properties: {{a: {{pattern: '(a)\\1'}}}}}}, {url}"), "no JSON Schema"),
    ] {
        let error = accepted(&with(&tool)).expect_err(&tool);
        assert!(error.contains(message), "{tool}: {error}");
    }
}

#[test]
fn a_model_that_cannot_call_tools_is_told_so() {
    let tool = "tools: [{name: bye, description: Ends the call., builtin: EndCall, enabled: ENABLED}]";
    let plain = |enabled: &str| agent(NAMESPACE, "a", &format!("{{{}}}", tool.replace("ENABLED", enabled)));
    let error = accepted(&plain("true")).unwrap_err();
    assert!(error.starts_with("spec.tools: the language model `extractive` (spec.llm.provider) cannot"), "{error}");
    assert_eq!(accepted(&plain("false")), Ok(()));

    let agent = plain("true");
    let mut inherited = seen(vec![agent.clone()]);
    let defaults =
        serde_json::json!({"llm": {"provider": "openai-compatible", "model": "m", "baseUrl": "https://l.example"}});
    inherited.home.as_mut().unwrap().agency.spec.defaults = serde_json::from_value(defaults).unwrap();
    assert!(validate::check(&agent, &inherited).is_ok(), "the agency's model can");
}

const WITH_SECRET: &str = "http: {url: 'https://api.example.com/v1', secretRef: {name: crm}, \
                           headers: [{name: Authorization, value: 'Bearer {{ secret.token }}'}]}";

fn crm(provider: &str, endpoints: &str) -> BTreeMap<String, Secret> {
    let data = [("token", "t-1"), ("spare", "t-2"), ("allowed-endpoints", endpoints)];
    BTreeMap::from([secret("crm", provider, &data)])
}

fn reason(agent: &VoiceAgent, secrets: BTreeMap<String, Secret>) -> Result<BTreeMap<String, ByteString>, &'static str> {
    let mut seen = seen(vec![agent.clone()]);
    seen.secrets = secrets;
    let valid = validate::check(agent, &seen).unwrap();
    match valid.unresolved {
        Some(problem) => {
            assert!(problem.message.starts_with("spec.tools[0].http.secretRef: "), "{}", problem.message);
            assert!(credentials::data(&valid.pool.keys).len() == 1, "no key is handed out");
            Err(problem.reason)
        }
        None => Ok(credentials::data(&valid.pool.keys)),
    }
}

#[test]
fn a_secret_goes_to_the_services_it_is_for() {
    let agent = with(WITH_SECRET);
    let data = reason(&agent, crm("http", "https://other.example.com\nhttps://API.example.com:443/\n")).unwrap();
    let files: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(files, ["_hash", "crm.endpoints", "crm.key.spare", "crm.key.token"]);
    assert_eq!(data["crm.key.token"].0, b"t-1");
    assert_eq!(data["crm.endpoints"].0, b"https://other.example.com\nhttps://api.example.com");

    assert_eq!(reason(&agent, BTreeMap::new()).unwrap_err(), reasons::REF_NOT_FOUND);
    for endpoints in [
        "",
        "https://evil.example",
        "http://api.example.com",
        "https://api.example.com:8443",
        "https://api.example.com/v1",
    ] {
        assert_eq!(reason(&agent, crm("http", endpoints)).unwrap_err(), reasons::REF_NOT_PERMITTED, "{endpoints:?}");
    }
    // A Secret that is meant for something else: a model's key, a certificate of the cluster.
    assert_eq!(
        reason(&agent, crm("openai-compatible", "https://api.example.com")).unwrap_err(),
        reasons::REF_NOT_PERMITTED
    );
    let mut opaque = crm("http", "https://api.example.com");
    opaque.get_mut("crm").unwrap().type_ = Some("Opaque".to_owned());
    assert_eq!(reason(&agent, opaque).unwrap_err(), reasons::REF_NOT_PERMITTED);
    for key in ["missing", "allowed-endpoints"] {
        let agent = with(&WITH_SECRET.replace("secret.token", &format!("secret.{key}")));
        assert_eq!(reason(&agent, crm("http", "https://api.example.com")).unwrap_err(), reasons::REF_NOT_PERMITTED);
    }
}

#[test]
fn a_tools_missing_secret_takes_no_key_from_the_model() {
    let spec =
        format!("{{{}, tools: [{{name: book, description: Books., {WITH_SECRET}}}]}}", &CLOUD[1..CLOUD.len() - 1]);
    let agent = agent(NAMESPACE, "a", &spec);
    let mut seen = seen(vec![agent.clone()]);
    seen.secrets = llm_key("https://llm.example.com/v1");
    let plan = validate::check(&agent, &seen);
    assert!(credentials::data(&plan.as_ref().unwrap().pool.keys).contains_key("llm-key"), "calls go on");
    let status = status::compute(&agent, &seen, &plan, now());
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::REF_NOT_FOUND.into()));
}

#[test]
fn only_an_installation_that_opens_ranges_tells_its_pods() {
    let agent = with("http: {url: 'https://api.example.com'}");
    let mut seen = seen(vec![agent.clone()]);
    let env = |seen: &Observed| {
        let made = build::all(&validate::check(&agent, seen).unwrap()).deployment;
        let env = made.spec.unwrap().template.spec.unwrap().containers[0].env.clone().unwrap();
        env.into_iter().find(|variable| variable.name == "VOXPLANE_TOOL_ALLOWED_CIDRS").and_then(|found| found.value)
    };
    assert_eq!(env(&seen), None);
    seen.runtime.tool_cidrs = vec!["10.20.0.0/16".to_owned(), "fd00::/8".to_owned()];
    assert_eq!(env(&seen).as_deref(), Some("10.20.0.0/16,fd00::/8"));
}
