//! What resources may name: a number that nobody else has, a Secret that is meant for it, knowledge that is searched.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _, api::DynamicObject};
use serde_json::json;
use voxplane_crds::names;
use voxplane_e2e::{
    cluster::{Cluster, condition_of, id_of},
    livekit::LiveKit,
    scratch::{REMOVAL_LIMIT, with_own},
    world::{READY_LIMIT, SYSTEM_NAMESPACE, World},
};
use voxplane_store::{AgencyId, Db, DbOptions, KnowledgeBaseId, Scope, TenantId, knowledge};

/// What needs no pod is judged within a moment.
const SOON: Duration = Duration::from_secs(60);

fn agency(name: &str, numbers: &str) -> String {
    format!(
        "
apiVersion: voxplane.dev/v1alpha1
kind: Agency
metadata: {{name: {name}}}
spec:
  carriers:
    - {{name: main, type: sip, sip: {{allowedAddresses: [192.0.2.20]}}, numbers: {numbers}}}
"
    )
}

fn tenant(agency: &str, name: &str) -> String {
    format!(
        "{{apiVersion: voxplane.dev/v1alpha1, kind: Tenant, metadata: {{name: {name}, namespace: vx-{agency}}}, \
         spec: {{}}}}"
    )
}

fn agent(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: voxplane.dev/v1alpha1, kind: VoiceAgent, metadata: {{name: {name}, namespace: {namespace}}}, \
         spec: {spec}}}"
    )
}

fn number(namespace: &str, name: &str, number: &str, agent: &str) -> String {
    format!(
        "{{apiVersion: voxplane.dev/v1alpha1, kind: PhoneNumber, metadata: {{name: {name}, namespace: {namespace}}}, \
         spec: {{number: '{number}', carrier: main, agentRef: {{name: {agent}}}}}}}"
    )
}

async fn apply(cluster: &Cluster, yaml: &str) -> Result<DynamicObject> {
    cluster.apply_text(yaml, READY_LIMIT).await?.into_iter().next().context("an empty manifest")
}

async fn apply_ready(cluster: &Cluster, yaml: &str) -> Result<DynamicObject> {
    cluster.apply_ready(yaml, READY_LIMIT).await?.into_iter().next().context("an empty manifest")
}

/// Reason and message of a condition.
fn why<'a>(object: &'a DynamicObject, condition: &str) -> Result<(&'a str, &'a str)> {
    let found = condition_of(object, condition).with_context(|| format!("no condition {condition}"))?;
    Ok((found["reason"].as_str().unwrap_or_default(), found["message"].as_str().unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_claim_has_the_number_until_it_goes() -> Result<()> {
    const NUMBER: &str = "+15559012001";
    let own = "
{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-claims}}
---
{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-rivals}}";
    with_own(own, |world| async move {
        let (cluster, livekit) = (&world.cluster, LiveKit::new(&world.env));
        let grants = format!("[{{pattern: '{NUMBER}'}}]");
        let claims = apply_ready(cluster, &agency("e2e-claims", &grants)).await?;
        let rivals = apply_ready(cluster, &agency("e2e-rivals", &grants)).await?;
        for (agency, name) in [("e2e-claims", "bakery"), ("e2e-claims", "florist"), ("e2e-rivals", "cobbler")] {
            apply_ready(cluster, &tenant(agency, name)).await?;
        }
        apply(cluster, &agent("vx-e2e-claims--bakery", "baker", "{}")).await?;
        apply(cluster, &agent("vx-e2e-claims--florist", "gardener", "{}")).await?;
        let first = apply_ready(cluster, &number("vx-e2e-claims--bakery", "main", NUMBER, "baker")).await?;

        // A creation time has whole seconds.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let sibling = apply(cluster, &number("vx-e2e-claims--florist", "line", NUMBER, "gardener")).await?;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let rival = apply(cluster, &number("vx-e2e-rivals--cobbler", "shop", NUMBER, "maker")).await?;
        for late in [&sibling, &rival] {
            let refused = cluster.wait_condition(late, "Accepted", "False", SOON).await?;
            let (reason, message) = why(&refused, "Accepted")?;
            assert_eq!(reason, "NumberInUse");
            assert!(message.contains("another PhoneNumber claimed this number first"), "{message}");
            // Nothing tells who has it.
            let status = refused.data["status"].to_string();
            for secret in ["bakery", "baker", "e2e-claims--bakery", id_of(&first)?] {
                assert!(!status.contains(secret), "the status names {secret}: {status}");
            }
            if late.namespace() != sibling.namespace() {
                assert!(!status.contains("e2e-claims"), "the status names the other agency: {status}");
            }
            assert_eq!(refused.data["status"].get("trunkId"), None);
        }
        assert!(livekit.has_nothing_of(id_of(&rivals)?).await?, "a refused claim made a trunk");
        assert_eq!(livekit.connection(id_of(&claims)?).await?.0.numbers, [NUMBER]);

        // The next oldest has it now, the youngest still not.
        cluster.delete(&first).await?;
        cluster.wait_gone(&first, REMOVAL_LIMIT).await?;
        let bound = cluster.wait_condition(&sibling, "Bound", "True", READY_LIMIT).await?;
        cluster.wait_condition(&bound, "Ready", "True", SOON).await?;
        assert_eq!(livekit.connection(id_of(&claims)?).await?.0.numbers, [NUMBER]);
        assert_eq!(why(&cluster.get(&rival).await?, "Accepted")?.0, "NumberInUse");

        // And the number can pass to another agency.
        cluster.delete(&sibling).await?;
        cluster.wait_condition(&rival, "Programmed", "True", SOON).await?;
        assert_eq!(livekit.connection(id_of(&rivals)?).await?.0.numbers, [NUMBER]);
        assert!(livekit.has_nothing_of(id_of(&claims)?).await?, "the agency has no number left, but a trunk");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_needs_the_agencys_grant() -> Result<()> {
    let own = "{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-grants}}";
    with_own(own, |world| async move {
        let cluster = &world.cluster;
        let grants = "[{pattern: '+15559012101'}, {pattern: '+15559012102', tenants: [other]}]";
        apply_ready(cluster, &agency("e2e-grants", grants)).await?;
        apply_ready(cluster, &tenant("e2e-grants", "shop")).await?;
        let namespace = "vx-e2e-grants--shop";
        let mut refused = None;
        for (name, claimed) in [("granted-to-nobody", "+15559012199"), ("granted-to-another", "+15559012102")] {
            let claim = apply(cluster, &number(namespace, name, claimed, "clerk")).await?;
            let claim = cluster.wait_condition(&claim, "Accepted", "False", SOON).await?;
            let (reason, message) = why(&claim, "Accepted")?;
            assert_eq!(reason, "NumberNotGranted", "{name}");
            assert!(message.contains("spec.carriers[].numbers"), "the message names the fix: {message}");
            assert!(!message.contains("other"), "the message names who has the grant: {message}");
            refused = Some(claim);
        }
        // The fix works without touching the number.
        apply_ready(cluster, &agency("e2e-grants", "[{pattern: '+155590121*'}]")).await?;
        let claim = refused.context("two were refused")?;
        cluster.wait_condition(&claim, "Programmed", "True", SOON).await?;

        let elsewhere = number(namespace, "elsewhere", "+15559012103", "clerk").replace("main", "nowhere");
        let claim = apply(cluster, &elsewhere).await?;
        let claim = cluster.wait_condition(&claim, "ResolvedRefs", "False", SOON).await?;
        let (reason, message) = why(&claim, "ResolvedRefs")?;
        assert_eq!(reason, "RefNotFound");
        assert!(message.contains("spec.carrier") && message.contains("nowhere"), "{message}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_secrets_that_are_meant_for_it_reach_the_pods() -> Result<()> {
    let own = "{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-secrets}}";
    with_own(own, |world| async move {
        let cluster = &world.cluster;
        apply_ready(cluster, &agency("e2e-secrets", "[]")).await?;
        apply_ready(cluster, &tenant("e2e-secrets", "shop")).await?;
        let namespace = "vx-e2e-secrets--shop";
        let endpoint = "https://models.example.com/v1";
        let secret = |name: &str, type_: &str, provider: &str, endpoints: &str, key: &str| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": type_,
                "metadata": {"name": name, "namespace": namespace, "labels": {"voxplane.dev/provider": provider}},
                "stringData": {"api-key": key, "allowed-endpoints": endpoints},
            })
            .to_string()
        };
        let ours = "voxplane.dev/credentials";
        for manifest in [
            secret("wrong-type", "Opaque", "openai-compatible", endpoint, "marker-of-wrong-type"),
            secret("wrong-provider", ours, "sip", endpoint, "marker-of-wrong-provider"),
            secret("wrong-endpoint", ours, "openai-compatible", "https://other.example", "marker-of-wrong-endpoint"),
            secret("right", ours, "openai-compatible", endpoint, "marker-of-right"),
        ] {
            apply(cluster, &manifest).await?;
        }
        let using = |secret: &str| {
            let secret = json!({"name": secret});
            let llm = json!({"provider": "openai-compatible", "model": "m", "baseUrl": endpoint, "secretRef": secret});
            // No pods: only what is assembled for them is looked at.
            agent(namespace, "clerk", &json!({"llm": llm, "runtime": {"replicas": 0}}).to_string())
        };
        for (name, told) in [
            ("wrong-type", "not of type voxplane.dev/credentials"),
            ("wrong-provider", "voxplane.dev/provider=openai-compatible"),
            ("wrong-endpoint", "allowed-endpoints"),
        ] {
            let agent = apply(cluster, &using(name)).await?;
            let agent = cluster.wait_condition(&agent, "ResolvedRefs", "False", SOON).await?;
            let (reason, message) = why(&agent, "ResolvedRefs")?;
            assert_eq!(reason, "RefNotPermitted", "{name}: {message}");
            assert!(message.contains("spec.llm.secretRef") && message.contains(told), "{name}: {message}");
            assert_eq!(condition_of(&agent, "Ready").context("Ready")?["status"], "False");
            let assembled = assembled(&world, namespace).await?;
            assert!(!assembled.contains("marker-of") && !assembled.contains(name), "{name} is in the assembled Secret");
        }
        let agent = apply(cluster, &using("right")).await?;
        let agent = cluster.wait_condition(&agent, "ResolvedRefs", "True", SOON).await?;
        let assembled = assembled(&world, namespace).await?;
        assert!(assembled.contains("right = marker-of-right\n"), "the permitted key is there");
        assert!(assembled.contains(&format!("right.endpoints = {endpoint}\n")));
        let hash = agent.data["status"]["credentialsHash"].as_str().context("no credentialsHash")?;
        assert!(assembled.contains(&format!("_hash = {hash}\n")));
        assert!(!agent.data.to_string().contains("marker-of"), "a key is in the agent's status");
        Ok(())
    })
    .await
}

/// The Secret that the pool's pods mount, one line per file.
async fn assembled(world: &World, namespace: &str) -> Result<String> {
    let secret = Api::<Secret>::namespaced(world.cluster.client(), namespace).get(names::POOL_CREDENTIALS).await?;
    let files = secret.data.unwrap_or_default();
    Ok(files.iter().map(|(name, content)| format!("{name} = {}\n", String::from_utf8_lossy(&content.0))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_knowledge_is_found_and_by_its_tenant_only() -> Result<()> {
    let own = "{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {name: e2e-know}}";
    with_own(own, |world| async move {
        let cluster = &world.cluster;
        // Every source is a document with passages of its own.
        let base = |sources: &[(&str, &str)]| {
            let source = |(name, text): &(&str, &str)| json!({"name": name, "inline": {"text": text}});
            json!({
                "apiVersion": "voxplane.dev/v1alpha1", "kind": "KnowledgeBase",
                "metadata": {"name": "faq", "namespace": "vx-e2e-know--shop"},
                "spec": {"sources": sources.iter().map(source).collect::<Vec<_>>()},
            })
            .to_string()
        };
        let agency = apply_ready(cluster, &agency("e2e-know", "[]")).await?;
        let shop = apply_ready(cluster, &tenant("e2e-know", "shop")).await?;
        let other = apply_ready(cluster, &tenant("e2e-know", "other")).await?;
        let first = apply_ready(
            cluster,
            &base(&[("hours", "The workshop opens at nine."), ("parking", "Parking is behind the house.")]),
        )
        .await?;
        let searcher = Searcher::connect(&world, id_of(&agency)?, id_of(&first)?).await?;
        let found = searcher.search(id_of(&shop)?, "when does the workshop open").await?;
        assert_eq!(found, ["The workshop opens at nine."]);
        assert_eq!((&first.data["status"]["documents"], &first.data["status"]["chunks"]), (&json!(2), &json!(2)));

        apply(cluster, &base(&[("hours", "The workshop opens at eleven.")])).await?;
        let second = cluster.wait_condition(&first, "Programmed", "True", SOON).await?;
        assert_ne!(first.data["status"]["contentHash"], second.data["status"]["contentHash"]);
        assert_eq!(second.data["status"]["chunks"], 1);
        let found = searcher.search(id_of(&shop)?, "when does the workshop open").await?;
        assert_eq!(found, ["The workshop opens at eleven."]);
        assert_eq!(searcher.search(id_of(&shop)?, "where is the parking").await?, [""; 0], "the old text is gone");
        // The database itself keeps tenants apart, even if somebody asks with another one's id.
        assert_eq!(searcher.search(id_of(&other)?, "when does the workshop open").await?, [""; 0]);

        cluster.delete(&second).await?;
        cluster.wait_gone(&second, REMOVAL_LIMIT).await?;
        assert_eq!(searcher.search(id_of(&shop)?, "when does the workshop open").await?, [""; 0]);
        Ok(())
    })
    .await
}

/// Searches as the API does for a call: as the application's role, in a tenant's scope.
struct Searcher {
    database: Db,
    agency: AgencyId,
    base: KnowledgeBaseId,
}

impl Searcher {
    async fn connect(world: &World, agency: &str, base: &str) -> Result<Self> {
        let secrets = Api::<Secret>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE);
        let data = secrets.get("voxplane-postgres").await?.data.unwrap_or_default();
        let url = String::from_utf8(data.get("app-url").context("voxplane-postgres has no app-url")?.0.clone())?;
        let database = Db::connect(&url, DbOptions::default()).await?;
        Ok(Self { database, agency: agency.parse()?, base: base.parse()? })
    }

    async fn search(&self, tenant: &str, question: &str) -> Result<Vec<String>> {
        let tenant: TenantId = tenant.parse()?;
        let mut tx = self.database.begin(&Scope::tenant(self.agency, tenant)).await?;
        let found = knowledge::search(&mut tx, &[self.base], question, 1).await?;
        tx.rollback().await?;
        Ok(found.into_iter().map(|passage| passage.text).collect())
    }
}
