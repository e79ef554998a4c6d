//! What happens to an agent's pools, for `kubectl describe`.

use kube::Resource as _;
use kube::runtime::events::EventType;
use voxplane_crds::{VoiceAgent, VoiceAgentStatus};

use super::observe::Observed;
use crate::context::Context;
use crate::pool::closed_nodes::{Decision, Stage};

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// In one word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// Says it about the agent.
pub async fn publish(agent: &VoiceAgent, notes: &[Note], ctx: &Context) {
    for note in notes {
        ctx.events.publish(agent.object_ref(&()), EventType::Normal, note.reason, &note.message).await;
    }
}

/// What this pass changed: the number of pods, and where new calls go.
#[must_use]
pub fn notes(agent: &VoiceAgent, seen: &Observed, status: &VoiceAgentStatus) -> Vec<Note> {
    let scaled = seen.scaling.as_ref().and_then(|verdict| {
        let (from, to) = (verdict.instead_of?, verdict.decision.replicas);
        let (why, message) = (verdict.decision.reason.as_str(), &verdict.decision.message);
        let note = |reason| Note { reason, message: format!("from {from} to {to} pods ({why}): {message}") };
        Some(note(if to > from { "ScaledUp" } else { "ScaledDown" }))
    });
    let before = agent.status.as_ref().and_then(|status| status.pool.as_deref());
    let moved = before.zip(status.pool.as_deref()).filter(|(before, now)| before != now).map(|(before, now)| Note {
        reason: "PoolChanged",
        message: format!("new calls go to {now}; those on {before} end where they are"),
    });
    scaled.into_iter().chain(moved).collect()
}

/// How far the pods on closed nodes are.
#[must_use]
pub fn of_closed_nodes(decision: &Decision) -> Option<Note> {
    let leaving = decision.leaving;
    let (reason, message) = match decision.stage {
        Stage::Settling => return None,
        Stage::Substituting => (
            "SubstituteStarted",
            format!(
                "{leaving} pods are on nodes that take no new ones: one more starts elsewhere before one of them goes"
            ),
        ),
        Stage::GivingWay => (
            "PodGivesWay",
            format!(
                "another pod is connected: one of {leaving} on nodes that take no new ones takes no more calls, \
                 finishes those it has and goes"
            ),
        ),
        Stage::NoRoom => (
            "NoRoomForSubstitute",
            format!("{leaving} pods are on nodes that take no new ones and stay there: there is no room for one more"),
        ),
        Stage::Left => ("NodesLeft", "no pod that takes calls is on a node that takes no new ones".to_owned()),
    };
    Some(Note { reason, message })
}
