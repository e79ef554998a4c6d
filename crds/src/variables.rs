//! The variables that an agent's texts refer to: which there are, and what they hold. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::Weekday;
use k8s_openapi::jiff::tz::TimeZone;

use crate::template::Template;
use crate::{TenantSpec, VoiceAgentSpec, hours};

/// A variable that every agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub meaning: &'static str,
}

/// The variables that every agent has.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { name: "agent.name", meaning: "the agent's display name" },
    BuiltIn { name: "tenant.name", meaning: "the tenant's display name" },
    BuiltIn { name: "call.date", meaning: "the date on which the call arrived, `2026-12-24`" },
    BuiltIn { name: "call.time", meaning: "the time at which it arrived, `09:30`" },
    BuiltIn { name: "call.weekday", meaning: "the day of the week, `Thursday`" },
    BuiltIn { name: "call.partOfDay", meaning: "`morning` until noon, `afternoon` until six, then `evening`" },
];

/// Something wrong with a text, a variable or a flow: the field, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Path of the field, seen from the agent.
    pub field: String,
    /// What is wrong with it, and the remedy.
    pub problem: String,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// Names that no variable may have: words of the language of conditions, and the groups of the built-in variables.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "tenant",
    "agent",
    "call",
];

/// Whether a name has a meaning of its own.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Names that texts may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// The built-in names and those of `spec.variables`.
    #[must_use]
    pub fn of(agent: &VoiceAgentSpec) -> Self {
        let built_in = BUILT_IN.iter().map(|variable| variable.name.to_owned());
        Self(built_in.chain(agent.variables.iter().map(|variable| variable.name.clone())).collect())
    }

    /// These, and some more.
    #[must_use]
    pub fn with<'a>(&self, more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = self.0.clone();
        all.extend(more.into_iter().map(str::to_owned));
        Self(all)
    }

    /// Whether the name is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether a name stands for several: `tenant` of `tenant.name`.
    #[must_use]
    pub fn is_group(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.split_once('.').is_some_and(|(group, _)| group == name))
    }

    /// Takes a text apart and looks up its variables.
    ///
    /// # Errors
    /// What is wrong with the text, and the remedy.
    pub fn check(&self, text: &str) -> Result<Template, String> {
        let template = Template::parse(text).map_err(|broken| broken.to_string())?;
        let unknown = template.names().find(|name| !self.contains(name)).map(|name| self.unknown(name));
        unknown.map_or(Ok(template), Err)
    }

    pub(crate) fn unknown(&self, name: &str) -> String {
        let known = self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("there is no variable {name:?}: use one of {known}, or add it to spec.variables")
    }
}

/// What variables hold when a call begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// The values for a call that arrives at `now`. A time zone that does not exist, which the tenant's status says, counts
    /// as UTC.
    #[must_use]
    pub fn of(tenant: (&str, &TenantSpec), agent: (&str, &VoiceAgentSpec), now: Timestamp) -> Self {
        let shown = |name: &str, display: &str| if display.is_empty() { name.to_owned() } else { display.to_owned() };
        let zone = hours::zone(&tenant.1.timezone).unwrap_or(TimeZone::UTC);
        let local = zone.to_datetime(now);
        let built_in = [
            ("agent.name", shown(agent.0, &agent.1.display_name)),
            ("tenant.name", shown(tenant.0, &tenant.1.display_name)),
            ("call.date", local.date().to_string()),
            ("call.time", format!("{:02}:{:02}", local.hour(), local.minute())),
            ("call.weekday", weekday(local.weekday()).to_owned()),
            ("call.partOfDay", part_of_day(local.hour()).to_owned()),
        ];
        let own = agent.1.variables.iter().map(|variable| (variable.name.clone(), variable.value.clone()));
        Self(built_in.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect())
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Names {
        Names(self.0.keys().cloned().collect())
    }
}

const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

const fn part_of_day(hour: i8) -> &'static str {
    match hour {
        0..12 => "morning",
        12..18 => "afternoon",
        _ => "evening",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn agent() -> VoiceAgentSpec {
        serde_json::from_value(json!({"variables": [{"name": "clinic", "value": "Maple {{ x }}"}]})).unwrap()
    }

    #[test]
    fn values_are_those_of_the_tenants_clock() {
        let tenant = TenantSpec {
            timezone: "America/New_York".into(),
            display_name: "Maple Street".into(),
            ..TenantSpec::default()
        };
        let values = Values::of(("maple", &tenant), ("reception", &agent()), "2026-12-25T02:30:00Z".parse().unwrap());
        for (name, expected) in [
            ("tenant.name", "Maple Street"),
            ("agent.name", "reception"),
            ("call.date", "2026-12-24"),
            ("call.time", "21:30"),
            ("call.weekday", "Thursday"),
            ("call.partOfDay", "evening"),
            ("clinic", "Maple {{ x }}"),
        ] {
            assert_eq!(values.get(name), Some(expected), "{name}");
        }
        assert_eq!(values.names(), Names::of(&agent()), "what is known is what has a value");
        assert!(BUILT_IN.iter().all(|variable| values.get(variable.name).is_some()));
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let names = Names::of(&agent());
        assert!(names.check("Welcome to {{ clinic }}, {{ call.weekday }}").is_ok());
        let problem = names.check("Welcome to {{ clinik }}").unwrap_err();
        assert!(problem.starts_with("there is no variable \"clinik\": use one of agent.name, call.date"), "{problem}");
        assert!(problem.contains("clinic") && problem.ends_with("or add it to spec.variables"), "{problem}");
        assert!(names.check("{{ clinic").unwrap_err().contains("not closed"));
    }

    /// The rule in the definitions is written out, because a schema takes no list.
    #[test]
    fn the_definition_reserves_the_same_names() {
        let listed: Vec<_> = crate::schema::NOT_RESERVED.split('\'').skip(1).step_by(2).collect();
        assert_eq!(listed, RESERVED);
        assert!(BUILT_IN.iter().all(|variable| is_reserved(variable.name.split('.').next().unwrap())));
    }
}
