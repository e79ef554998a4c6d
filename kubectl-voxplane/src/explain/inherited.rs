//! What an agent inherits from its tenant and its agency.

use kube::api::DynamicObject;
use serde_json::{Map, Value};
use voxplane_crds::{AgencySpec, Effective, Origin, TenantSpec, VoiceAgentSpec, effective};

use super::fields;
use crate::world::World;

/// The levels above an agent.
#[derive(Debug, Default)]
pub struct Levels {
    agency: AgencySpec,
    tenant: TenantSpec,
}

impl Levels {
    /// Those of the tenant whose namespace this is, and notes about what cannot be read.
    pub fn of(namespace: &str, world: &World, notes: &mut Vec<String>) -> Self {
        let (agency, tenant) = world.owners(namespace);
        let mut unread = |what: &str| {
            notes.push(format!(
                "The {what} could not be read, so what it sets for its agents is not shown: where this says `default`, \
                 the {what} may say otherwise."
            ));
        };
        let read = |object: Option<&DynamicObject>| object.map(|object| object.data["spec"].clone());
        let agency = read(agency).and_then(|spec| serde_json::from_value(spec).ok());
        let tenant = read(tenant).and_then(|spec| serde_json::from_value(spec).ok());
        if agency.is_none() {
            unread("agency");
        }
        if tenant.is_none() {
            unread("tenant");
        }
        Self { agency: agency.unwrap_or_default(), tenant: tenant.unwrap_or_default() }
    }

    /// What an agent's calls use.
    pub fn settle<'a>(&'a self, agent: &'a VoiceAgentSpec) -> Effective<'a> {
        effective(&self.agency, &self.tenant, agent)
    }
}

/// What stands below an agent's own fields.
#[derive(Debug)]
pub struct Inherited {
    /// A spec of what is in effect where the agent states nothing.
    pub defaults: Value,
    /// Who states each block; empty if the agent could not be understood.
    pub origins: Vec<(&'static str, Origin)>,
}

impl Inherited {
    /// What an agent with these settings inherits.
    pub fn of(settings: Option<&Effective<'_>>) -> Self {
        let (agency, tenant, agent) = (AgencySpec::default(), TenantSpec::default(), VoiceAgentSpec::default());
        let built_in = as_object(effective(&agency, &tenant, &agent).to_value());
        let mut in_effect = settings.map(|settings| as_object(settings.to_value())).unwrap_or_default();
        let origins = settings.map(Effective::origins).unwrap_or_default();
        // A block of the agent's own gets what it leaves out from the schema, not from a level above.
        in_effect.retain(|name, _| origins.iter().any(|(block, origin)| block == name && *origin != Origin::Agent));
        let mut defaults = built_in;
        defaults.extend(in_effect);
        defaults.retain(|_, value| value.as_str() != Some(""));
        defaults.extend(as_object(serde_json::to_value(agent)));
        Self { defaults: Value::Object(defaults), origins }
    }

    /// Who states the block that a field belongs to.
    pub fn origin(&self, field: &str) -> Option<Origin> {
        self.origins.iter().find(|(block, _)| *block == field).map(|(_, origin)| *origin)
    }

    /// Blocks that nobody wrote into the agent, and that hide a default all the same: earlier versions of the
    /// definitions filled them in.
    pub fn shadows(&self, agent: &DynamicObject, levels: &Levels) -> Vec<String> {
        let silent = VoiceAgentSpec::default();
        let above = levels.settle(&silent).origins();
        let hides = |block: &str| above.iter().any(|(name, origin)| *name == block && *origin != Origin::BuiltIn);
        let filled_in = self
            .origins
            .iter()
            .filter(|(block, origin)| *origin == Origin::Agent && hides(block) && !fields::is_owned(agent, block));
        filled_in
            .map(|(block, _)| {
                format!(
                    "spec.{block} was filled in by an earlier version, nobody wrote it, and it hides the default of the \
                     tenant or the agency. To inherit that: kubectl patch voiceagent NAME --type=json \
                     -p '[{{\"op\": \"remove\", \"path\": \"/spec/{block}\"}}]'"
                )
            })
            .collect()
    }
}

fn as_object(value: Result<Value, serde_json::Error>) -> Map<String, Value> {
    match value {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}
