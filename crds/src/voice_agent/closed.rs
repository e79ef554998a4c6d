//! What happens to calls outside of the tenant's business hours.

use crate::refs::LocalRef;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What happens to calls outside of the tenant's business hours (`spec.businessHours` of the Tenant): one of these.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.message), has(self.greeting), has(self.agentRef)].filter(given, given).size() == 1")
        .message("give exactly one of `message` (say it and hang up), `greeting` (talk, but begin with it) and `agentRef` (another agent answers)")
)]
pub struct Closed {
    /// Spoken to the caller, who is then disconnected. Omitted: see the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub message: Option<String>,
    /// The agent answers as usual, but begins with these words instead of its greeting. Omitted: see the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1_000))]
    pub greeting: Option<String>,
    /// Another VoiceAgent of the same tenant answers, as if the number were its own; what that one says about closed
    /// hours is not looked at. Omitted: see the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ref: Option<LocalRef>,
}
