//! What is said about a knowledge base. Pure.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::{KnowledgeBase, KnowledgeBaseStatus};
use voxplane_store::knowledge::KnowledgeStats;

use super::observe::Observed;
use super::store::NotStored;
use super::validate::Valid;
use crate::identity::Identity;
use crate::status::{Judgement, Problem, begin};

/// The status of a knowledge base after a pass.
#[must_use]
pub fn compute(
    base: &KnowledgeBase,
    seen: &Observed,
    plan: &Result<Valid, Problem>,
    stored: Option<&Result<KnowledgeStats, NotStored>>,
    now: Timestamp,
) -> KnowledgeBaseStatus {
    let judgement = match (plan, stored) {
        (Err(problem), _) => Judgement::refused(problem),
        (Ok(_), Some(Err(error))) => Judgement { programmed: not_stored(error), ..Judgement::good() },
        (Ok(_), _) => Judgement::good(),
    };
    let id = seen.identity.as_ref().and_then(Identity::id).map(|id| id.to_string());
    let mut status = begin(base.status.as_ref(), id, base.metadata.generation, judgement.conditions(), now);
    if let (Ok(valid), Some(Ok(stats))) = (plan, stored) {
        status.content_hash = Some(valid.content_hash.clone());
        status.documents = stats.documents;
        status.chunks = stats.chunks;
    }
    status
}

fn not_stored(error: &NotStored) -> Desired {
    let why = error.to_string();
    if error.is_invalid() {
        return Desired::no(types::PROGRAMMED, reasons::INVALID, format!("spec.sources: {why}"));
    }
    let message = format!("agents look up what was stored before: {why}");
    Desired::unknown(types::PROGRAMMED, reasons::DATABASE_UNAVAILABLE, message)
}
