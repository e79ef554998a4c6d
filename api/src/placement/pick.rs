//! Which pod gets a call. Pure.

use std::collections::HashSet;

use uuid::Uuid;
use voxplane_store::sessions::PodSession;

/// Refusals spoken at one time per pod, beside its call slots (they need no recogniser and no model).
pub const OVERFLOW_SLOTS: u32 = 4;

/// A connected pod as placement sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its session.
    pub session: Uuid,
    /// Calls it can carry.
    pub slots: u32,
    /// Calls it carries or was promised.
    pub busy: u32,
    /// Refusals it speaks.
    pub overflow_busy: u32,
    /// It takes nothing new.
    pub draining: bool,
    /// Credential set it has read.
    pub credentials_hash: String,
    /// What it can do.
    pub capabilities: HashSet<String>,
}

impl Candidate {
    /// Whether it takes one more call, of whatever needs.
    pub fn is_free(&self) -> bool {
        !self.draining && self.busy < self.slots
    }
}

/// The same of a pod as the database knows it.
pub fn has_free_slot(pod: &PodSession) -> bool {
    !pod.draining && pod.busy < pod.slots
}

/// What a call needs of a pod.
#[derive(Debug, Clone, Copy)]
pub enum Need<'a> {
    /// A conversation.
    Call {
        /// Capabilities it needs.
        capabilities: &'a [String],
        /// Credential set it needs.
        credentials_hash: Option<&'a str>,
    },
    /// Somebody to speak a refusal: a voice and an overflow slot.
    Refusal {
        /// Capabilities of the configuration; only those for speaking count.
        capabilities: &'a [String],
    },
}

/// The least busy pod that fits; among equals the one with the smaller session id, so that replicas agree.
pub fn pick(candidates: &[Candidate], need: Need<'_>, tried: &HashSet<Uuid>) -> Option<Uuid> {
    candidates
        .iter()
        .filter(|pod| !pod.draining && !tried.contains(&pod.session) && fits(pod, need))
        .min_by_key(|pod| (load(pod, need), pod.session))
        .map(|pod| pod.session)
}

fn fits(pod: &Candidate, need: Need<'_>) -> bool {
    match need {
        Need::Call { capabilities, credentials_hash } => {
            pod.busy < pod.slots
                && capabilities.iter().all(|capability| pod.capabilities.contains(capability))
                && has_read(&pod.credentials_hash, credentials_hash)
        }
        Need::Refusal { capabilities } => {
            pod.overflow_busy < OVERFLOW_SLOTS
                && capabilities
                    .iter()
                    .filter(|capability| capability.starts_with("tts/"))
                    .all(|capability| pod.capabilities.contains(capability))
        }
    }
}

fn has_read(found: &str, needed: Option<&str>) -> bool {
    needed.is_none_or(|hash| !hash.is_empty() && found == hash)
}

/// Whether a pod that seems to fit is connected to another replica than `replica`. The database knows neither
/// capabilities nor overflow slots, and its numbers are up to a second old: whoever holds the pod looks again.
pub fn is_elsewhere(pods: &[PodSession], replica: &str, need: Need<'_>) -> bool {
    pods.iter().filter(|pod| pod.api_replica != replica && !pod.draining).any(|pod| match need {
        Need::Call { credentials_hash, .. } => {
            pod.busy < pod.slots && has_read(&pod.credentials_hash, credentials_hash)
        }
        Need::Refusal { .. } => true,
    })
}

/// Per mille of the slots in use, so that pods of different sizes fill evenly.
fn load(pod: &Candidate, need: Need<'_>) -> u32 {
    match need {
        Need::Call { .. } => pod.busy.saturating_mul(1_000) / pod.slots.max(1),
        Need::Refusal { .. } => pod.overflow_busy,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use voxplane_store::SessionId;

    use super::*;

    fn pod(id: u128, slots: u32, busy: u32) -> Candidate {
        Candidate {
            session: Uuid::from_u128(id),
            slots,
            busy,
            overflow_busy: 0,
            draining: false,
            credentials_hash: "h1".into(),
            capabilities: ["stt/pocketsphinx", "llm/extractive", "tts/flite"].map(str::to_owned).into(),
        }
    }

    const CAPABILITIES: [&str; 3] = ["stt/pocketsphinx", "llm/extractive", "tts/flite"];

    fn choose(pods: &[Candidate], hash: Option<&str>, tried: &[u128]) -> Option<u128> {
        let capabilities = CAPABILITIES.map(str::to_owned);
        let tried = tried.iter().copied().map(Uuid::from_u128).collect();
        let need = Need::Call { capabilities: &capabilities, credentials_hash: hash };
        pick(pods, need, &tried).map(|id| id.as_u128())
    }

    #[test]
    fn the_least_busy_in_proportion_wins() {
        assert_eq!(choose(&[pod(1, 4, 2), pod(2, 10, 3)], None, &[]), Some(2));
        assert_eq!(choose(&[pod(2, 4, 1), pod(1, 4, 1)], None, &[]), Some(1));
    }

    #[test]
    fn full_draining_and_tried_pods_are_left_out() {
        let mut draining = pod(1, 4, 0);
        draining.draining = true;
        assert_eq!(choose(&[draining, pod(2, 4, 4)], None, &[]), None);
        assert_eq!(choose(&[pod(1, 4, 0), pod(2, 4, 3)], None, &[1]), Some(2));
    }

    #[test]
    fn keys_must_have_been_read() {
        assert_eq!(choose(&[pod(1, 4, 0)], Some("h1"), &[]), Some(1));
        assert_eq!(choose(&[pod(1, 4, 0)], Some("h2"), &[]), None);
        let mut bare = pod(1, 4, 0);
        bare.credentials_hash = String::new();
        assert_eq!(choose(&[bare], Some(""), &[]), None, "an unknown set is not a set that was read");
    }

    #[test]
    fn a_missing_provider_rules_a_pod_out_but_not_for_refusals() {
        let mut deaf = pod(1, 4, 4);
        deaf.capabilities.remove("stt/pocketsphinx");
        assert_eq!(choose(&[deaf.clone()], None, &[]), None);
        let capabilities = CAPABILITIES.map(str::to_owned);
        let need = Need::Refusal { capabilities: &capabilities };
        assert!(pick(&[deaf.clone()], need, &HashSet::new()).is_some(), "a full pod still speaks refusals");
        deaf.overflow_busy = OVERFLOW_SLOTS;
        assert!(pick(&[deaf], need, &HashSet::new()).is_none());
    }

    #[test]
    fn another_replicas_pod_counts_when_it_is_free_and_has_the_keys() {
        let session = PodSession {
            session: SessionId::new(),
            pod_name: "a".into(),
            pod_uid: "uid-a".into(),
            api_replica: "api-1".into(),
            slots: 2,
            busy: 1,
            credentials_hash: "h1".into(),
            version: "test".into(),
            draining: false,
        };
        let call = |hash| Need::Call { capabilities: &[], credentials_hash: hash };
        let seen = |pod: &PodSession, need| is_elsewhere(std::slice::from_ref(pod), "api-0", need);
        assert!(seen(&session, call(None)) && seen(&session, call(Some("h1"))));
        assert!(!seen(&session, call(Some("h2"))) && !seen(&session, call(Some(""))));
        let full = PodSession { busy: 2, ..session.clone() };
        assert!(!seen(&full, call(None)) && seen(&full, Need::Refusal { capabilities: &[] }));
        let draining = PodSession { draining: true, ..session.clone() };
        assert!(!seen(&draining, call(None)) && !seen(&draining, Need::Refusal { capabilities: &[] }));
        assert!(!is_elsewhere(&[session], "api-1", call(None)), "a pod of our own was looked at already");
    }

    proptest! {
        #[test]
        fn never_a_pod_without_a_free_slot(pods in prop::collection::vec((1u32..8, 0u32..10), 0..8)) {
            let pods: Vec<_> = pods.iter().zip(1..).map(|((slots, busy), id)| pod(id, *slots, *busy)).collect();
            match choose(&pods, None, &[]) {
                Some(id) => {
                    let chosen = pods.iter().find(|pod| pod.session.as_u128() == id).unwrap();
                    prop_assert!(chosen.busy < chosen.slots);
                }
                None => prop_assert!(pods.iter().all(|pod| pod.busy >= pod.slots)),
            }
        }
    }
}
