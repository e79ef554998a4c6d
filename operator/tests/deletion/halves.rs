//! Deletions at every point of a creation.

use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use voxplane_crds::names;
use voxplane_store::resources::ResourceKind::{self, Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};

use super::cut::{Fuse, Plan};
use super::world::{Object, Place, World, agent, assert_gone};

/// Makes something, with an end after the effect `at`, and deletes it. Returns how many effects there were.
async fn half_made(world: &World, object: &Object, spec: &Value, at: usize, of: &'static [&'static str]) -> usize {
    let fuse = Fuse::new(Plan::Only { at, of });
    world.create(object, spec.clone()).await;
    // A quota that does not count yet keeps agencies and tenants from being programmed for a while.
    let type_ = if object.kind == PhoneNumber { "Programmed" } else { "Accepted" };
    let made = async || world.condition(object, type_).await.starts_with("True");
    world.operator.live(&fuse, made).await;
    world.delete(object).await;
    let what = format!("{object:?}, ended after effect {at}, is gone");
    world.operator.run(&Fuse::new(Plan::Whole), &what, async || world.is_gone(object).await).await;
    assert_gone(world, [object]).await;
    let is_of = |effect: &String| of.iter().any(|word| effect.contains(word));
    fuse.done().iter().filter(|effect| is_of(effect)).count()
}

/// Tells a story once for every effect, some of them at a time: each has an operator of its own.
async fn at_all(effects: usize, story: impl AsyncFn(usize) -> usize) {
    let stories = stream::iter(0..effects).map(|at| Box::pin(story(at)));
    stories.buffer_unordered(6).for_each(async |_| ()).await;
}

const NEVER: usize = usize::MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_an_agency_that_is_deleted_while_it_is_made() {
    let place = Place::new().await;
    let story = async |at: usize| {
        let world = place.world().await;
        let agency = Object::new(Agency, "", &world.own("half"));
        let effects = half_made(&world, &agency, &json!({}), at, &["half"]).await;
        assert!(!world.has_namespace(&names::agency_namespace(&agency.name)).await, "ended after effect {at}");
        effects
    };
    let effects = story(NEVER).await;
    assert!(effects > 4, "only {effects} effects were seen");
    at_all(effects, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_tenant_that_is_deleted_while_it_is_made() {
    let place = Place::new().await;
    let story = async |at: usize| {
        let world = place.world().await;
        let agency = world.agency(&world.own("whole")).await.0;
        let tenant = Object::new(Tenant, &names::agency_namespace(&agency.name), "half");
        let effects = half_made(&world, &tenant, &json!({}), at, &["half"]).await;
        let namespace = names::tenant_namespace(&agency.name, "half");
        assert!(!world.has_namespace(&namespace).await, "ended after effect {at}");
        world.delete(&agency).await;
        let rest = Fuse::new(Plan::Whole);
        world.operator.run(&rest, "the agency is gone", async || world.is_gone(&agency).await).await;
        effects
    };
    let effects = story(NEVER).await;
    assert!(effects > 8, "only {effects} effects were seen");
    at_all(effects, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_what_a_tenant_has_that_is_deleted_while_it_is_made() {
    let place = Place::new().await;
    let base = json!({ "sources": [{ "name": "half", "inline": { "text": "We open at nine." } }] });
    let number = json!({ "carrier": "main", "agentRef": { "name": "clerk" } });
    let things: [(_, _, &'static [&'static str]); 3] = [
        (VoiceAgent, agent("Dedicated"), &["half"]),
        (KnowledgeBase, base, &["half"]),
        (PhoneNumber, number, &["half", "LiveKit"]),
    ];
    join_all(things.map(|(kind, spec, of)| Box::pin(half_of_a_tenant(&place, kind, spec, of)))).await;
}

async fn half_of_a_tenant(place: &Arc<Place>, kind: ResourceKind, mut spec: Value, of: &'static [&'static str]) {
    let world = place.world().await;
    let agency = world.agency(&world.own("whole")).await;
    let (tenant, namespace) = world.tenant(&agency, "clinic").await;
    let accepted = async || world.condition(&tenant, "Accepted").await.starts_with("True");
    world.operator.run(&Fuse::new(Plan::Whole), "the tenant is accepted", accepted).await;
    if kind == PhoneNumber {
        spec["number"] = world.number(1).into();
    }
    let object = Object::new(kind, &namespace, "half");
    let effects = half_made(&world, &object, &spec, NEVER, of).await;
    assert!(effects > 2, "{kind}: only {effects} effects were seen");
    for at in 0..effects {
        half_made(&world, &object, &spec, at, of).await;
        assert_eq!(world.trunks(agency.1.into()).await, (Vec::new(), 0), "{kind} ended after effect {at}");
    }
    world.delete(&agency.0).await;
    let rest = Fuse::new(Plan::Whole);
    world.operator.run(&rest, "the agency is gone", async || world.is_gone(&agency.0).await).await;
}
