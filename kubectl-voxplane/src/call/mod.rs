//! Everything that a call to a number depends on, checked in the order of the call's way. Pure. It places no call.

mod text;

pub use text::render;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;
use voxplane_crds::conditions::types;

use crate::health::{self, Health};
use crate::world::{Kind, World, condition, number as number_at, text as text_of};

/// The answer of `call`.
#[derive(Clone, Debug, Serialize)]
pub struct Preflight {
    /// The number.
    pub number: String,
    /// Whether a call would be answered, as far as can be seen from here.
    pub answered: bool,
    /// How to dial it; unknown unless the installation says where its SIP entrance is.
    pub uri: Option<String>,
    /// The checks, in the order of the call's way.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen.
    pub message: String,
    /// What to do; empty where nothing needs doing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is well.
    Ok,
    /// A call may work all the same.
    Warning,
    /// A call would not be answered by the agent.
    Failed,
    /// It could not be looked at.
    Unknown,
}

/// What is known about the platform itself.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// Where callers reach LiveKit SIP: `host` or `host:port`.
    pub sip_address: Option<String>,
    /// Replicas of the API that are ready; `None` if they may not be read.
    pub api_ready: Option<i32>,
}

/// A number as people write it, in E.164 form.
///
/// # Errors
/// Says what is missing.
pub fn parse_number(text: &str) -> Result<String, String> {
    let number: String = text.chars().filter(|letter| !" -()./".contains(*letter)).collect();
    let digits = number.strip_prefix('+').ok_or_else(|| {
        format!("{text:?} does not begin with + and the country's code: write it in E.164 form, for example +15550100")
    })?;
    let valid = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if valid && !digits.starts_with('0') {
        Ok(number)
    } else {
        Err(format!("{text:?} is no number in E.164 form: + and 7 to 15 digits, for example +15550100"))
    }
}

impl Preflight {
    /// Checks the way to a number (E.164).
    #[must_use]
    pub fn of(number: &str, world: &World, platform: &Platform, now: Timestamp) -> Self {
        let checks = checks(number, world, platform, now);
        let answered = checks.iter().all(|check| check.verdict != Verdict::Failed);
        let uri = platform.sip_address.as_ref().map(|address| format!("sip:{number}@{address}"));
        Self { number: number.to_owned(), answered, uri, checks }
    }
}

fn check(what: impl Into<String>, verdict: Verdict, message: impl Into<String>, remedy: &str) -> Check {
    Check { what: what.into(), verdict, message: message.into(), remedy: remedy.to_owned() }
}

fn checks(number: &str, world: &World, platform: &Platform, now: Timestamp) -> Vec<Check> {
    let mut checks = vec![api(platform)];
    let claims: Vec<_> = world.numbers.iter().filter(|claim| is_for(claim, number)).collect();
    let Some(claim) = holder(&claims) else {
        let remedy = "Create a PhoneNumber for it, or look in another namespace: numbers that you may not read are not \
                      seen.";
        checks.push(check("number", Verdict::Failed, format!("no PhoneNumber is for {number}"), remedy));
        return checks;
    };
    if claims.len() > 1 {
        let message = format!("{} PhoneNumbers claim it; {} has it", claims.len(), title(claim));
        let remedy = "Delete those that are not needed.";
        checks.push(check("claims", Verdict::Warning, message, remedy));
    }
    let namespace = claim.namespace().unwrap_or_default();
    let (agency, tenant) = world.owners(&namespace);
    checks.push(owner(Kind::Agency, agency, world, now));
    checks.push(owner(Kind::Tenant, tenant, world, now));
    checks.push(resource(&format!("PhoneNumber {}", claim.name_any()), claim, now));
    checks.push(trunk(claim, agency));
    checks.extend(answerers(claim, &crate::world::within(&world.agents, &namespace), now));
    checks.push(quota(tenant, agency));
    checks.push(access(claim, agency));
    checks
}

/// The agent that answers, or every agent of the squad: of those one that works is enough.
fn answerers(claim: &DynamicObject, agents: &[&DynamicObject], now: Timestamp) -> Vec<Check> {
    let squad = claim.data.pointer("/spec/squad/agents").and_then(Value::as_array);
    let name = text_of(claim, "/spec/agentRef/name");
    let Some(squad) = squad.filter(|_| name.is_empty()) else {
        return if name.is_empty() {
            let message = "the number names neither an agent nor a squad";
            vec![check("agent", Verdict::Failed, message, "Set spec.agentRef or spec.squad.")]
        } else {
            answerer("spec.agentRef", name, agents, now)
        };
    };
    let mut checks: Vec<_> = squad
        .iter()
        .filter_map(|member| member["name"].as_str())
        .map(|name| answerer("spec.squad.agents", name, agents, now))
        .collect();
    let works = |checks: &[Check]| checks.iter().all(|check| check.verdict != Verdict::Failed);
    if checks.iter().any(|checks| works(checks)) {
        for check in checks.iter_mut().flatten().filter(|check| check.verdict == Verdict::Failed) {
            check.verdict = Verdict::Warning;
        }
    }
    checks.into_iter().flatten().collect()
}

fn answerer(field: &str, name: &str, agents: &[&DynamicObject], now: Timestamp) -> Vec<Check> {
    match agents.iter().find(|agent| agent.name_any() == name) {
        Some(agent) => vec![resource(&format!("VoiceAgent {name}"), agent, now), slots(agent)],
        None => {
            let remedy = format!("Create the agent, or correct {field}.");
            vec![check("agent", Verdict::Failed, format!("there is no VoiceAgent {name:?}"), &remedy)]
        }
    }
}

fn is_for(claim: &DynamicObject, number: &str) -> bool {
    ["/spec/number", "/status/number"].iter().any(|pointer| text_of(claim, pointer) == number)
}

/// The claim that counts: the accepted one.
fn holder<'a>(claims: &[&'a DynamicObject]) -> Option<&'a DynamicObject> {
    let accepted =
        |claim: &&&DynamicObject| condition(claim, types::ACCEPTED).is_some_and(|accepted| accepted.status == "True");
    claims.iter().find(accepted).or_else(|| claims.first()).copied()
}

fn title(object: &DynamicObject) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

const NOT_SEEN: &str = "not seen: you may not read it, or it runs in another namespace (--system-namespace)";

fn api(platform: &Platform) -> Check {
    let what = "API";
    match platform.api_ready {
        Some(0) => {
            let remedy = "Look at its pods: `kubectl -n voxplane-system get pods`. Without it no call is answered.";
            check(what, Verdict::Failed, "no replica is ready", remedy)
        }
        Some(ready) => check(what, Verdict::Ok, format!("{ready} ready"), ""),
        None => check(what, Verdict::Unknown, NOT_SEEN, ""),
    }
}

fn owner(kind: Kind, object: Option<&DynamicObject>, world: &World, now: Timestamp) -> Check {
    let what = kind.as_str();
    match object {
        Some(object) => resource(&format!("{what} {}", object.name_any()), object, now),
        None if world.hidden.contains(&kind) => check(what, Verdict::Unknown, "you may not read it", ""),
        None => {
            check(what, Verdict::Failed, "it does not exist", "Create it, or move the PhoneNumber to its namespace.")
        }
    }
}

/// The condition `Ready`, as a check.
fn resource(what: &str, object: &DynamicObject, now: Timestamp) -> Check {
    let finding = health::of_resource(object, now);
    let entry = voxplane_crds::conditions::registry::find(&finding.reason);
    let said = if finding.message.is_empty() { String::new() } else { format!(": {}", finding.message) };
    let verdict = match finding.health {
        Health::Ready => Verdict::Ok,
        // The route is kept while the database is away; whether a call gets through is not known.
        Health::Broken if condition(object, types::READY).is_some_and(|ready| ready.status == "Unknown") => {
            Verdict::Warning
        }
        Health::Broken | Health::Off | Health::Waiting => Verdict::Failed,
        Health::Hidden => Verdict::Unknown,
    };
    let remedy = if verdict == Verdict::Ok { "" } else { entry.map_or("", |entry| entry.remedy) };
    check(what, verdict, format!("{}{said}", finding.reason), remedy)
}

fn trunk(claim: &DynamicObject, agency: Option<&DynamicObject>) -> Check {
    let (trunk, carrier) = (text_of(claim, "/status/trunkId"), text_of(claim, "/spec/carrier"));
    let what = format!("trunk of carrier {carrier}");
    let carriers = agency.and_then(|agency| agency.data.pointer("/status/carriers")).and_then(Value::as_array);
    let connection = carriers.into_iter().flatten().find(|connection| connection["name"] == carrier);
    if let Some(problem) = connection.and_then(|connection| connection["message"].as_str()) {
        return check(what, Verdict::Failed, problem, "Repair the carrier connection in the Agency's spec.carriers.");
    }
    if trunk.is_empty() {
        let remedy =
            "The condition Programmed of the PhoneNumber says why; LiveKit must be reachable for the operator.";
        return check(what, Verdict::Failed, "the number is on no trunk in LiveKit", remedy);
    }
    check(what, Verdict::Ok, format!("{trunk} in LiveKit"), "")
}

fn slots(agent: &DynamicObject) -> Check {
    let what = "slots";
    let Some(ready) = number_at(agent, "/status/slots/ready") else {
        let remedy = "No pod has connected to the API yet: `kubectl voxplane status` shows the pods.";
        return check(what, Verdict::Failed, "none reported", remedy);
    };
    let busy = number_at(agent, "/status/slots/busy").unwrap_or_default();
    let message = format!("{} of {ready} free", (ready - busy).max(0));
    if busy < ready {
        return check(what, Verdict::Ok, message, "");
    }
    let remedy = "Wait, or raise spec.runtime.replicas or spec.runtime.callsPerReplica of the agent.";
    check(what, Verdict::Failed, message, remedy)
}

fn quota(tenant: Option<&DynamicObject>, agency: Option<&DynamicObject>) -> Check {
    let what = "calls at one time";
    let most = |object: Option<&DynamicObject>, pointer| object.and_then(|object| number_at(object, pointer));
    let limits = [
        ("tenant", most(tenant, "/spec/quotas/concurrentCalls/max")),
        ("agency", most(agency, "/spec/quotas/concurrentCalls")),
    ];
    if let Some((whose, _)) = limits.iter().find(|(_, most)| *most == Some(0)) {
        let remedy = "Raise spec.quotas.concurrentCalls; it needs the right `set-limits`.";
        return check(what, Verdict::Failed, format!("the {whose} may have none"), remedy);
    }
    let known: Vec<String> =
        limits.iter().filter_map(|(whose, most)| Some(format!("{whose} at most {}", (*most)?))).collect();
    if known.is_empty() {
        return check(what, Verdict::Unknown, "the limits may not be read", "");
    }
    check(what, Verdict::Ok, known.join(", "), "")
}

/// From where the carrier connection lets calls in: a softphone elsewhere is refused.
fn access(claim: &DynamicObject, agency: Option<&DynamicObject>) -> Check {
    let what = "who may call";
    let carrier = text_of(claim, "/spec/carrier");
    let carriers = agency.and_then(|agency| agency.data.pointer("/spec/carriers")).and_then(Value::as_array);
    let Some(connection) = carriers.into_iter().flatten().find(|connection| connection["name"] == carrier) else {
        return check(what, Verdict::Unknown, "the carrier connection may not be read", "");
    };
    let allowed = connection["sip"]["allowedAddresses"].as_array().into_iter().flatten();
    let allowed: Vec<&str> = allowed.filter_map(Value::as_str).collect();
    let login = connection["sip"]["authSecretRef"].is_object();
    let message = match (allowed.is_empty(), login) {
        (false, true) => format!("with the carrier's user name and password, from {}", allowed.join(", ")),
        (false, false) => format!("from {}; calls from elsewhere are refused", allowed.join(", ")),
        (true, true) => "with the carrier's user name and password".to_owned(),
        (true, false) => "through the carrier".to_owned(),
    };
    check(what, Verdict::Ok, message, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        assert_eq!(parse_number("+1 (555) 0100-23").as_deref(), Ok("+1555010023"));
        assert_eq!(parse_number("+15550100").as_deref(), Ok("+15550100"));
        for wrong in ["15550100", "0049 30 1234", "+0123456789", "+12", "+1555abc00", "+1234567890123456"] {
            assert!(parse_number(wrong).is_err(), "{wrong}");
        }
    }
}
