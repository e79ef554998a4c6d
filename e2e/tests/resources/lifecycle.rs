//! The life of resources as a platform engineer sees it: what LiveKit gets is kept as it should be, ids stay, and
//! nothing is left behind.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{core::v1::Namespace, rbac::v1::RoleBinding};
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use tokio::time::{Instant, sleep};
use voxplane_crds::labels;
use voxplane_e2e::{
    cluster::{condition_of, id_of},
    livekit::LiveKit,
    scratch::{self, REMOVAL_LIMIT, agent, one_of_everything, only_the_agency, with_own},
    world::{READY_LIMIT, World, of_kind},
};

/// What needs no pod and no look into LiveKit is seen within a moment, on a busy machine too.
const SOON: Duration = Duration::from_secs(60);
/// LiveKit is looked at three times a minute; a slow machine may miss one.
const REPAIR_LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn livekit_has_one_trunk_and_one_rule_and_drift_is_repaired() -> Result<()> {
    const AGENCY: &str = "e2e-drift";
    const NUMBER: &str = "+15559011002";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let livekit = LiveKit::new(&world.env);
        let objects = world.cluster.apply_ready(&one_of_everything(AGENCY, NUMBER), READY_LIMIT).await?;
        let id = id_of(of_kind(&objects, "Agency"))?.to_owned();
        let (trunk, rule) = livekit.connection(&id).await?;
        assert_eq!(trunk.numbers, [NUMBER]);
        assert_eq!(trunk.allowed_addresses, ["192.0.2.10/32"]);
        assert_eq!(rule.trunk_ids, [trunk.sip_trunk_id.as_str()]);
        let number = of_kind(&objects, "PhoneNumber");
        assert_eq!(number.data["status"]["trunkId"], trunk.sip_trunk_id);
        assert_eq!(number.data["status"]["dispatchRuleId"], rule.sip_dispatch_rule_id);

        // Somebody changes the trunk's numbers: a number that nobody claims, and ours is missing.
        livekit.set_numbers(&trunk.sip_trunk_id, &["+15559011999"]).await?;
        repaired(&livekit, &id, NUMBER).await.context("after the trunk's numbers were changed")?;

        // Somebody deletes both.
        let (trunk, rule) = livekit.connection(&id).await?;
        livekit.delete_rule(&rule.sip_dispatch_rule_id).await?;
        livekit.delete_trunk(&trunk.sip_trunk_id).await?;
        repaired(&livekit, &id, NUMBER).await.context("after trunk and rule were deleted")?;
        // The API lets calls in by this id.
        let (trunk, rule) = livekit.connection(&id).await?;
        world
            .cluster
            .wait_until(number, "the new ids in the status", SOON, |number| {
                number.data["status"]["trunkId"] == trunk.sip_trunk_id
                    && number.data["status"]["dispatchRuleId"] == rule.sip_dispatch_rule_id
            })
            .await?;
        world.cluster.wait_condition(number, "Ready", "True", SOON).await?;
        Ok(())
    })
    .await
}

/// A Redis restored from yesterday has trunks of agencies that were deleted since.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_deleted_agency_left_in_livekit_is_removed_and_strangers_things_are_not() -> Result<()> {
    const AGENCY: &str = "e2e-left";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let livekit = LiveKit::new(&world.env);
        let agency = world.cluster.apply_ready(&only_the_agency(AGENCY), READY_LIMIT).await?.remove(0);
        let id = id_of(&agency)?.to_owned();
        world.cluster.delete(&agency).await?;
        world.cluster.wait_gone(&agency, REMOVAL_LIMIT).await?;

        let nobody = "01890000-0000-7000-8000-000000000000";
        let foreign = livekit.create_trunk(&format!("voxplane/{nobody}/main"), "+15559011006").await?;
        livekit.create_trunk(&format!("voxplane/{id}/main"), "+15559011007").await?;
        let deadline = Instant::now() + REPAIR_LIMIT;
        while !livekit.has_nothing_of(&id).await? {
            ensure!(Instant::now() < deadline, "the trunk is still there after {REPAIR_LIMIT:?}");
            sleep(Duration::from_millis(500)).await;
        }
        let others = livekit.trunks(nobody).await?;
        livekit.delete_trunk(&foreign).await?;
        assert_eq!(others.len(), 1, "another installation's trunk was removed");
        Ok(())
    })
    .await
}

/// Waits until LiveKit has one trunk with the one number, and one rule for it.
async fn repaired(livekit: &LiveKit, agency_id: &str, number: &str) -> Result<()> {
    let deadline = Instant::now() + REPAIR_LIMIT;
    loop {
        let (trunks, rules) = (livekit.trunks(agency_id).await?, livekit.rules(agency_id).await?);
        if let ([trunk], [rule]) = (trunks.as_slice(), rules.as_slice())
            && trunk.numbers == [number]
            && rule.trunk_ids == [trunk.sip_trunk_id.as_str()]
        {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not repaired within {REPAIR_LIMIT:?}: {trunks:#?} {rules:#?}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_made_again_keeps_its_id() -> Result<()> {
    const AGENCY: &str = "e2e-ids";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let objects = world.cluster.apply_ready(&one_of_everything(AGENCY, "+15559011003"), READY_LIMIT).await?;
        let first = of_kind(&objects, "VoiceAgent");
        let number = of_kind(&objects, "PhoneNumber");
        world.cluster.delete(first).await?;
        world.cluster.wait_gone(first, REMOVAL_LIMIT).await?;
        // Nobody answers now, and the number says so.
        world.cluster.wait_condition(number, "Bound", "False", SOON).await?;

        let again = world.cluster.apply_ready(&agent(AGENCY), READY_LIMIT).await?;
        let second = of_kind(&again, "VoiceAgent");
        assert_ne!(first.uid(), second.uid(), "Kubernetes gave it a new identity");
        assert_eq!(id_of(first)?, id_of(second)?, "and we kept ours");
        let number = world.cluster.wait_condition(number, "Bound", "True", READY_LIMIT).await?;
        assert_eq!(number.data["status"]["agentId"], id_of(second)?);
        Ok(())
    })
    .await
}

/// Numbers and trunks go first, so that no call comes any more; then agents, whose calls end; at last the namespaces.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_agency_goes_in_order_and_leaves_nothing() -> Result<()> {
    const AGENCY: &str = "e2e-gone";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let livekit = LiveKit::new(&world.env);
        let objects = world.cluster.apply_ready(&one_of_everything(AGENCY, "+15559011004"), READY_LIMIT).await?;
        let agency = of_kind(&objects, "Agency");
        let id = id_of(agency)?.to_owned();
        livekit.connection(&id).await?;

        // An agent that is not done yet, as one with a call under way.
        let agent = of_kind(&objects, "VoiceAgent");
        scratch::hold(&world, agent).await?;
        world.cluster.delete(agency).await?;
        let order = goes_in_order(&world, &livekit, &objects, &id).await;
        scratch::release(&world, agent).await?;
        order?;

        for object in &objects {
            world.cluster.wait_gone(object, REMOVAL_LIMIT).await?;
        }
        let namespaces = Api::<Namespace>::all(world.cluster.client());
        for name in ["vx-e2e-gone--shop", "vx-e2e-gone"] {
            assert!(namespaces.get_opt(name).await?.is_none(), "namespace {name} is left");
        }
        assert!(livekit.has_nothing_of(&id).await?, "LiveKit still has something of the agency");
        Ok(())
    })
    .await
}

async fn goes_in_order(world: &World, livekit: &LiveKit, objects: &[DynamicObject], agency_id: &str) -> Result<()> {
    let (agency, tenant) = (of_kind(objects, "Agency"), of_kind(objects, "Tenant"));
    world.cluster.wait_gone(of_kind(objects, "PhoneNumber"), REMOVAL_LIMIT).await?;
    ensure!(livekit.has_nothing_of(agency_id).await?, "the number is gone, but LiveKit still takes calls for it");
    let agent = of_kind(objects, "VoiceAgent");
    let finalizer_off = |agent: &DynamicObject| !agent.finalizers().iter().any(|name| name == labels::FINALIZER);
    world.cluster.wait_until(agent, "the end of the agent's clean-up", REMOVAL_LIMIT, finalizer_off).await?;

    // Everything else waits for it, and says so.
    let waits = |object: &DynamicObject, what: &str| {
        condition_of(object, "Ready").is_some_and(|ready| {
            ready["reason"] == "Terminating" && ready["message"].as_str().is_some_and(|message| message.contains(what))
        })
    };
    world.cluster.wait_until(tenant, "waiting for the agent", SOON, |tenant| waits(tenant, "voice agents")).await?;
    world.cluster.wait_until(agency, "waiting for the tenant", SOON, |agency| waits(agency, "shop")).await?;
    let namespace = Api::<Namespace>::all(world.cluster.client()).get("vx-e2e-gone--shop").await?;
    ensure!(namespace.metadata.deletion_timestamp.is_none(), "the namespace goes before the agent is done");
    ensure!(
        world.cluster.find(of_kind(objects, "KnowledgeBase")).await?.is_some(),
        "the knowledge goes before the agent, whose last call may still need it"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_namespace_is_not_touched() -> Result<()> {
    const AGENCY: &str = "e2e-foreign";
    let own = "
{apiVersion: v1, kind: Namespace, metadata: {name: vx-e2e-foreign}}
---
{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-foreign}}";
    with_own(own, |world| async move {
        let cluster = &world.cluster;
        let foreign = cluster
            .apply_text(
                "{apiVersion: v1, kind: Namespace, metadata: {name: vx-e2e-foreign, labels: {team: blue}}}",
                READY_LIMIT,
            )
            .await?
            .remove(0);
        let agency = cluster.apply_text(&only_the_agency(AGENCY), READY_LIMIT).await?.remove(0);
        let refused = cluster.wait_condition(&agency, "Accepted", "False", SOON).await?;
        let accepted = condition_of(&refused, "Accepted").context("just waited for")?;
        assert_eq!(accepted["reason"], "NamespaceConflict");
        let message = accepted["message"].as_str().unwrap_or_default();
        assert!(message.contains("vx-e2e-foreign") && message.contains("delete or rename it"), "{message}");
        assert_eq!(condition_of(&refused, "Ready").context("Ready")?["status"], "False");
        untouched(&world, &foreign).await?;

        // Neither does its deletion take the namespace along.
        cluster.delete(&agency).await?;
        cluster.wait_gone(&agency, REMOVAL_LIMIT).await?;
        untouched(&world, &foreign).await
    })
    .await
}

async fn untouched(world: &World, namespace: &DynamicObject) -> Result<()> {
    let now = world.cluster.get(namespace).await?;
    assert_eq!(now.labels().get("team").map(String::as_str), Some("blue"));
    assert!(!now.labels().contains_key(labels::MANAGED_BY), "{:?}", now.labels());
    assert!(now.metadata.deletion_timestamp.is_none());
    let bindings = Api::<RoleBinding>::namespaced(world.cluster.client(), &now.name_any());
    assert_eq!(bindings.list(&ListParams::default()).await?.items, [], "the operator gave itself rights there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_namespace_deleted_by_hand_is_made_again() -> Result<()> {
    const AGENCY: &str = "e2e-byhand";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let livekit = LiveKit::new(&world.env);
        let yaml = one_of_everything(AGENCY, "+15559011005");
        let objects = world.cluster.apply_ready(&yaml, READY_LIMIT).await?;
        let id = id_of(of_kind(&objects, "Agency"))?.to_owned();
        let namespaces = Api::<Namespace>::all(world.cluster.client());
        let before = namespaces.get("vx-e2e-byhand--shop").await?;

        namespaces.delete("vx-e2e-byhand--shop", &Default::default()).await?;
        for kind in ["PhoneNumber", "VoiceAgent", "KnowledgeBase"] {
            world.cluster.wait_gone(of_kind(&objects, kind), REMOVAL_LIMIT).await?;
        }
        assert!(livekit.has_nothing_of(&id).await?, "a call would still come in for a number that is gone");
        let tenant = of_kind(&objects, "Tenant");
        let deadline = Instant::now() + REMOVAL_LIMIT;
        let made_again = loop {
            match namespaces.get_opt("vx-e2e-byhand--shop").await? {
                Some(namespace) if namespace.uid() != before.uid() => break namespace,
                found => ensure!(Instant::now() < deadline, "the namespace is not made again: {found:#?}"),
            }
            sleep(Duration::from_millis(200)).await;
        };
        assert_eq!(made_again.labels().get(labels::OWNER_ID), Some(&id_of(tenant)?.to_owned()));
        world.cluster.wait_condition(tenant, "Ready", "True", READY_LIMIT).await?;

        // The same manifests bring everything back under the same ids.
        let again = world.cluster.apply_ready(&yaml, READY_LIMIT).await?;
        for kind in ["PhoneNumber", "VoiceAgent", "KnowledgeBase"] {
            assert_eq!(id_of(of_kind(&objects, kind))?, id_of(of_kind(&again, kind))?, "{kind}");
        }
        livekit.connection(&id).await.map(drop)
    })
    .await
}
