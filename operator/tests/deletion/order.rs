//! Every effect of a deletion cut off.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use voxplane_crds::names::{self, PoolId};
use voxplane_crds::voice_agent::Placement;
use voxplane_store::AgencyId;
use voxplane_store::calls::CallStatus;
use voxplane_store::resources::ResourceKind::{KnowledgeBase, PhoneNumber, VoiceAgent};

use super::cut::{Cut, Fuse, Plan};
use super::world::{Object, Place, World, agent, assert_gone};

/// An agency with a tenant that goes and one that stays, and another agency.
struct Home {
    agency: (Object, AgencyId),
    going: Household,
    staying: Household,
    bystander: (Object, AgencyId),
    neighbour: Household,
}

/// What a tenant has.
struct Household {
    tenant: Object,
    namespace: String,
    agent: Object,
    /// With a pool of its own.
    second: Object,
    base: Object,
    /// Of a carrier of type `sip`.
    number: Object,
    /// Bought, to be given back.
    bought: Object,
}

impl Household {
    async fn furnish(world: &World, agency: &(Object, AgencyId), tenant: &str, line: u32) -> Self {
        let (tenant, namespace) = world.tenant(agency, tenant).await;
        let own = |kind, name| Object::new(kind, &namespace, name);
        let home = Self {
            agent: own(VoiceAgent, "clerk"),
            second: own(VoiceAgent, "second"),
            base: own(KnowledgeBase, "faq"),
            number: own(PhoneNumber, "main"),
            bought: own(PhoneNumber, "bought"),
            tenant,
            namespace: namespace.clone(),
        };
        world.create(&home.agent, agent("Pooled")).await;
        world.create(&home.second, agent("Dedicated")).await;
        world
            .create(&home.base, json!({ "sources": [{ "name": "hours", "inline": { "text": "We open at nine." } }] }))
            .await;
        let spec = json!({ "number": world.number(line), "carrier": "main", "agentRef": { "name": "clerk" } });
        world.create(&home.number, spec).await;
        world.create(&home.bought, bought()).await;
        home
    }

    fn all(&self) -> [&Object; 6] {
        [&self.tenant, &self.agent, &self.second, &self.base, &self.number, &self.bought]
    }

    /// Everything has been made: tables, trunks, pools.
    async fn is_made(&self, world: &World) -> bool {
        for object in [&self.base, &self.number, &self.bought] {
            if !world.condition(object, "Programmed").await.starts_with("True") {
                return false;
            }
        }
        for (agent, placement) in [(&self.agent, Placement::Pooled), (&self.second, Placement::Dedicated)] {
            let pool = PoolId::asked_for(self.namespace.as_str(), &agent.name, placement);
            let known = world.find(agent).await.is_some_and(|agent| agent.data["status"]["id"].is_string());
            if !known || !world.has_deployment(&self.namespace, pool.deployment()).await {
                return false;
            }
        }
        true
    }
}

fn bought() -> Value {
    let search = json!({ "areaCode": "404" });
    json!({ "search": search, "carrier": "account", "agentRef": { "name": "clerk" }, "deletionPolicy": "Release" })
}

async fn furnish(world: &World) -> Home {
    let agency = world.agency(&world.own("gone")).await;
    let going = Household::furnish(world, &agency, "clinic", 1).await;
    let staying = Household::furnish(world, &agency, "office", 2).await;
    let bystander = world.agency(&world.own("kept")).await;
    let neighbour = Household::furnish(world, &bystander, "shop", 3).await;
    let home = Home { agency, going, staying, bystander, neighbour };
    let made = async || {
        home.going.is_made(world).await && home.staying.is_made(world).await && home.neighbour.is_made(world).await
    };
    world.operator.run(&Fuse::new(Plan::Whole), "everything is made", made).await;
    home
}

/// Where in `done` something happened for the first time.
fn position(done: &[String], what: &str) -> usize {
    done.iter().position(|effect| effect == what).unwrap_or_else(|| panic!("{what:?} is not among {done:#?}"))
}

/// Whether all of `first` happened before `then`.
fn assert_before<'a>(done: &[String], first: impl IntoIterator<Item = &'a Object>, then: &str) {
    let end = position(done, then);
    for object in first {
        let effect = object.let_go();
        assert!(position(done, &effect) < end, "{then:?} came before {effect:?}: {done:#?}");
    }
}

async fn assert_untouched(world: &World, home: &Household, agency: AgencyId, line: u32) {
    for object in home.all() {
        let found = world.find(object).await.unwrap_or_else(|| panic!("{object:?} went, too"));
        assert!(found.metadata.deletion_timestamp.is_none(), "{object:?} is going, too");
        assert!(world.record(object).await.is_some_and(|(_, deleted)| !deleted), "{object:?} is noted as deleted");
    }
    // A failed write may show in a status for a moment.
    let what = format!("everything of {} is there", home.namespace);
    world.operator.run(&Fuse::new(Plan::Whole), &what, async || home.is_made(world).await).await;
    let (numbers, rules) = world.trunks(agency.into()).await;
    assert!(numbers.contains(&world.number(line)), "{numbers:?}");
    assert_eq!((numbers.len(), rules), (2, 2), "of one household: a number of each carrier: {numbers:?}");
}

/// One after another: an agent, a knowledge base, a tenant with a call, the agency with the rest. Returns how often it was
/// cut off.
async fn one_after_another(place: &Arc<Place>, plan: Plan) -> usize {
    let world = place.world().await;
    let home = furnish(&world).await;
    let (operator, going) = (&world.operator, &home.going);
    let mut cuts = 0;
    // Outside the cluster everything is cut off, whatever it is about: ids are all that names it.
    let outside = ["LiveKit", "Postgres UPDATE", "Postgres DELETE"];
    let call = world.call(&going.agent).await;

    let fuse = Fuse::about(plan, &[&outside[..], &["/second", "-second", "/faq"]].concat());
    world.delete(&going.second).await;
    world.delete(&going.base).await;
    let gone = async || world.is_gone(&going.second).await && world.is_gone(&going.base).await;
    operator.run(&fuse, "agent and knowledge base are gone", gone).await;
    assert_gone(&world, [&going.second, &going.base]).await;
    let pool = |placement| PoolId::asked_for(going.namespace.as_str(), &going.second.name, placement);
    assert!(!world.has_deployment(&going.namespace, pool(Placement::Dedicated).deployment()).await);
    assert!(world.has_deployment(&going.namespace, pool(Placement::Pooled).deployment()).await);
    cuts += fuse.cuts();

    let fuse = Fuse::about(plan, &[&outside[..], &["/clinic", "--clinic"]].concat());
    let namespace_goes = format!("DELETE /api/v1/namespaces/{}", going.namespace);
    world.delete(&going.tenant).await;
    let waits = async || {
        world.is_gone(&going.bought).await
            && world.condition(&going.agent, "Ready").await.contains("1 call")
            && world.condition(&going.tenant, "Ready").await.contains("voice agents")
    };
    operator.run(&fuse, "the agent waits for its call, and the tenant for the agent", waits).await;
    assert!(!fuse.done().contains(&namespace_goes), "the namespace goes while a call is under way");
    fuse.note("the call ends");
    world.end_call(&call).await;
    operator.run(&fuse, "the tenant is gone", async || world.is_gone(&going.tenant).await).await;
    let done = fuse.done();
    assert_gone(&world, going.all()).await;
    assert!(!world.has_namespace(&going.namespace).await);
    assert!(position(&done, "the call ends") < position(&done, &going.agent.let_go()), "{done:#?}");
    assert_before(&done, [&going.number, &going.bought, &going.agent], &namespace_goes);
    assert_before(&done, [&going.number, &going.bought], &going.agent.let_go());
    assert_eq!(world.simulator.releases().len(), 1);
    assert_eq!(world.history(&call).await, CallStatus::Completed);
    assert_untouched(&world, &home.staying, home.agency.1, 2).await;
    cuts += fuse.cuts();

    let fuse = Fuse::about(plan, &[&outside[..], &[home.agency.0.name.as_str()]].concat());
    let agency = &home.agency.0;
    world.delete(agency).await;
    operator.run(&fuse, "the agency is gone", async || world.is_gone(agency).await).await;
    let done = fuse.done();
    assert_gone(&world, home.staying.all().into_iter().chain([agency])).await;
    assert!(!world.has_namespace(&names::agency_namespace(&agency.name)).await);
    let trunks_go = done.iter().rposition(|effect| effect.starts_with("LiveKit DeleteSIPTrunk"));
    assert!(trunks_go.is_some_and(|at| at < position(&done, &home.staying.number.let_go())), "{done:#?}");
    let agencys_goes = format!("DELETE /api/v1/namespaces/{}", names::agency_namespace(&agency.name));
    assert_before(&done, [&home.staying.tenant], &agencys_goes);
    assert_eq!(world.trunks(home.agency.1.into()).await, (Vec::new(), 0), "LiveKit still has something");
    // Given back with the account's keys, which lay in the agency's namespace.
    assert_eq!((world.simulator.releases().len(), world.simulator.owned().len()), (2, 1), "the neighbour's is left");
    assert_untouched(&world, &home.neighbour, home.bystander.1, 3).await;
    cuts += fuse.cuts();

    // What other tests find should not be ours.
    world.delete(&home.bystander.0).await;
    let rest = Fuse::new(Plan::Whole);
    operator.run(&rest, "the rest is gone", async || world.is_gone(&home.bystander.0).await).await;
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_in_order_wherever_the_operator_is_cut_off() {
    let place = Place::new().await;
    let plans = [Plan::Every(Cut::Ends), Plan::Every(Cut::AnswerLost)];
    let cuts = join_all(plans.map(|plan| Box::pin(one_after_another(&place, plan)))).await;
    assert!(cuts.iter().all(|cuts| *cuts > 30), "only so many effects were seen: {cuts:?}");
}
