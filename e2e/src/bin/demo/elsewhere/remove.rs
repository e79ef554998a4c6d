//! Takes away what the demo made, and nothing else.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        coordination::v1::Lease,
        core::v1::{ConfigMap, Namespace, Pod, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams},
};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};
use voxplane_e2e::{
    cluster::Cluster,
    world::{self, AUTH_SECRET, SYSTEM_NAMESPACE},
};
use voxplane_operator::{
    config::LiveKitSettings,
    livekit::{LiveKit, desired::STRANGERS},
    metrics::Metrics,
};

use super::{
    SAMPLE,
    cluster::{RECORD, Record, Target},
    helm::{DEFINITIONS, PRODUCT},
};

/// How long the operator may take to undo an agency, and Kubernetes to empty a namespace.
const LIMIT: Duration = Duration::from_secs(180);
/// Secrets that the operator made.
const SECRETS: [&str; 2] = ["voxplane-control-tls", "voxplane-control-ca"];
/// The operator's lease.
const LEASE: &str = "voxplane-operator";
/// The pod of a chart's test that failed.
const TEST_POD: &str = "voxplane-test";

/// Removes the demo, after a question.
pub async fn all(target: &Target, confirmed: bool) -> Result<()> {
    let Some(record) = target.record().await? else {
        bail!("the demo is not installed in {}; nothing was changed", target.context);
    };
    let cluster = Cluster::connect(target.client.clone()).await?;
    let agency = sample_agency()?;
    let others = others(target, &agency).await?;
    if !others.is_empty() {
        bail!(
            "there is more than the demo's clinic: {}. Without the operator nobody would look after it; delete it first. \
             Nothing was changed",
            others.join(", ")
        );
    }
    ask(target, record, confirmed)?;
    if let Some(found) = cluster.find(&agency).await? {
        println!("remove      the sample clinic");
        cluster.delete(&found).await?;
        // With it go its tenants, their namespaces, and its trunks and rules in LiveKit.
        cluster.wait_gone(&agency, LIMIT).await.context("the operator undoes the agency")?;
    }
    let livekit = livekit(target).await;
    println!("remove      the charts");
    target.helm.uninstall(PRODUCT).await?;
    strangers(livekit).await;
    target.helm.uninstall(DEFINITIONS).await?;
    definitions(target).await?;
    println!("remove      what is left in {SYSTEM_NAMESPACE}");
    leftovers(target, record).await?;
    println!("\nDone. The database keeps its tables and roles; drop them there.");
    Ok(())
}

fn sample_agency() -> Result<DynamicObject> {
    let objects = world::sample(SAMPLE)?;
    objects.into_iter().find(|object| is_kind(object, "Agency")).context("the sample has no agency")
}

fn is_kind(object: &DynamicObject, kind: &str) -> bool {
    object.types.as_ref().is_some_and(|types| types.kind == kind)
}

/// Objects of ours that the sample's agency does not take with it.
async fn others(target: &Target, agency: &DynamicObject) -> Result<Vec<String>> {
    if target.definitions().await?.is_empty() {
        return Ok(Vec::new());
    }
    let own = format!("vx-{}", agency.name_any());
    let client = &target.client;
    let mut all = names::<Agency>(client).await?;
    all.extend(names::<Tenant>(client).await?);
    all.extend(names::<VoiceAgent>(client).await?);
    all.extend(names::<PhoneNumber>(client).await?);
    all.extend(names::<KnowledgeBase>(client).await?);
    let foreign = all.into_iter().filter(|(namespace, name)| match namespace {
        Some(namespace) => namespace != &own && !namespace.starts_with(&format!("{own}--")),
        None => *name != agency.name_any(),
    });
    let shown = foreign.map(|(namespace, name)| match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name,
    });
    Ok(shown.collect())
}

async fn names<K>(client: &Client) -> Result<Vec<(Option<String>, String)>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let found = Api::<K>::all(client.clone()).list_metadata(&ListParams::default()).await?;
    Ok(found.items.iter().map(|object| (object.namespace(), object.name_any())).collect())
}

fn ask(target: &Target, record: Record, confirmed: bool) -> Result<()> {
    println!("In {} are removed:", target.context);
    println!("  the sample clinic with its namespaces, calls that are under way, trunks and rules in LiveKit");
    println!("  the releases {PRODUCT} and {DEFINITIONS}, and the definitions of our kinds");
    if record.namespace_is_ours {
        println!("  the namespace {SYSTEM_NAMESPACE}, with the key without which stored transcripts cannot be read");
    } else {
        println!("  Secrets and lease of the demo in {SYSTEM_NAMESPACE}; the namespace was there before and stays");
    }
    if confirmed {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here: CONFIRM=yes removes it without a question. Nothing was changed");
    }
    print!("Go on? Type the name of the context: ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() != target.context {
        bail!("that is not {}; nothing was changed", target.context);
    }
    Ok(())
}

/// LiveKit as the operator reaches it, if its Secret can be read.
async fn livekit(target: &Target) -> Option<LiveKit> {
    let deployments = Api::<Deployment>::namespaced(target.client.clone(), SYSTEM_NAMESPACE);
    let operator = deployments.get_opt("voxplane-operator").await.ok()??;
    let containers = operator.spec?.template.spec?.containers;
    let variable = containers.first()?.env.iter().flatten().find(|one| one.name == "VOXPLANE_LIVEKIT_URL")?;
    let name = &variable.value_from.as_ref()?.secret_key_ref.as_ref()?.name;
    let secret = Api::<Secret>::namespaced(target.client.clone(), SYSTEM_NAMESPACE).get_opt(name).await.ok()??;
    let data = secret.data?;
    let field = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    let settings = LiveKitSettings { url: field("url")?, key: field("api-key")?, secret: field("api-secret")?.into() };
    Some(LiveKit::new(&settings, Metrics::register(&mut Registry::default())))
}

/// The one rule that belongs to no agency. LiveKit may be reachable from the cluster only.
async fn strangers(livekit: Option<LiveKit>) {
    let removed = match &livekit {
        Some(livekit) => remove_strangers(livekit).await.map_err(|error| format!("{error:#}")),
        None => Err("its address and key are not in the cluster".to_owned()),
    };
    if let Err(error) = removed {
        println!("            the dispatch rule {STRANGERS} stays in LiveKit; delete it there ({error})");
    }
}

async fn remove_strangers(livekit: &LiveKit) -> Result<()> {
    for rule in livekit.rules().await?.into_iter().filter(|rule| rule.name == STRANGERS) {
        livekit.delete_rule(&rule.sip_dispatch_rule_id).await?;
    }
    Ok(())
}

/// Helm keeps them on purpose, because objects go with their definition; here there are none.
async fn definitions(target: &Target) -> Result<()> {
    let all = Api::<CustomResourceDefinition>::all(target.client.clone());
    for name in target.definitions().await? {
        all.delete(&name, &DeleteParams::default()).await?;
    }
    Ok(())
}

async fn leftovers(target: &Target, record: Record) -> Result<()> {
    let client = &target.client;
    if record.namespace_is_ours {
        let namespaces = Api::<Namespace>::all(client.clone());
        namespaces.delete(SYSTEM_NAMESPACE, &DeleteParams::default()).await?;
        let deadline = tokio::time::Instant::now() + LIMIT;
        while namespaces.get_opt(SYSTEM_NAMESPACE).await?.is_some() {
            if tokio::time::Instant::now() > deadline {
                bail!("the namespace {SYSTEM_NAMESPACE} is still there after {LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        return Ok(());
    }
    for secret in SECRETS {
        delete::<Secret>(client, secret).await?;
    }
    // Helm keeps it on purpose. One that somebody made for the chart is theirs.
    let auth = Api::<Secret>::namespaced(client.clone(), SYSTEM_NAMESPACE).get_opt(AUTH_SECRET).await?;
    if auth.is_some_and(|auth| auth.labels().get("app.kubernetes.io/managed-by").is_some_and(|who| who == "Helm")) {
        delete::<Secret>(client, AUTH_SECRET).await?;
    }
    delete::<Lease>(client, LEASE).await?;
    delete::<Pod>(client, TEST_POD).await?;
    // Last: while it is there, the removal can be tried again.
    delete::<ConfigMap>(client, RECORD).await
}

async fn delete<K>(client: &Client, name: &str) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), SYSTEM_NAMESPACE);
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        answer => answer.map(drop).with_context(|| format!("deleting {name}")),
    }
}
