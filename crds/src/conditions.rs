//! The condition vocabulary, and how a condition list is updated.
//!
//! Conditions are observations. All of a kind's types are set from the first visit on, `Unknown` where nothing is known.
//! What each reason means and what to do about it stands in [`registry`].

pub mod registry;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Condition types.
pub mod types {
    /// The spec is valid and nothing stands in its way.
    pub const ACCEPTED: &str = "Accepted";
    /// Everything the spec refers to exists and may be used.
    pub const RESOLVED_REFS: &str = "ResolvedRefs";
    /// What the spec asks for has been made, in the cluster and outside.
    pub const PROGRAMMED: &str = "Programmed";
    /// It can be used now.
    pub const READY: &str = "Ready";
    /// PhoneNumber: calls to the number reach an agent.
    pub const BOUND: &str = "Bound";

    /// The types that every kind sets.
    pub const COMMON: [&str; 4] = [ACCEPTED, RESOLVED_REFS, PROGRAMMED, READY];
}

/// Reasons: the cause in one word. Not every type uses every reason. Each has an entry in [`registry::ALL`].
pub mod reasons {
    /// `Accepted`: the spec is valid.
    pub const ACCEPTED: &str = "Accepted";
    /// The spec contradicts itself; the message names the field.
    pub const INVALID: &str = "Invalid";
    /// The steps of an agent's flow cannot be followed; the message names node and field.
    pub const FLOW_INVALID: &str = "FlowInvalid";
    /// A namespace of the needed name exists and is not ours.
    pub const NAMESPACE_CONFLICT: &str = "NamespaceConflict";
    /// The agency this object must belong to does not exist.
    pub const NO_AGENCY: &str = "NoAgency";
    /// The object lies in a namespace that belongs to no agency or tenant.
    pub const WRONG_NAMESPACE: &str = "WrongNamespace";
    /// Somebody else claimed the number first.
    pub const NUMBER_IN_USE: &str = "NumberInUse";
    /// The agency's carrier connection grants the number to nobody, or not to this tenant.
    pub const NUMBER_NOT_GRANTED: &str = "NumberNotGranted";
    /// A number would have to be bought, and the agency does not allow it.
    pub const PURCHASE_NOT_ALLOWED: &str = "PurchaseNotAllowed";
    /// Calls are to be placed with the number, and its carrier connection places none.
    pub const OUTBOUND_NOT_ALLOWED: &str = "OutboundNotAllowed";
    /// The agency does not let its carrier connection pay calls to the number that is named.
    pub const DESTINATION_NOT_ALLOWED: &str = "DestinationNotAllowed";
    /// The carrier has nothing to be told where calls go while the platform does not answer.
    pub const FALLBACK_NOT_POSSIBLE: &str = "FallbackNotPossible";
    /// The carrier has no number like the one that is looked for.
    pub const NO_NUMBER_FOUND: &str = "NoNumberFound";
    /// The number is not in the agency's account at the carrier.
    pub const NUMBER_NOT_IN_ACCOUNT: &str = "NumberNotInAccount";
    /// The number is being bought; the carrier has not confirmed it.
    pub const ORDERING: &str = "Ordering";
    /// The carrier said no; the message has its words.
    pub const CARRIER_REFUSED: &str = "CarrierRefused";
    /// The carrier does not accept the credentials.
    pub const CARRIER_CREDENTIALS: &str = "CarrierCredentials";
    /// The authorisation at the carrier ended, was withdrawn or lacks a scope.
    pub const CARRIER_REAUTHORIZATION: &str = "CarrierReauthorization";
    /// The carrier cannot be reached.
    pub const CARRIER_UNAVAILABLE: &str = "CarrierUnavailable";
    /// The carrier was asked too often.
    pub const CARRIER_RATE_LIMITED: &str = "CarrierRateLimited";
    /// A quota is used up.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// `ResolvedRefs`: everything referred to exists and may be used.
    pub const RESOLVED: &str = "Resolved";
    /// Something referred to does not exist.
    pub const REF_NOT_FOUND: &str = "RefNotFound";
    /// Something referred to exists and may not be used.
    pub const REF_NOT_PERMITTED: &str = "RefNotPermitted";
    /// `Programmed`: everything has been made.
    pub const PROGRAMMED: &str = "Programmed";
    /// `Ready`: it can be used now.
    pub const READY: &str = "Ready";
    /// `Bound`: calls reach an agent.
    pub const BOUND: &str = "Bound";
    /// Not decided yet.
    pub const PENDING: &str = "Pending";
    /// LiveKit did not do what was asked of it.
    pub const LIVEKIT_ERROR: &str = "LiveKitError";
    /// The database does not answer.
    pub const DATABASE_UNAVAILABLE: &str = "DatabaseUnavailable";
    /// A text cannot be fetched; the one fetched last stays in use.
    pub const SOURCE_UNAVAILABLE: &str = "SourceUnavailable";
    /// Passages cannot be made comparable by meaning; they are found by their words.
    pub const EMBEDDING_UNAVAILABLE: &str = "EmbeddingUnavailable";
    /// Passages are being made comparable by meaning.
    pub const EMBEDDING: &str = "Embedding";
    /// The API server refused an object, or the pool cannot be made.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// The agency or the tenant is suspended.
    pub const SUSPENDED: &str = "Suspended";
    /// The agent is paused.
    pub const PAUSED: &str = "Paused";
    /// Pods are starting.
    pub const WAITING_FOR_PODS: &str = "WaitingForPods";
    /// Pods have not read the newest keys yet.
    pub const WAITING_FOR_CREDENTIALS: &str = "WaitingForCredentials";
    /// Another resource this one depends on is not ready.
    pub const WAITING_FOR_DEPENDENCY: &str = "WaitingForDependency";
    /// Calls are finishing.
    pub const DRAINING: &str = "Draining";
    /// The object is being deleted.
    pub const TERMINATING: &str = "Terminating";
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// The value as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A condition as it should be. It has no time: [`set`] finds out whether it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What is observed, one of [`types`].
    pub type_: &'static str,
    /// Whether it is so.
    pub status: Status,
    /// Why, one of [`reasons`]: never empty, because the API server refuses an empty reason.
    pub reason: &'static str,
    /// Why, in a sentence for people.
    pub message: String,
}

impl Desired {
    /// It is so.
    pub fn yes(type_: &'static str, reason: &'static str) -> Self {
        Self::new(type_, Status::True, reason, "")
    }

    /// It is not so.
    pub fn no(type_: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(type_, Status::False, reason, message)
    }

    /// Nobody knows.
    pub fn unknown(type_: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(type_, Status::Unknown, reason, message)
    }

    /// All parts.
    pub fn new(type_: &'static str, status: Status, reason: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(!reason.is_empty(), "the API server refuses a condition without a reason");
        Self { type_, status, reason, message: message.into() }
    }
}

/// Longest message the API server accepts (`metav1.Condition`).
const MAX_MESSAGE: usize = 32_768;

/// Puts `desired` into `conditions`, in place of the one of the same type. The transition time moves only when the
/// status changes. Returns whether the status changed.
pub fn set(conditions: &mut Vec<Condition>, desired: Desired, generation: Option<i64>, now: Timestamp) -> bool {
    let Desired { type_, status, reason, mut message } = desired;
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
    }
    let previous = conditions.iter_mut().find(|condition| condition.type_ == type_);
    let changed = previous.as_ref().is_none_or(|condition| condition.status != status.as_str());
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: match &previous {
            Some(previous) if !changed => previous.last_transition_time.clone(),
            _ => Time(now),
        },
    };
    match previous {
        Some(previous) => *previous = condition,
        None => conditions.push(condition),
    }
    changed
}

/// [`set`] for several, in order.
pub fn set_all(
    conditions: &mut Vec<Condition>,
    desired: impl IntoIterator<Item = Desired>,
    generation: Option<i64>,
    now: Timestamp,
) {
    for one in desired {
        set(conditions, one, generation, now);
    }
}

/// The condition of a type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of a type is `True`, whichever generation it judged.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// Whether the condition of a type is `True` for this generation of the object.
#[must_use]
pub fn is_true_for(conditions: &[Condition], type_: &str, generation: Option<i64>) -> bool {
    find(conditions, type_)
        .is_some_and(|condition| condition.status == "True" && condition.observed_generation == generation)
}

#[cfg(test)]
mod tests;
