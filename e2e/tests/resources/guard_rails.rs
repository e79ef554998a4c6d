//! What is made in the cluster for a tenant: namespaces with guard rails, and the pool of runtime pods.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    rbac::v1::RoleBinding,
};
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use voxplane_crds::{labels, names};
use voxplane_e2e::{
    cluster::id_of,
    scratch::{one_of_everything, only_the_agency, with_own},
    world::{READY_LIMIT, SYSTEM_NAMESPACE, World, of_kind},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_namespaces_and_pool_are_made_with_guard_rails() -> Result<()> {
    const AGENCY: &str = "e2e-made";
    with_own(&only_the_agency(AGENCY), |world| async move {
        let objects = world.cluster.apply_ready(&one_of_everything(AGENCY, "+15559011001"), READY_LIMIT).await?;
        let (agency_id, tenant_id) = (id_of(of_kind(&objects, "Agency"))?, id_of(of_kind(&objects, "Tenant"))?);
        guarded_namespace(&world, "vx-e2e-made", agency_id).await?;
        let namespace = "vx-e2e-made--shop";
        guarded_namespace(&world, namespace, tenant_id).await?;
        limits(&world, namespace).await?;
        network(&world, namespace).await?;
        roles(&world, namespace).await?;
        pool(&world, namespace, of_kind(&objects, "VoiceAgent")).await
    })
    .await
}

/// The namespace is labelled with its owner and enforces the strictest Pod Security Standard.
async fn guarded_namespace(world: &World, name: &str, owner: &str) -> Result<()> {
    let namespace = Api::<Namespace>::all(world.cluster.client()).get(name).await?;
    let label = |key: &str| namespace.labels().get(key).map(String::as_str);
    assert_eq!(label("pod-security.kubernetes.io/enforce"), Some("restricted"), "{name}");
    assert_eq!(label(labels::MANAGED_BY), Some(labels::MANAGED_BY_OPERATOR), "{name}");
    assert_eq!(label(labels::OWNER_ID), Some(owner), "{name}");
    assert_eq!(namespace.owner_references(), [], "no ownerReference points from or to a namespace");
    Ok(())
}

async fn limits(world: &World, namespace: &str) -> Result<()> {
    let client = world.cluster.client();
    let quota = Api::<ResourceQuota>::namespaced(client.clone(), namespace).get("voxplane").await?;
    let hard = quota.spec.and_then(|spec| spec.hard).unwrap_or_default();
    let most = |what: &str| hard.get(what).map(|quantity| quantity.0.as_str());
    assert_eq!(most("count/voiceagents.voxplane.dev"), Some("2"), "{hard:?}");
    assert_eq!(most("count/phonenumbers.voxplane.dev"), Some("3"), "{hard:?}");
    assert_eq!(most("count/services"), Some("0"), "{hard:?}");
    let ranges = Api::<LimitRange>::namespaced(client, namespace).list(&ListParams::default()).await?;
    assert_eq!(ranges.items.len(), 1);
    Ok(())
}

/// Everything is denied but DNS, the control port and exactly what the chart's values allow.
async fn network(world: &World, namespace: &str) -> Result<()> {
    let client = world.cluster.client();
    let found = Api::<NetworkPolicy>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?;
    let mut policies: BTreeMap<String, Value> = BTreeMap::new();
    for policy in found {
        policies.insert(policy.name_any(), serde_json::to_value(policy.spec)?);
    }
    let deny = policies.remove("default-deny").context("no policy default-deny")?;
    assert_eq!(deny["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!((&deny["egress"], &deny["ingress"]), (&Value::Null, &Value::Null), "a rule would allow something");
    assert!(deny["podSelector"].as_object().is_none_or(serde_json::Map::is_empty), "{deny:#}");
    let control = policies.remove("allow-control").context("no policy allow-control")?;
    assert_eq!(control["egress"][0]["ports"], json!([{"protocol": "TCP", "port": 9443}]));
    for known in ["allow-dns", "allow-metrics"] {
        policies.remove(known).with_context(|| format!("no policy {known}"))?;
    }
    let mut allowed: Vec<Value> = Vec::new();
    for (name, policy) in &policies {
        assert_eq!(policy["policyTypes"], json!(["Egress"]), "{name}");
        let rules = policy["egress"].as_array().context("an allowance has rules")?;
        for rule in rules {
            allowed.push(json!({"cidr": rule["to"][0]["ipBlock"]["cidr"], "ports": rule["ports"]}));
        }
    }
    let mut expected = chart_allowances(world).await?;
    let order = |a: &Value, b: &Value| a.to_string().cmp(&b.to_string());
    allowed.sort_by(order);
    expected.sort_by(order);
    assert!(!expected.is_empty(), "the chart's values allow something");
    assert_eq!(allowed, expected);
    Ok(())
}

/// What the chart tells the operator to allow.
async fn chart_allowances(world: &World) -> Result<Vec<Value>> {
    let operator =
        Api::<Deployment>::namespaced(world.cluster.client(), SYSTEM_NAMESPACE).get("voxplane-operator").await?;
    let pod = operator.spec.and_then(|spec| spec.template.spec).context("the operator has a pod template")?;
    let mut variables = pod.containers.into_iter().flat_map(|container| container.env.unwrap_or_default());
    let variable = variables.find(|variable| variable.name == "VOXPLANE_EGRESS_JSON");
    let text = variable.and_then(|variable| variable.value).context("the chart sets VOXPLANE_EGRESS_JSON")?;
    let list: Vec<Value> = serde_json::from_str(&text)?;
    Ok(list.iter().map(|allowance| json!({"cidr": allowance["cidr"], "ports": allowance["ports"]})).collect())
}

/// People's roles are fixed ones, and the operator has its rights through a binding in this namespace only.
async fn roles(world: &World, namespace: &str) -> Result<()> {
    let bindings = Api::<RoleBinding>::namespaced(world.cluster.client(), namespace);
    let found = bindings.list(&ListParams::default()).await?;
    let mut roles: Vec<_> = found.items.iter().map(|binding| binding.role_ref.name.as_str()).collect();
    roles.sort_unstable();
    let people = [names::TENANT_ADMIN_ROLE, names::TENANT_EDIT_ROLE, names::TENANT_VIEW_ROLE];
    assert_eq!(roles[0], names::RUNTIME_MANAGER_ROLE);
    assert_eq!(roles[1..], people);
    assert!(found.items.iter().all(|binding| binding.role_ref.kind == "ClusterRole"));
    Ok(())
}

async fn pool(world: &World, namespace: &str, agent: &DynamicObject) -> Result<()> {
    let client = world.cluster.client();
    let account = Api::<ServiceAccount>::namespaced(client.clone(), namespace).get(names::POOL_SERVICE_ACCOUNT).await?;
    assert_eq!(account.automount_service_account_token, Some(false));
    let keys = Api::<Secret>::namespaced(client.clone(), namespace).get(names::POOL_CREDENTIALS).await?;
    let data = keys.data.unwrap_or_default();
    assert_eq!(data.keys().collect::<Vec<_>>(), [names::CREDENTIALS_HASH_KEY], "no agent names a Secret");
    assert_eq!(
        std::str::from_utf8(&data[names::CREDENTIALS_HASH_KEY].0)?,
        agent.data["status"]["credentialsHash"].as_str().unwrap_or_default()
    );
    let deployment = Api::<Deployment>::namespaced(client.clone(), namespace).get(names::POOL_DEPLOYMENT).await?;
    let spec = deployment.spec.context("a Deployment has a spec")?;
    let pod = spec.template.spec.context("a Deployment has a pod template")?;
    assert_eq!(pod.service_account_name.as_deref(), Some(names::POOL_SERVICE_ACCOUNT));
    assert_eq!(pod.automount_service_account_token, Some(false), "pods have no token for the cluster's API");
    let budget = Api::<PodDisruptionBudget>::namespaced(client, namespace).get(names::POOL_DISRUPTION_BUDGET).await?;
    let budget = serde_json::to_value(budget.spec)?;
    assert_eq!(budget["maxUnavailable"], 0);
    assert_eq!(budget["selector"]["matchLabels"][labels::BUSY], "true", "only pods with calls are protected");
    assert_eq!(agent.data["status"]["pool"], format!("{namespace}/{}", names::POOL_DEPLOYMENT));
    Ok(())
}
