//! What an agent says in one call: its texts with variables put in, and its flow. Pure.
//!
//! The operator says what is wrong with an agent's texts, and a caller never hears it: such an agent takes no call.

use jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_control::v1::CallConfig;
use voxplane_crds::texts::Texts;
use voxplane_crds::variables::{Fault, Names, Values};
use voxplane_crds::voice_agent::Messages;
use voxplane_crds::{Effective, Tenant, VoiceAgent};

use super::compile::flow;

/// The texts of an agent for one call.
pub struct Spoken {
    names: Names,
    values: Values,
    texts: Result<Texts, Vec<Fault>>,
}

impl Spoken {
    /// Fills in the texts for a call that arrives at `now`.
    pub fn of(tenant: &Tenant, agent: &VoiceAgent, settings: &Effective<'_>, now: Timestamp) -> Self {
        let (tenant_name, agent_name) = (tenant.name_any(), agent.name_any());
        let values = Values::of((&tenant_name, &tenant.spec), (&agent_name, &agent.spec), now);
        let texts = Texts::fill(settings, &values);
        Self { names: Names::of(&agent.spec), values, texts }
    }

    /// The settings with these texts; as they are written when something is wrong with them, and then nobody hears them.
    pub fn settings<'a>(&'a self, settings: &Effective<'a>) -> Effective<'a> {
        match &self.texts {
            Ok(texts) => texts.in_place_of(settings),
            Err(_) => settings.clone(),
        }
    }

    /// Puts the agent's flow into the configuration of a call. `settings` are those of [`Spoken::settings`]. Whether
    /// everything the agent says makes sense.
    pub fn add_flow(&self, config: &mut CallConfig, agent: &VoiceAgent, settings: &Effective<'_>) -> bool {
        let added = agent.spec.flow.as_ref().map(|flow| flow::add(config, flow, &self.names, &self.values, settings));
        self.texts.is_ok() && added.is_none_or(|added| added.is_ok())
    }

    /// Said to callers for whom no slot is free.
    pub fn busy(&self, settings: &Effective<'_>) -> String {
        match &self.texts {
            Ok(_) => settings.messages.value.busy.clone(),
            Err(_) => Messages::default().busy,
        }
    }
}
