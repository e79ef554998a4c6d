//! The texts of an agent with its variables put in. Pure.
//!
//! Every text that an agent's calls use is a template, whichever level states it: an agency may greet for all its tenants
//! with `{{ tenant.name }}`. What belongs to a tenant or a number itself (disclosure, consent, overflow) is not.

use crate::effective::{Effective, Sourced};
use crate::variables::{Fault, Names, Values};
use crate::voice_agent::{Closed, Goodbye, Greeting, Limits, Messages, Prompt, Silence};

/// Blocks with texts, filled in for one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    persona: String,
    prompt: Prompt,
    greeting: Greeting,
    goodbye: Goodbye,
    silence: Silence,
    limits: Limits,
    messages: Messages,
    closed: Option<Closed>,
}

/// Everything that is wrong with the texts of an agent, in the order of its fields.
#[must_use]
pub fn check(settings: &Effective<'_>, names: &Names) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(settings, |field, text| {
        if let Err(problem) = names.check(text) {
            faults.push(Fault::new(field, problem));
        }
        String::new()
    });
    faults
}

impl Texts {
    /// Fills in the texts of an agent.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn fill(settings: &Effective<'_>, values: &Values) -> Result<Self, Vec<Fault>> {
        let names = values.names();
        let mut faults = Vec::new();
        let texts = walk(settings, |field, text| {
            let filled = names.check(text).and_then(|template| template.fill(|name| values.get(name)).into_text());
            filled.unwrap_or_else(|problem| {
                faults.push(Fault::new(field, problem));
                String::new()
            })
        });
        if faults.is_empty() { Ok(texts) } else { Err(faults) }
    }

    /// The settings with these texts.
    #[must_use]
    pub fn in_place_of<'a>(&'a self, settings: &Effective<'a>) -> Effective<'a> {
        Effective {
            persona: instead(settings.persona, &self.persona),
            prompt: instead(settings.prompt, &self.prompt),
            greeting: instead(settings.greeting, &self.greeting),
            goodbye: instead(settings.goodbye, &self.goodbye),
            silence: instead(settings.silence, &self.silence),
            limits: instead(settings.limits, &self.limits),
            messages: instead(settings.messages, &self.messages),
            closed: settings.closed.zip(self.closed.as_ref()).map(|(former, closed)| instead(former, closed)),
            ..settings.clone()
        }
    }
}

fn instead<'a, T>(former: Sourced<&'a T>, value: &'a T) -> Sourced<&'a T> {
    Sourced { value, origin: former.origin }
}

/// Goes through every text; `fill` gets the path of the field and the text, and gives what takes its place.
fn walk(settings: &Effective<'_>, mut fill: impl FnMut(String, &str) -> String) -> Texts {
    let Effective { persona, prompt, greeting, goodbye, silence, limits, messages, closed, .. } = settings;
    Texts {
        persona: fill(persona.origin.path("persona"), persona.value),
        prompt: Prompt { system: fill(prompt.origin.path("prompt.system"), &prompt.value.system) },
        greeting: Greeting {
            text: fill(greeting.origin.path("greeting.text"), &greeting.value.text),
            ..greeting.value.clone()
        },
        goodbye: Goodbye {
            message: fill(goodbye.origin.path("goodbye.message"), &goodbye.value.message),
            ..goodbye.value.clone()
        },
        silence: Silence {
            prompt: fill(silence.origin.path("silence.prompt"), &silence.value.prompt),
            farewell: fill(silence.origin.path("silence.farewell"), &silence.value.farewell),
            ..silence.value.clone()
        },
        limits: Limits {
            max_duration_message: fill(
                limits.origin.path("limits.maxDurationMessage"),
                &limits.value.max_duration_message,
            ),
            ..limits.value.clone()
        },
        messages: Messages {
            error: fill(messages.origin.path("messages.error"), &messages.value.error),
            busy: fill(messages.origin.path("messages.busy"), &messages.value.busy),
        },
        closed: closed.map(|closed| {
            let Closed { message, greeting, agent_ref } = closed.value;
            let mut text =
                |field: &str, text: &Option<String>| text.as_ref().map(|text| fill(closed.origin.path(field), text));
            Closed {
                message: text("closed.message", message),
                greeting: text("closed.greeting", greeting),
                agent_ref: agent_ref.clone(),
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgencySpec, TenantSpec, VoiceAgentSpec, effective};
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    fn specs(agent: serde_json::Value) -> (AgencySpec, TenantSpec, VoiceAgentSpec) {
        let agency = json!({"defaults": {"greeting": {"text": "{{ tenant.name }}, hello."},
                                         "closed": {"message": "{{ tenant.name }} is closed."}}});
        (
            serde_json::from_value(agency).unwrap(),
            TenantSpec { display_name: "Maple Street".into(), ..TenantSpec::default() },
            serde_json::from_value(agent).unwrap(),
        )
    }

    #[test]
    fn inherited_and_own_texts_are_filled_in() {
        let (agency, tenant, agent) = specs(json!({
            "displayName": "Mia", "variables": [{"name": "town", "value": "Oakville"}],
            "persona": "You are {{ agent.name }} of {{ tenant.name }} in {{ town }}.",
            "goodbye": {"message": "Goodbye from {{ town }}.", "phrases": ["bye"]},
        }));
        let settings = effective(&agency, &tenant, &agent);
        let values = Values::of(("maple", &tenant), ("a", &agent), Timestamp::UNIX_EPOCH);
        let texts = Texts::fill(&settings, &values).unwrap();
        let filled = texts.in_place_of(&settings);
        assert_eq!(filled.greeting.value.text, "Maple Street, hello.");
        assert_eq!(filled.persona.value, "You are Mia of Maple Street in Oakville.");
        assert_eq!(filled.goodbye.value.message, "Goodbye from Oakville.");
        assert_eq!(filled.goodbye.value.phrases, ["bye"], "what is no text stays");
        assert_eq!(filled.closed.unwrap().value.message.as_deref(), Some("Maple Street is closed."));
        assert_eq!(filled.origins(), settings.origins(), "who states them stays");
        assert_eq!(filled.silence.value, settings.silence.value, "without variables nothing changes");
    }

    #[test]
    fn faults_name_the_field_where_it_is_written() {
        let (mut agency, tenant, agent) = specs(json!({"silence": {"prompt": "{{ nobody }}?"}}));
        agency.defaults.greeting.as_mut().unwrap().text = "{{ tenant.nmae }}".into();
        let settings = effective(&agency, &tenant, &agent);
        let faults = check(&settings, &Names::of(&agent));
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["the agency's spec.defaults.greeting.text", "spec.silence.prompt"]);
        let values = Values::of(("maple", &tenant), ("a", &agent), Timestamp::UNIX_EPOCH);
        assert_eq!(Texts::fill(&settings, &values).unwrap_err(), faults, "the operator and the API agree");
    }

    #[test]
    fn what_is_built_in_needs_no_variable() {
        let (agency, tenant, agent) = (AgencySpec::default(), TenantSpec::default(), VoiceAgentSpec::default());
        let none = Names::of(&agent);
        assert_eq!(check(&effective(&agency, &tenant, &agent), &none), []);
    }
}
