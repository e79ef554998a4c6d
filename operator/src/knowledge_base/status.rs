//! What is said about a knowledge base. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_crds::{KnowledgeBase, KnowledgeBaseStatus};

use super::Done;
use super::embed::Maker;
use super::gather::Failure;
use super::observe::Observed;
use super::store::{NotStored, Stored};
use super::validate::Valid;
use crate::identity::Identity;
use crate::status::{Judgement, Problem, begin};

/// The status of a knowledge base after a pass.
#[must_use]
pub fn compute(
    base: &KnowledgeBase,
    seen: &Observed,
    plan: &Result<Valid, Problem>,
    maker: &Maker,
    done: Option<&Done>,
    now: Timestamp,
) -> KnowledgeBaseStatus {
    let judgement = match (plan, done) {
        (Err(problem), _) => Judgement::refused(problem),
        (Ok(_), Some(done)) => Judgement { programmed: programmed(done, maker), ..Judgement::good() },
        (Ok(_), None) => Judgement::good(),
    };
    let judgement = match maker {
        Maker::Unresolved(problem) if plan.is_ok() => {
            let message = format!("{}; passages are found by their words only", problem.message);
            let problem = Problem { message, ..problem.clone() };
            Judgement { resolved: problem.as_condition(types::RESOLVED_REFS), ..judgement }
        }
        _ => judgement,
    };
    let id = seen.identity.as_ref().and_then(Identity::id).map(|id| id.to_string());
    let mut status = begin(base.status.as_ref(), id, base.metadata.generation, judgement.conditions(), now);
    if let (Ok(_), Some(Done { gathered, stored: Ok(stored), .. })) = (plan, done) {
        status.content_hash = Some(stored.content_hash.clone());
        status.documents = stored.stats.documents;
        status.chunks = stored.stats.chunks;
        status.embedded = stored.embedded;
        status.embedding_model = maker.model().map(|model| model.model().to_string());
        status.last_refresh = gathered.last_refresh.map(whole_seconds);
    }
    status
}

/// As Kubernetes writes times.
fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

fn programmed(done: &Done, maker: &Maker) -> Desired {
    let stored = match &done.stored {
        Err(error) => return not_stored(error),
        Ok(stored) => stored,
    };
    if let [first, others @ ..] = done.gathered.failures.as_slice() {
        return not_fetched(first, others.len());
    }
    let by_words = |why: &str| format!("{why}; passages without an embedding are found by their words only");
    match (maker, &done.progress.failure) {
        (Maker::Missing(what), _) => no(reasons::EMBEDDING_UNAVAILABLE, by_words(what)),
        (_, Some(why)) => no(reasons::EMBEDDING_UNAVAILABLE, by_words(&format!("spec.embedding: {why}"))),
        _ => unfinished(stored, maker),
    }
}

fn unfinished(stored: &Stored, maker: &Maker) -> Desired {
    if maker.model().is_some() && stored.embedded < stored.stats.chunks {
        let message = format!(
            "{} of {} passages can be found by their meaning, the rest by their words only",
            stored.embedded, stored.stats.chunks
        );
        return no(reasons::EMBEDDING, message);
    }
    Desired::yes(types::PROGRAMMED, reasons::PROGRAMMED)
}

fn no(reason: &'static str, message: String) -> Desired {
    Desired::no(types::PROGRAMMED, reason, message)
}

fn not_fetched(Failure { source, why, since }: &Failure, others: usize) -> Desired {
    let meanwhile = match since {
        Some(at) => format!("agents use the text of {}", whole_seconds(*at).0),
        None => "nothing is stored of it".to_owned(),
    };
    let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
    no(reasons::SOURCE_UNAVAILABLE, format!("spec.sources[{source}].url: {why}; {meanwhile}{more}"))
}

fn not_stored(error: &NotStored) -> Desired {
    let why = error.to_string();
    if error.is_invalid() {
        return Desired::no(types::PROGRAMMED, reasons::INVALID, format!("spec.sources: {why}"));
    }
    let message = format!("agents look up what was stored before: {why}");
    Desired::unknown(types::PROGRAMMED, reasons::DATABASE_UNAVAILABLE, message)
}
