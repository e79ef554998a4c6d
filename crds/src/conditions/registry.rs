//! What every reason means: its cause, and what to do about it. The reference page, the kubectl plugin and the GitOps
//! health checks all read this one list.

use super::reasons;

/// What a reason says about the object that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// All is well.
    Good,
    /// It passes by itself; only when it lasts is something wrong.
    Waiting,
    /// Somebody wanted it so.
    Intended,
    /// Somebody has to do something.
    Broken,
}

impl Meaning {
    /// In a word, for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Intended => "intended",
            Self::Broken => "broken",
        }
    }
}

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The reason, one of [`reasons`].
    pub reason: &'static str,
    /// What it says about the object.
    pub meaning: Meaning,
    /// How it comes about.
    pub cause: &'static str,
    /// What to do. Empty only where nothing needs doing.
    pub remedy: &'static str,
}

/// The entry of a reason; `None` for a reason of a newer version.
#[must_use]
pub fn find(reason: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.reason == reason)
}

const fn good(reason: &'static str, cause: &'static str) -> Entry {
    Entry { reason, meaning: Meaning::Good, cause, remedy: "" }
}

const fn waiting(reason: &'static str, cause: &'static str, remedy: &'static str) -> Entry {
    Entry { reason, meaning: Meaning::Waiting, cause, remedy }
}

const fn intended(reason: &'static str, cause: &'static str, remedy: &'static str) -> Entry {
    Entry { reason, meaning: Meaning::Intended, cause, remedy }
}

const fn broken(reason: &'static str, cause: &'static str, remedy: &'static str) -> Entry {
    Entry { reason, meaning: Meaning::Broken, cause, remedy }
}

/// Every reason, in the order of [`reasons`].
pub const ALL: &[Entry] = &[
    good(reasons::ACCEPTED, "The spec is valid and nothing stands in its way."),
    broken(
        reasons::INVALID,
        "The spec contradicts itself, or another object of the tenant, in a way that the API server cannot see.",
        "Change the field that the message names. What was made from the last valid spec stays as it is. An agent whose \
         texts name an unknown variable takes no call until then.",
    ),
    broken(
        reasons::FLOW_INVALID,
        "The steps of `spec.flow` cannot be followed: a node that does not exist, one that is never reached, a circle in \
         which the caller is never asked, or a text or condition that names something unknown.",
        "Change the node that the message names; docs/flows.md shows the rules. Until then the agent takes no call.",
    ),
    broken(
        reasons::NAMESPACE_CONFLICT,
        "The namespace that would belong to this agency or tenant exists and was made by somebody else.",
        "Delete or rename that namespace, or give the agency or tenant another name. The operator never takes over a \
         namespace that it did not make.",
    ),
    broken(
        reasons::NO_AGENCY,
        "The agency that this object belongs to does not exist, is being deleted, or is not accepted itself.",
        "Create the Agency, or repair it first: `kubectl get agencies` and `kubectl describe agency <name>`.",
    ),
    broken(
        reasons::WRONG_NAMESPACE,
        "The object lies in a namespace of no agency or tenant, or of one that is not accepted.",
        "Create tenants in `vx-<agency>` and everything else in `vx-<agency>--<tenant>`; the operator makes these \
         namespaces. If the namespace is right, repair the agency or tenant that the message names.",
    ),
    broken(
        reasons::NUMBER_IN_USE,
        "Another PhoneNumber claimed the same number first. Whose it is is not said, because it may be another tenant's.",
        "Use another number, or delete the other PhoneNumber: this one then gets the number by itself.",
    ),
    broken(
        reasons::NUMBER_NOT_GRANTED,
        "No entry in the agency's `spec.carriers[].numbers` grants the number to this tenant.",
        "Add the number, or a prefix of it, to the carrier connection of the Agency and list the tenant there. That \
         needs the right `set-limits` on agencies.",
    ),
    broken(
        reasons::PURCHASE_NOT_ALLOWED,
        "The PhoneNumber searches for a number, but the agency's carrier connection may not buy any.",
        "Set `purchases.enabled: true` at the carrier connection of the Agency (it needs the right `set-limits`), or give \
         the PhoneNumber a `number` that the agency has already.",
    ),
    broken(
        reasons::OUTBOUND_NOT_ALLOWED,
        "The PhoneNumber has `outbound.enabled`, but the agency's carrier connection places no calls. Calls to the number \
         are taken all the same.",
        "Give the carrier connection of the Agency `outbound` and `allowedDestinations` (it needs the right `set-limits`), \
         or take `outbound` out of the PhoneNumber.",
    ),
    broken(
        reasons::DESTINATION_NOT_ALLOWED,
        "`fallbackNumber` names a number to which the agency lets its carrier connection pay no calls.",
        "Add the number, or a beginning of it (`+49*`), to `allowedDestinations` of the carrier connection of the Agency \
         (it needs the right `set-limits`), or name another number.",
    ),
    broken(
        reasons::FALLBACK_NOT_POSSIBLE,
        "`fallbackNumber` is set, and the carrier cannot be told through its API where one number's calls go while the \
         platform does not answer.",
        "Set it by hand in the carrier's portal, as docs/carriers.md says for each carrier, and take `fallbackNumber` out \
         of the PhoneNumber; or use a number over a connection of type `telnyx`.",
    ),
    broken(
        reasons::NO_NUMBER_FOUND,
        "The carrier has nothing for sale that fits `spec.search`.",
        "Make the search wider in a new PhoneNumber: `search` cannot be changed. Else wait; it is tried again, up to ten \
         minutes apart.",
    ),
    broken(
        reasons::NUMBER_NOT_IN_ACCOUNT,
        "`spec.number` names a number that the agency's account at the carrier does not have.",
        "Buy or move the number there, correct it, or use `search` to have one bought.",
    ),
    waiting(
        reasons::ORDERING,
        "The number was ordered, and the carrier has not confirmed it yet.",
        "Wait. Some countries ask for documents first: if it lasts for hours, look at the order in the carrier's console. \
         Leave our mark, `voxplane:…`, on the number and the order.",
    ),
    broken(
        reasons::CARRIER_REFUSED,
        "The carrier said no; the message has its words.",
        "Do what they ask for (funds, an address, a document). It is tried again by itself.",
    ),
    broken(
        reasons::CARRIER_CREDENTIALS,
        "The carrier does not accept the keys in the connection's Secret.",
        "Put valid keys into the Secret that the Agency's carrier connection names: docs/carriers.md lists them.",
    ),
    broken(
        reasons::CARRIER_REAUTHORIZATION,
        "The authorisation that an administrator of the carrier account gave has ended, was withdrawn or lacks a scope.",
        "Authorise again as docs/carriers.md describes, as an administrator and with the scopes named there, and put the \
         new refresh token into the connection's Secret. It is tried again by itself.",
    ),
    waiting(
        reasons::CARRIER_UNAVAILABLE,
        "The carrier cannot be reached, fails, or did not say whether it did what was asked.",
        "Wait: it is tried again by itself, and nothing is bought twice. If it lasts, see the carrier's status page and \
         whether the operator may reach it (port 443).",
    ),
    waiting(
        reasons::CARRIER_RATE_LIMITED,
        "The carrier asked for fewer requests.",
        "Wait: it goes on when the carrier allows it.",
    ),
    broken(
        reasons::QUOTA_EXCEEDED,
        "A quota of the agency or the tenant is used up by older objects.",
        "Raise the quota that the message names (it needs the right `set-limits`), or delete an object that is no \
         longer needed.",
    ),
    good(reasons::RESOLVED, "Everything that the spec refers to exists and may be used."),
    broken(
        reasons::REF_NOT_FOUND,
        "The spec names an agent, a knowledge base or a Secret that does not exist in the same namespace, or a carrier \
         connection that the agency does not have.",
        "Create what the message names, or correct the name. The condition follows within seconds; nothing has to be \
         applied again.",
    ),
    broken(
        reasons::REF_NOT_PERMITTED,
        "The Secret exists, but it is not one that may be read: its type, its label or a key in it is missing.",
        "Give the Secret the type `voxplane.dev/credentials`, the label `voxplane.dev/provider` with the provider's name, \
         and the keys that the message names. A Secret's type cannot be changed: delete it and create it again.",
    ),
    good(reasons::PROGRAMMED, "Everything that the spec asks for has been made, in the cluster and outside."),
    good(reasons::READY, "It can be used now."),
    good(reasons::BOUND, "Calls to the number reach an agent."),
    waiting(
        reasons::PENDING,
        "Not decided yet: something that comes first is still being looked at.",
        "Wait a few seconds. If it stays, see whether the operator runs: `kubectl -n voxplane-system get pods`, and its \
         log.",
    ),
    broken(
        reasons::LIVEKIT_ERROR,
        "LiveKit did not do what was asked of it, or no LiveKit is configured. What was programmed before still works.",
        "Read the message; for a carrier connection also `status.carriers` of the Agency. Check that LiveKit runs and \
         that the chart's `livekit` values are right. The operator tries again by itself.",
    ),
    broken(
        reasons::DATABASE_UNAVAILABLE,
        "Postgres does not answer, so nothing new can be made. Routes and pods that exist are kept, and calls go on.",
        "Bring Postgres back, or correct the connection in the chart's `postgres` values. The operator goes on by itself.",
    ),
    broken(
        reasons::SOURCE_UNAVAILABLE,
        "A text of a KnowledgeBase cannot be fetched: its server does not answer or refuses, the address is not public, or \
         what came is no text. Agents use the text that was fetched last; the message says from when it is.",
        "Correct the address or its server. It is tried again after five minutes, and at once when the object changes. For \
         an address inside your own networks, list its range in the chart's `knowledge.allowedCidrs`.",
    ),
    broken(
        reasons::EMBEDDING_UNAVAILABLE,
        "The passages of a KnowledgeBase cannot be made comparable by meaning: the model's file is missing, or the service \
         that makes embeddings refuses or does not answer. Passages are found by their words.",
        "Do what the message says: correct `spec.embedding` or the Secret, or use an image with the model. A service that \
         is overloaded or away is asked again by itself.",
    ),
    waiting(
        reasons::EMBEDDING,
        "The passages of a KnowledgeBase are being made comparable by meaning. Those that are not yet are found by their \
         words.",
        "Wait; the message says how many are left.",
    ),
    broken(
        reasons::APPLY_FAILED,
        "The API server refused an object that the operator makes.",
        "The message has the API server's words: often a ResourceQuota, a LimitRange or an admission policy of the \
         cluster. Change that policy, or what the spec asks for.",
    ),
    intended(
        reasons::SUSPENDED,
        "`spec.suspended` is true on the agency or the tenant: no call is taken.",
        "Set `spec.suspended: false` when calls should be taken again; it needs the right `set-limits`.",
    ),
    intended(
        reasons::PAUSED,
        "`spec.paused` is true on the agent: new calls are refused as busy, calls under way go on.",
        "Set `spec.paused: false` when calls should be taken again.",
    ),
    waiting(
        reasons::WAITING_FOR_PODS,
        "No runtime pod of the pool is connected to the API: pods are starting, cannot start, or none is asked for.",
        "If `spec.runtime.replicas` is 0, raise it. Else look at the pods: `kubectl voxplane status` shows why one does \
         not start (image, resources, quota), and its log says what it cannot reach.",
    ),
    waiting(
        reasons::WAITING_FOR_CREDENTIALS,
        "Pods have not read the newest keys yet. Kubernetes hands changed Secrets to running pods within two minutes.",
        "Wait two minutes. To be faster, restart the pool: `kubectl -n <namespace> rollout restart deployment \
         voxplane-runtime`; calls under way are finished first.",
    ),
    waiting(
        reasons::WAITING_FOR_DEPENDENCY,
        "Another resource that this one depends on is not ready.",
        "Repair the resource that the message names; this one follows by itself.",
    ),
    waiting(
        reasons::DRAINING,
        "Calls under way are being finished; no new ones are taken.",
        "Wait until the last call has ended, at most for the agent's `spec.limits.maxDurationSeconds`.",
    ),
    waiting(
        reasons::TERMINATING,
        "The object is being deleted: calls end first, then numbers and trunks go, then what was made in the cluster.",
        "Wait. The message says for what; where it names other resources, their conditions say what keeps them. Do not take \
         the finalizer away by hand: what is outside the cluster would stay behind.",
    ),
];

#[cfg(test)]
mod tests;
