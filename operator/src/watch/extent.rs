//! How much of an object changed, and so how many others must be looked at again. Pure.
//!
//! Every pass ends with a status, and every status is seen by the watch: if each of them had the whole tenant looked at
//! again, passes would grow with the square of its objects.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use voxplane_crds::conditions::{self, types};
use voxplane_crds::status::CommonStatus;
use voxplane_crds::{Agency, PhoneNumber, Tenant, VoiceAgent, labels};

use super::{Guarded, decoded};
use crate::voice_agent::membership::former;

/// How much of an object is another than before. Ordered: what exists or not also means something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What only the object itself is about, most of its status for example.
    Detail,
    /// What others read of it.
    Meaning,
    /// It appeared, is being deleted, or went.
    Existence,
}

/// Compares two versions of an object. `before`: none, if it is new; `after`: as it is now or, if it `went`, as it was
/// last. `read` is what others read of it.
pub fn extent<K: Resource, T: PartialEq>(before: Option<&K>, after: &K, went: bool, read: impl Fn(&K) -> T) -> Extent {
    let Some(before) = before.filter(|_| !went) else { return Extent::Existence };
    let life = |object: &K| (object.uid(), object.meta().deletion_timestamp.is_some());
    if life(before) != life(after) {
        Extent::Existence
    } else if read(before) == read(after) {
        Extent::Detail
    } else {
        Extent::Meaning
    }
}

/// [`extent`] for objects that may not be readable: of those, every new version may mean something else.
pub fn extent_of<K, T>(before: Option<&Guarded<K>>, after: &Guarded<K>, went: bool, read: impl Fn(&K) -> T) -> Extent
where
    DeserializeGuard<K>: Resource,
    K: Resource,
    T: PartialEq,
{
    extent(before, after, went, |object| match decoded(object) {
        Some(object) => Ok(read(object)),
        None => Err(object.resource_version()),
    })
}

/// Whether an object is accepted, and its id.
fn judged<S: CommonStatus>(status: Option<&S>) -> impl PartialEq + use<S> {
    let accepted = status.and_then(|status| conditions::find(status.conditions(), types::ACCEPTED));
    (accepted.map(|accepted| accepted.status.clone()), status.and_then(|status| status.id().map(str::to_owned)))
}

/// What the resources of an agency read of it.
pub fn agency(agency: &Agency) -> impl PartialEq + use<> {
    (agency.metadata.generation, judged(agency.status.as_ref()))
}

/// What the resources of a tenant read of it.
pub fn tenant(tenant: &Tenant) -> impl PartialEq + use<> {
    let status = tenant.status.as_ref();
    (tenant.metadata.generation, judged(status), status.and_then(|status| status.namespace.clone()))
}

/// What the other agents of the tenant read of an agent: whatever shapes a pool that they may share, and its keys. A
/// block that it does not state is its tenant's or agency's, whose changes concern all agents.
pub fn agent(agent: &VoiceAgent) -> impl PartialEq + use<> {
    let spec = &agent.spec;
    (
        (spec.runtime.clone(), spec.limits.clone(), spec.paused),
        (spec.stt.clone(), spec.llm.clone(), spec.tts.clone()),
        former(agent),
    )
}

/// What an agency and other claimants read of a phone number.
pub fn number(number: &PhoneNumber) -> impl PartialEq + use<> {
    let id = number.status.as_ref().and_then(|status| status.id.clone());
    (number.number().map(str::to_owned), number.spec.carrier.clone(), id, number.outbound().cloned())
}

/// What agents read of the Deployment of their pool.
pub fn deployment(deployment: &Deployment) -> impl PartialEq + use<> {
    let status = deployment.status.as_ref();
    let failures = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let failures: Vec<_> = failures
        .filter(|one| one.type_ == "ReplicaFailure")
        .map(|one| (one.status.clone(), one.message.clone()))
        .collect();
    (
        (deployment.metadata.generation, deployment.metadata.labels.clone(), credentials_hash(deployment)),
        status.map(|status| (status.observed_generation, status.replicas, status.ready_replicas)),
        failures,
    )
}

fn credentials_hash(deployment: &Deployment) -> Option<String> {
    deployment.annotations().get(labels::CREDENTIALS_HASH).cloned()
}

/// What is read of a pod or a namespace.
pub fn marks(object: &impl Resource) -> BTreeMap<String, String> {
    object.labels().clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use voxplane_crds::conditions::{Desired, reasons};
    use voxplane_crds::names::PoolId;
    use voxplane_crds::phone_number::NumberOutbound;
    use voxplane_crds::refs::LocalRef;

    fn status_of(agent: &VoiceAgent, pool: &str, replicas: i32) -> VoiceAgent {
        let mut agent = agent.clone();
        let mut status: voxplane_crds::VoiceAgentStatus = testing::accepted(1, vec![]);
        (status.pool, status.replicas) = (Some(pool.to_owned()), replicas);
        agent.status = Some(status);
        agent
    }

    #[test]
    fn coming_and_going_is_existence() {
        let one = testing::agent("vx-a--t", "one", "{}");
        let of = |before, after, went| extent(before, after, went, agent);
        assert_eq!(of(None, &one, false), Extent::Existence);
        assert_eq!(of(Some(&one), &one, true), Extent::Existence);
        let mut deleted = one.clone();
        deleted.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(testing::now()));
        assert_eq!(of(Some(&one), &deleted, false), Extent::Existence);
        let mut again = one.clone();
        again.metadata.uid = Some("another".to_owned());
        assert_eq!(of(Some(&one), &again, false), Extent::Existence, "deleted and made again between two looks");
        assert!(Extent::Existence > Extent::Meaning && Extent::Meaning > Extent::Detail);
    }

    #[test]
    fn what_an_agent_says_and_most_of_its_status_is_nothing_to_its_siblings() {
        let one = status_of(&testing::agent("vx-a--t", "one", "{}"), "vx-a--t/voxplane-runtime", 0);
        let of = |after: &VoiceAgent| extent(Some(&one), after, false, agent);
        assert_eq!(of(&status_of(&one, "vx-a--t/voxplane-runtime", 1)), Extent::Detail);
        let mut edited = testing::agent("vx-a--t", "one", "{greeting: {text: Good day}}");
        edited.status.clone_from(&one.status);
        edited.metadata.generation = Some(2);
        assert_eq!(of(&edited), Extent::Detail);
        let own = PoolId::dedicated_in("vx-a--t", "one").to_string();
        assert_eq!(of(&status_of(&one, &own, 0)), Extent::Meaning, "its calls go to another pool than it asks for");
        for spec in [
            "{runtime: {replicas: 2}}",
            "{limits: {maxDurationSeconds: 60}}",
            "{paused: true}",
            "{llm: {provider: openai-compatible, model: m, secretRef: {name: key}}}",
        ] {
            let mut other = testing::agent("vx-a--t", "one", spec);
            other.status.clone_from(&one.status);
            assert_eq!(of(&other), Extent::Meaning, "{spec}");
        }
    }

    #[test]
    fn whom_a_number_names_is_nothing_to_its_agency_and_what_it_shows_is() {
        let one = testing::number("vx-a--t", "main", "+15550100");
        let change = |change: &dyn Fn(&mut voxplane_crds::phone_number::PhoneNumberSpec)| {
            let mut after = one.clone();
            after.metadata.generation = Some(2);
            change(&mut after.spec);
            extent(Some(&one), &after, false, number)
        };
        assert_eq!(change(&|spec| spec.agent_ref = Some(LocalRef::new("other"))), Extent::Detail);
        assert_eq!(change(&|spec| spec.fallback_number = Some("+15550199".to_owned())), Extent::Detail);
        assert_eq!(change(&|spec| spec.outbound = Some(NumberOutbound::default())), Extent::Detail);
        let shown = NumberOutbound { enabled: true, caller_id: None };
        assert_eq!(change(&|spec| spec.outbound = Some(shown.clone())), Extent::Meaning);
    }

    #[test]
    fn an_agencys_spec_and_whether_it_is_accepted_concern_its_tenants_and_how_many_there_are_does_not() {
        let one = testing::agency("brightline");
        let change = |change: &dyn Fn(&mut Agency)| {
            let mut after = one.clone();
            change(&mut after);
            extent(Some(&one), &after, false, agency)
        };
        assert_eq!(change(&|after| after.status.as_mut().unwrap().tenants = 7), Extent::Detail);
        assert_eq!(change(&|after| after.metadata.generation = Some(2)), Extent::Meaning);
        assert_eq!(change(&|after| after.status = None), Extent::Meaning);
        let refused = Desired::no(types::ACCEPTED, reasons::NAMESPACE_CONFLICT, "taken");
        let refuse = |after: &mut Agency| {
            let conditions = &mut after.status.as_mut().unwrap().conditions;
            conditions::set(conditions, refused.clone(), Some(1), testing::now());
        };
        assert_eq!(change(&refuse), Extent::Meaning);
    }
}
