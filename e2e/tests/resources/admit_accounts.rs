//! Who may do what: limits need the right to set them, and our own accounts can do no more than they need. Needs the
//! resource definitions and the chart; no pod has to run.

use anyhow::{Context as _, Result};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use voxplane_e2e::admission::{api, client, dry_run, object, verdict};

/// Somebody who may write agencies, tenants and agents, and lacks the verb `set-limits`.
const EDITOR: &str = "admit-accounts-editor";

async fn with_editor() -> Result<(Client, Client)> {
    let admin = client(None).await?;
    let apply = PatchParams::apply("test").force();
    let role: ClusterRole = serde_json::from_value(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": EDITOR},
        "rules": [{
            "apiGroups": ["voxplane.dev"], "resources": ["agencies", "tenants", "voiceagents"],
            "verbs": ["get", "create", "update", "patch"],
        }],
    }))?;
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": EDITOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": EDITOR},
        "subjects": [{"kind": "User", "name": EDITOR, "apiGroup": "rbac.authorization.k8s.io"}],
    }))?;
    Api::<ClusterRole>::all(admin.clone()).patch(EDITOR, &apply, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(admin.clone()).patch(EDITOR, &apply, &Patch::Apply(binding)).await?;
    Ok((admin, client(Some(EDITOR)).await?))
}

#[tokio::test]
async fn limits_need_the_right_to_set_them() -> Result<()> {
    let (admin, editor) = with_editor().await?;
    // The API server's authorizer learns of a new role within moments.
    for _ in 0..50 {
        if verdict(&editor, "Tenant", "t", &json!({})).await?.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let carriers = json!([{"name": "c", "type": "sip", "sip": {"allowedAddresses": ["203.0.113.7"]}}]);
    let privileged = [
        ("Agency", json!({"quotas": {"maxTenants": 101}}), "spec.quotas"),
        ("Agency", json!({"suspended": true}), "spec.suspended"),
        ("Agency", json!({"carriers": carriers}), "spec.carriers"),
        ("Tenant", json!({"quotas": {"concurrentCalls": {"max": 11}}}), "spec.quotas"),
        ("Tenant", json!({"suspended": true}), "spec.suspended"),
        ("Tenant", json!({"quotas": {"gpus": [{"resourceName": "nvidia.com/gpu", "count": 1}]}}), "spec.quotas"),
        ("VoiceAgent", json!({"runtime": {"image": "example.com/mine"}}), "spec.runtime.image"),
        ("VoiceAgent", json!({"runtime": {"canary": {"image": "example.com/mine"}}}), "spec.runtime.canary.image"),
        ("VoiceAgent", json!({"runtime": {"runtimeClassName": "nvidia"}}), "spec.runtime.runtimeClassName"),
        ("VoiceAgent", json!({"runtime": {"priorityClassName": "high"}}), "spec.runtime.priorityClassName"),
        (
            "VoiceAgent",
            json!({"runtime": {"volumes": [{"name": "m", "image": {"reference": "example.com/m:1"}}]}}),
            "spec.runtime.volumes",
        ),
    ];
    for (kind, spec, field) in &privileged {
        let said = verdict(&editor, kind, "p", spec).await?;
        assert!(said.contains(field) && said.contains("`set-limits`"), "{kind} {spec}: {said}");
        assert_eq!(verdict(&admin, kind, "p", spec).await?, "", "{kind} {spec} by the administrator");
    }
    for (kind, spec) in [
        ("Agency", json!({"displayName": "A", "quotas": {"maxTenants": 5}})),
        ("Tenant", json!({"displayName": "T", "quotas": {"concurrentCalls": {"max": 3}}})),
        ("VoiceAgent", json!({"displayName": "V", "runtime": {"replicas": 2}})),
        (
            "VoiceAgent",
            json!({"runtime": {"placement": "Dedicated", "gpu": {}, "nodeSelector": {"example.com/pool": "gpu"},
                               "tolerations": [{"operator": "Exists"}],
                               "volumes": [{"name": "m", "persistentVolumeClaim": {"name": "models"}}],
                               "scaling": {"mode": "Operator", "max": 3, "headroomSlots": 2}}}),
        ),
    ] {
        assert_eq!(verdict(&editor, kind, "ordinary", &spec).await?, "", "{kind} {spec}");
    }
    Ok(())
}

#[tokio::test]
async fn a_suspended_tenant_stays_suspended() -> Result<()> {
    let (admin, editor) = with_editor().await?;
    let tenants = api(&admin, "Tenant");
    let apply = PatchParams::apply("test").force();
    let spec = json!({"suspended": true, "quotas": {"concurrentCalls": {"max": 50}}});
    tenants.patch("limited", &apply, &Patch::Apply(object("Tenant", "limited", &spec))).await?;

    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let change = |spec: Value| Patch::Merge(json!({"spec": spec}));
    let by_editor = api(&editor, "Tenant");
    let renamed = by_editor.patch("limited", &dry, &change(json!({"displayName": "New name"}))).await;
    let resumed = by_editor.patch("limited", &dry, &change(json!({"suspended": false}))).await;
    let raised = by_editor.patch("limited", &dry, &change(json!({"quotas": {"phoneNumbers": 11}}))).await;
    tenants.delete("limited", &DeleteParams::default()).await?;

    renamed.context("what is no limit may be changed beside limits that are higher than the defaults")?;
    for (result, field) in [(resumed, "spec.suspended"), (raised, "spec.quotas")] {
        let said = result.expect_err("a limit was changed without the right").to_string();
        assert!(said.contains(field) && said.contains("`set-limits`"), "{said}");
    }
    Ok(())
}

/// RBAC lets the operator bind roles anywhere; the admission policy keeps it to its own namespaces.
#[tokio::test]
async fn the_operator_stays_in_its_namespaces() -> Result<()> {
    use k8s_openapi::api::{core::v1::Namespace, rbac::v1::RoleBinding};
    let operator = client(Some("system:serviceaccount:voxplane-system:voxplane-operator")).await?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "grab"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "voxplane-runtime-manager"},
        "subjects": [{"kind": "ServiceAccount", "name": "voxplane-operator", "namespace": "voxplane-system"}],
    }))?;
    let grabbed = Api::<RoleBinding>::namespaced(operator.clone(), "kube-system").create(&dry_run(), &binding).await;
    let said = grabbed.expect_err("the operator bound itself in kube-system").to_string();
    assert!(said.contains("whose name begins with vx-"), "{said}");

    let cluster_admin: RoleBinding = serde_json::from_value(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "grab"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }))?;
    let raised = Api::<RoleBinding>::namespaced(operator.clone(), "default").create(&dry_run(), &cluster_admin).await;
    assert!(matches!(raised, Err(kube::Error::Api(status)) if status.is_forbidden()), "it bound cluster-admin");

    let namespaces = Api::<Namespace>::all(operator);
    let named = |name: &str| Namespace {
        metadata: kube::api::ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
        ..Default::default()
    };
    let foreign = namespaces.create(&dry_run(), &named("not-ours")).await;
    assert!(foreign.is_err_and(|error| error.to_string().contains("whose name begins with vx-")));
    namespaces.create(&dry_run(), &named("vx-admit-resources")).await.context("its own namespaces it may make")?;
    let deletion = namespaces.delete("kube-node-lease", &DeleteParams { dry_run: true, ..Default::default() }).await;
    assert!(deletion.is_err_and(|error| error.to_string().contains("whose name begins with vx-")));
    Ok(())
}

/// Refusals of RBAC: what each account does not need, it cannot do.
#[tokio::test]
async fn accounts_cannot_do_what_they_need_not() -> Result<()> {
    use k8s_openapi::api::authorization::v1::SubjectAccessReview;
    let reviews = Api::<SubjectAccessReview>::all(client(None).await?);
    let allowed = async |account: &str, verb: &str, group: &str, resource: &str, namespace: &str| -> Result<bool> {
        let review: SubjectAccessReview = serde_json::from_value(json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": {
                "user": format!("system:serviceaccount:voxplane-system:{account}"),
                "groups": ["system:serviceaccounts", "system:serviceaccounts:voxplane-system", "system:authenticated"],
                "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace},
            },
        }))?;
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.context("a review has a status")?.allowed)
    };
    // First what they can do, or a misspelt account would pass for a modest one.
    assert!(allowed("voxplane-operator", "list", "voxplane.dev", "tenants", "").await?);
    assert!(allowed("voxplane-api", "create", "authentication.k8s.io", "tokenreviews", "").await?);
    for (account, verb, group, resource, namespace) in [
        ("voxplane-operator", "list", "", "secrets", ""),
        ("voxplane-operator", "get", "", "secrets", "kube-system"),
        ("voxplane-operator", "get", "", "secrets", "voxplane-system"),
        ("voxplane-operator", "create", "", "pods", "voxplane-system"),
        ("voxplane-operator", "create", "", "pods/exec", "voxplane-system"),
        ("voxplane-operator", "create", "apps", "deployments", "voxplane-system"),
        ("voxplane-operator", "create", "voxplane.dev", "tenants", "default"),
        ("voxplane-operator", "set-limits", "voxplane.dev", "tenants", "default"),
        ("voxplane-operator", "create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
        ("voxplane-api", "get", "", "secrets", "voxplane-system"),
        ("voxplane-api", "list", "", "pods", ""),
        ("voxplane-api", "set-limits", "voxplane.dev", "agencies", ""),
        ("voxplane-api", "patch", "voxplane.dev", "tenants", "default"),
        ("voxplane-api", "patch", "voxplane.dev", "voiceagents/status", "default"),
    ] {
        let granted = allowed(account, verb, group, resource, namespace).await?;
        assert!(!granted, "{account} may {verb} {resource}.{group} in `{namespace}`");
    }
    Ok(())
}
