//! Whether a tenant is open when a call arrives, and what its agent does if it is not. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};
use voxplane_crds::Tenant;
use voxplane_crds::hours::Schedule;
use voxplane_crds::voice_agent::Closed;

/// What the hours of a tenant mean for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// What to do.
    pub action: Action,
    /// For the ledger: open or closed, and by which rule.
    pub entry: Value,
}

/// What to do with a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The agent answers as always.
    Answer,
    /// The caller hears these words and is disconnected.
    Say(String),
    /// The agent answers with these first words.
    Greet(String),
    /// The agent of this name answers.
    HandTo(String),
}

impl Action {
    /// The word in the ledger.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Say(_) => "message",
            Self::Greet(_) => "greeting",
            Self::HandTo(_) => "agent",
        }
    }
}

/// Looks at the clock of a tenant. `None`: it has no hours. Hours that make no sense, which the tenant's status says,
/// close nothing: callers should not suffer for a slip of the pen.
pub fn decide(tenant: &Tenant, closed: Option<&Closed>, now: Timestamp) -> Option<Hours> {
    let hours = tenant.spec.business_hours.as_ref()?;
    let timezone = &tenant.spec.timezone;
    let schedule = match Schedule::new(hours, timezone) {
        Ok(schedule) => schedule,
        Err(bad) => {
            return Some(Hours { action: Action::Answer, entry: json!({"state": "unknown", "rule": bad.field}) });
        }
    };
    let moment = schedule.at(now);
    let action = if moment.open { Action::Answer } else { closed.map_or(Action::Answer, when_closed) };
    let entry = json!({
        "state": if moment.open { "open" } else { "closed" },
        "rule": moment.rule,
        "local_time": moment.local,
        "timezone": timezone,
        "action": action.as_str(),
    });
    Some(Hours { action, entry })
}

fn when_closed(closed: &Closed) -> Action {
    let Closed { message, greeting, agent_ref } = closed;
    match (message, greeting, agent_ref) {
        (Some(message), ..) => Action::Say(message.clone()),
        (_, Some(greeting), _) => Action::Greet(greeting.clone()),
        (_, _, Some(agent)) => Action::HandTo(agent.name.clone()),
        (None, None, None) => Action::Answer,
    }
}
