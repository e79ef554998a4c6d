//! What the statuses of all kinds have in common: comparing, and the roll-up into `Ready`.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::{self, Desired, Status, reasons, types};
use voxplane_crds::status::CommonStatus;

/// Whether two statuses are the same, so that nothing needs to be written.
pub fn same<S: CommonStatus>(a: &S, b: &S) -> bool {
    a == b
}

/// The judgements of one pass. `Ready` follows from them and from `obstacle`.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// `Accepted`.
    pub accepted: Desired,
    /// `ResolvedRefs`.
    pub resolved: Desired,
    /// `Programmed`.
    pub programmed: Desired,
    /// What stands in the way of use although everything has been made (suspended, no pods yet).
    pub obstacle: Option<Desired>,
}

impl Judgement {
    /// Nothing stands in the way, and everything has been made.
    #[must_use]
    pub fn good() -> Self {
        Self {
            accepted: Desired::yes(types::ACCEPTED, reasons::ACCEPTED),
            resolved: Desired::yes(types::RESOLVED_REFS, reasons::RESOLVED),
            programmed: Desired::yes(types::PROGRAMMED, reasons::PROGRAMMED),
            obstacle: None,
        }
    }

    /// The spec cannot be accepted; the rest is not known.
    #[must_use]
    pub fn refused(problem: &Problem) -> Self {
        let pending = |type_| Desired::unknown(type_, reasons::PENDING, "not looked at: the object is not accepted");
        Self {
            accepted: problem.as_condition(types::ACCEPTED),
            resolved: pending(types::RESOLVED_REFS),
            programmed: pending(types::PROGRAMMED),
            obstacle: None,
        }
    }

    /// The conditions, `Ready` last: true if all others are, else for the reason of the first that is not.
    #[must_use]
    pub fn conditions(self) -> Vec<Desired> {
        let first = [&self.accepted, &self.resolved, &self.programmed]
            .into_iter()
            .chain(self.obstacle.as_ref())
            .find(|condition| condition.status != Status::True);
        let ready = match first {
            None => Desired::yes(types::READY, reasons::READY),
            Some(cause) => Desired::new(types::READY, cause.status, cause.reason, cause.message.clone()),
        };
        vec![self.accepted, self.resolved, self.programmed, ready]
    }
}

/// Something wrong with an object, for a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it is known to be wrong, or only not known to be right.
    pub status: Status,
    /// In one word.
    pub reason: &'static str,
    /// In a sentence that names the field and the fix.
    pub message: String,
}

impl Problem {
    /// It is wrong.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::False, reason, message: message.into() }
    }

    /// Nobody knows yet.
    pub fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::Unknown, reason, message: message.into() }
    }

    /// As the condition of a type.
    #[must_use]
    pub fn as_condition(&self, type_: &'static str) -> Desired {
        Desired::new(type_, self.status, self.reason, self.message.clone())
    }
}

/// Starts a status from the previous one: keeps what this pass does not know, and sets id, generation and conditions.
pub fn begin<S: CommonStatus>(
    previous: Option<&S>,
    id: Option<String>,
    generation: Option<i64>,
    desired: Vec<Desired>,
    now: Timestamp,
) -> S {
    let mut status = previous.cloned().unwrap_or_default();
    if let Some(id) = id {
        status.set_id(id);
    }
    status.set_observed_generation(generation);
    conditions::set_all(status.conditions_mut(), desired, generation, now);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(judgement: Judgement) -> (Status, &'static str) {
        let conditions = judgement.conditions();
        let ready = conditions.last().unwrap();
        assert_eq!(ready.type_, types::READY);
        (ready.status, ready.reason)
    }

    #[test]
    fn ready_has_the_reason_of_the_first_obstacle() {
        assert_eq!(ready(Judgement::good()), (Status::True, reasons::READY));
        let suspended = Problem::new(reasons::SUSPENDED, "suspended").as_condition(types::READY);
        let judgement = Judgement { obstacle: Some(suspended.clone()), ..Judgement::good() };
        assert_eq!(ready(judgement), (Status::False, reasons::SUSPENDED));
        let programmed = Desired::unknown(types::PROGRAMMED, reasons::DATABASE_UNAVAILABLE, "away");
        let judgement = Judgement { programmed, obstacle: Some(suspended), ..Judgement::good() };
        assert_eq!(ready(judgement), (Status::Unknown, reasons::DATABASE_UNAVAILABLE));
        let refused = Judgement::refused(&Problem::new(reasons::INVALID, "spec.number: wrong"));
        assert_eq!(ready(refused), (Status::False, reasons::INVALID));
    }
}
