//! Which of an agent's two images a call is tried on first. Pure.

use kube::ResourceExt as _;
use voxplane_crds::VoiceAgent;
use voxplane_crds::names::PoolId;
use voxplane_store::CallId;

/// Pods with an image that is tried, and their share of the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Their pool.
    pub pool: PoolId,
    /// How many of a hundred calls they get.
    pub percent: i32,
}

impl Canary {
    /// What the agent asks for, while its calls go to the pool of its own.
    pub fn of(agent: &VoiceAgent, serving: &PoolId) -> Option<Self> {
        let (namespace, name) = (agent.namespace()?, agent.name_any());
        let asked = agent.spec.runtime.canary.as_ref()?;
        let is_own = *serving == PoolId::dedicated_in(&namespace, &name);
        is_own.then(|| Self { pool: PoolId::canary_in(namespace, &name), percent: asked.percent })
    }

    /// Whether it is tried on this call. The same call always gets the same answer, from every replica.
    pub fn takes(&self, call: CallId) -> bool {
        // The end of an id is random, its beginning may be the time.
        let hundredth = call.0.as_u128() % 100;
        u128::try_from(self.percent).is_ok_and(|percent| hundredth < percent)
    }
}

/// The pools that a call is offered to, one after another. A share that the canary has no room for, or refuses, is
/// answered by the others; their calls never go to the canary, however busy they are.
pub fn pools<'a>(serving: &'a PoolId, canary: Option<&'a Canary>, call: CallId) -> Vec<&'a PoolId> {
    let tried = canary.filter(|canary| canary.takes(call)).map(|canary| &canary.pool);
    tried.into_iter().chain([serving]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn agent(runtime: &serde_json::Value) -> VoiceAgent {
        serde_json::from_value(json!({
            "apiVersion": "voxplane.dev/v1alpha1", "kind": "VoiceAgent",
            "metadata": {"name": "night", "namespace": "vx-acme--dental"}, "spec": {"runtime": runtime},
        }))
        .unwrap()
    }

    #[test]
    fn a_canary_is_tried_beside_the_agents_own_pool_only() {
        let (own, shared) = (PoolId::dedicated_in("vx-acme--dental", "night"), PoolId::pooled("acme", "dental"));
        let asked = agent(&json!({"placement": "Dedicated", "canary": {"image": "r:2", "percent": 20}}));
        let canary = Canary::of(&asked, &own).unwrap();
        assert_eq!((canary.pool.to_string().as_str(), canary.percent), ("vx-acme--dental/voxplane-canary-night", 20));
        assert_eq!(Canary::of(&asked, &shared), None, "its own pool is not ready yet");
        assert_eq!(Canary::of(&agent(&json!({"placement": "Dedicated"})), &own), None);
    }

    #[test]
    fn its_share_is_what_was_asked_for() {
        for percent in [1, 10, 50] {
            let canary = Canary { pool: PoolId::canary_in("vx-acme--dental", "night"), percent };
            let calls: Vec<CallId> = (0..20_000).map(|_| CallId::new()).collect();
            let taken = calls.iter().filter(|call| canary.takes(**call)).count();
            let expected = usize::try_from(percent).unwrap() * 200;
            assert!(taken.abs_diff(expected) < 300, "{taken} of 20,000 are not {percent} %");
        }
    }

    #[test]
    fn what_the_canary_does_not_take_goes_to_the_others_and_never_the_other_way() {
        let (own, pool) =
            (PoolId::dedicated_in("vx-acme--dental", "night"), PoolId::canary_in("vx-acme--dental", "night"));
        let canary = Canary { pool: pool.clone(), percent: 50 };
        let call = |number| CallId(uuid::Uuid::from_u128(number));
        assert_eq!(pools(&own, Some(&canary), call(149)), [&pool, &own]);
        assert_eq!(pools(&own, Some(&canary), call(150)), [&own]);
        assert_eq!(pools(&own, None, call(100)), [&own]);
    }
}
