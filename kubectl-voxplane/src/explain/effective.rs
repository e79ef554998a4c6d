//! What follows from several fields, or from several objects, together. It says what `api/src/placement` and
//! `operator/src/voice_agent` make of them; a table of the plugin's page lists each with its rule.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;
use voxplane_crds::hours::Schedule;
use voxplane_crds::voice_agent::Closed;
use voxplane_crds::{AgencySpec, Effective, Origin, TenantSpec};

use super::fields::{Source, source_of};
use super::flow;
use crate::world::{World, is_set, number, pool_of_agent, text, within};

/// A value in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What decided it.
    pub from: String,
}

pub(super) fn fact(name: &'static str, value: impl Into<String>, from: impl Into<String>) -> Fact {
    Fact { name, value: value.into(), from: from.into() }
}

/// Everything in effect for an agent's calls.
pub fn of(
    agent: &DynamicObject,
    settings: Option<&Effective<'_>>,
    numbers: &[&DynamicObject],
    world: &World,
    now: Timestamp,
) -> Vec<Fact> {
    let (agency, tenant) = world.owners(&agent.namespace().unwrap_or_default());
    let mut facts = vec![takes_calls(agent, agency, tenant), spoken_name(agent)];
    if let Some(tenant) = tenant {
        facts.extend(of_tenant(tenant));
        facts.extend(hours(tenant, now));
    }
    if let Some(settings) = settings {
        facts.extend(providers(settings));
        facts.extend(listening(settings));
        facts.extend(settings.closed.map(|closed| when_closed(closed.value, closed.origin)));
    }
    facts.extend(flow::of(agent));
    facts.extend(knowledge(agent, world));
    facts.extend(numbers.iter().filter_map(|number| busy(settings, number)));
    facts.extend(pool(agent, world));
    facts.extend(limits(agency, tenant));
    facts
}

fn takes_calls(agent: &DynamicObject, agency: Option<&DynamicObject>, tenant: Option<&DynamicObject>) -> Fact {
    let suspended = |object: Option<&DynamicObject>| object.is_some_and(|object| is_set(object, "/spec/suspended"));
    let name = "takes calls";
    if suspended(agency) {
        fact(name, "no, the agency is suspended", "agency spec.suspended")
    } else if suspended(tenant) {
        fact(name, "no, the tenant is suspended", "tenant spec.suspended")
    } else if is_set(agent, "/spec/paused") {
        fact(name, "no, the agent is paused", "spec.paused")
    } else {
        fact(name, "yes", "nothing is suspended or paused")
    }
}

fn spoken_name(agent: &DynamicObject) -> Fact {
    match text(agent, "/spec/displayName") {
        "" => fact("name", agent.name_any(), "the object's name"),
        name => fact("name", name, "spec.displayName"),
    }
}

/// What a tenant says for all its agents.
fn of_tenant(tenant: &DynamicObject) -> Vec<Fact> {
    let defaults = serde_json::to_value(TenantSpec::default()).unwrap_or_default();
    let from = |path: &[&str]| {
        let whence = match source_of(tenant, path, &defaults) {
            Source::Spec { .. } => "spec",
            Source::Tenant | Source::Agency | Source::Default => "default",
        };
        format!("tenant spec.{} ({whence})", path.join("."))
    };
    let said = |path: &[&str]| {
        let pointer: String = path.iter().map(|step| format!("/{step}")).collect();
        let own = tenant.data["spec"].pointer(&pointer).or_else(|| defaults.pointer(&pointer));
        own.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let spoken = |words: String| if words.is_empty() { "nothing is said".to_owned() } else { words };
    let disclosure = ["compliance", "disclosure"];
    let consent = ["compliance", "consentMessage"];
    vec![
        fact("time zone", said(&["timezone"]), from(&["timezone"])),
        fact("said first", spoken(said(&disclosure)), from(&disclosure)),
        fact("then, for consent", spoken(said(&consent)), from(&consent)),
    ]
}

/// Whether the tenant is open at this moment, by the rule that the API would name in the ledger.
fn hours(tenant: &DynamicObject, now: Timestamp) -> Option<Fact> {
    let spec: TenantSpec = serde_json::from_value(tenant.data["spec"].clone()).ok()?;
    let name = "business hours";
    Some(match Schedule::new(spec.business_hours.as_ref()?, &spec.timezone) {
        Ok(schedule) => {
            let moment = schedule.at(now);
            let state = if moment.open { "open" } else { "closed" };
            fact(name, format!("{state} now, at {}: {}", moment.local, moment.rule), "tenant spec.businessHours")
        }
        Err(bad) => fact(name, format!("not understood, so they close nothing: {bad}"), "tenant spec.businessHours"),
    })
}

fn when_closed(closed: &Closed, origin: Origin) -> Fact {
    let value = match (&closed.message, &closed.greeting, &closed.agent_ref) {
        (Some(message), ..) => format!("says {message:?} and hangs up"),
        (_, Some(greeting), _) => format!("begins with {greeting:?}"),
        (_, _, Some(agent)) => format!("agent {} answers", agent.name),
        (None, None, None) => "answers as always".to_owned(),
    };
    fact("when closed", value, origin.path("closed"))
}

/// Who recognises, answers and speaks. Of keys only the name is told.
fn providers(settings: &Effective<'_>) -> Vec<Fact> {
    let keys = settings.secrets();
    let of = |name, stage: &str, value: String, origin: Origin| {
        let key = keys.iter().find(|key| key.field.strip_suffix(".secretRef") == Some(stage));
        let key = key.map(|key| {
            let whose = if key.origin.keys_are_the_agencys() { "the agency's" } else { "this" };
            format!(", key from Secret {} of {whose} namespace", key.name)
        });
        fact(name, format!("{value}{}", key.unwrap_or_default()), decided_by(origin, stage))
    };
    let (stt, llm, tts) = (settings.stt, settings.llm, settings.tts);
    let model = |model: &Option<String>| model.as_ref().map(|model| format!(" {model}")).unwrap_or_default();
    vec![
        of("understands", "stt", format!("{}{}", stt.value.provider.as_str(), model(&stt.value.model)), stt.origin),
        of("answers", "llm", format!("{}{}", llm.value.provider.as_str(), model(&llm.value.model)), llm.origin),
        of("speaks", "tts", format!("{} {}", tts.value.provider.as_str(), tts.value.voice), tts.origin),
    ]
}

fn decided_by(origin: Origin, field: &str) -> String {
    match origin {
        Origin::BuiltIn => "default".to_owned(),
        stated => stated.path(field),
    }
}

fn listening(settings: &Effective<'_>) -> Vec<Fact> {
    let (detection, turn) = (settings.vad, settings.turn);
    let vad = detection.value.parameters();
    let from = match (&detection.value.custom, detection.value.preset) {
        (Some(_), _) => detection.origin.path("vad.custom"),
        (None, Some(preset)) => format!("{} {preset:?}", detection.origin.path("vad.preset")),
        (None, None) => "default preset".to_owned(),
    };
    let silence = settings.end_of_turn_silence_ms();
    let decided = if turn.value.silence_ms.is_some() { turn.origin.path("turn.silenceMs") } else { from.clone() };
    let patience = match settings.longest_silence_ms() {
        None => format!("after {silence} ms of silence"),
        Some(longest) => format!("after {silence} ms of silence, up to {longest} ms for callers who pause"),
    };
    let speech = format!(
        "surer than {} %, for {} ms; over after {} ms",
        vad.threshold_percent, vad.min_speech_ms, vad.min_silence_ms
    );
    vec![fact("somebody speaks", speech, from), fact("the caller has finished", patience, decided)]
}

fn knowledge(agent: &DynamicObject, world: &World) -> Option<Fact> {
    let named: Vec<&str> =
        agent.data["spec"]["knowledgeBases"].as_array()?.iter().filter_map(|base| base["name"].as_str()).collect();
    let bases = within(&world.bases, &agent.namespace().unwrap_or_default());
    let of_agent = bases.iter().filter(|base| named.contains(&base.name_any().as_str()));
    let most = of_agent.max_by_key(|base| number(base, "/spec/retrieval/topK"))?;
    let passages = number(most, "/spec/retrieval/topK")?;
    let from = format!("KnowledgeBase {} spec.retrieval.topK", most.name_any());
    Some(fact("looked up per question", format!("at most {passages} passages"), from))
}

/// What a caller hears when nobody can take the call.
fn busy(settings: Option<&Effective<'_>>, number: &DynamicObject) -> Option<Fact> {
    let own = text(number, "/spec/overflow/message");
    if !own.is_empty() {
        let from = format!("PhoneNumber {} spec.overflow.message", number.name_any());
        return Some(fact("said when busy", own, from));
    }
    let messages = settings?.messages;
    let from = format!("{} (number {} has none)", decided_by(messages.origin, "messages.busy"), number.name_any());
    Some(fact("said when busy", messages.value.busy.clone(), from))
}

/// A pool's pods are shared by its agents: the largest wish counts.
fn pool(agent: &DynamicObject, world: &World) -> Vec<Fact> {
    let mut agents = within(&world.agents, &agent.namespace().unwrap_or_default());
    agents.retain(|other| pool_of_agent(other) == pool_of_agent(agent));
    let largest = |name: &'static str, pointer: &str, unit: &str| {
        let most = agents.iter().filter_map(|agent| Some((number(agent, pointer)?, agent.name_any()))).max_by(
            // Of equals the agent itself, so that the answer does not name another without need.
            |(a, of_a), (b, of_b)| a.cmp(b).then((*of_a == agent.name_any()).cmp(&(*of_b == agent.name_any()))),
        )?;
        let field = pointer.trim_start_matches('/').replace('/', ".");
        let from = if most.1 == agent.name_any() { field } else { format!("agent {} {field}, the largest", most.1) };
        Some(fact(name, crate::status::count(usize::try_from(most.0).unwrap_or_default(), unit), from))
    };
    let mut facts = vec![];
    let pool = text(agent, "/status/pool");
    if !pool.is_empty() {
        let shared = match agents.len() {
            1 => "this agent's alone".to_owned(),
            several => format!("shared by {several} agents"),
        };
        facts.push(fact("pool", pool, shared));
    }
    facts.extend(largest("pods", "/spec/runtime/replicas", "pod"));
    facts.extend(largest("calls per pod", "/spec/runtime/callsPerReplica", "call"));
    if let Some(slots) = agent.data.pointer("/status/slots") {
        let of = |name: &str| slots[name].as_i64().unwrap_or_default();
        facts.push(fact("slots", format!("{} of {} busy", of("busy"), of("ready")), "what pods report"));
    }
    let image = agents.iter().find(|agent| !text(agent, "/spec/runtime/image").is_empty());
    facts.push(match image {
        Some(of) => {
            fact("image", text(of, "/spec/runtime/image"), format!("agent {} spec.runtime.image", of.name_any()))
        }
        None => fact("image", "the platform's", "chart value runtime.image"),
    });
    facts
}

fn limits(agency: Option<&DynamicObject>, tenant: Option<&DynamicObject>) -> Vec<Fact> {
    let mut facts = vec![];
    if let Some(tenant) = tenant {
        let default = TenantSpec::default().quotas.concurrent_calls;
        let of = |name: &str, default: i32| {
            number(tenant, &format!("/spec/quotas/concurrentCalls/{name}")).unwrap_or(i64::from(default))
        };
        let value = format!("at most {}, {} guaranteed", of("max", default.max), of("guaranteed", default.guaranteed));
        facts.push(fact("calls of the tenant", value, "tenant spec.quotas.concurrentCalls"));
    }
    if let Some(agency) = agency {
        let default = AgencySpec::default().quotas.concurrent_calls;
        let most = number(agency, "/spec/quotas/concurrentCalls").unwrap_or(i64::from(default));
        facts.push(fact("calls of the agency", format!("at most {most}"), "agency spec.quotas.concurrentCalls"));
    }
    facts
}
