//! What the API server accepts and refuses: the samples, the defaults, bad objects with their messages, and who may set
//! limits. Needs the resource definitions and the chart; no pod has to run.
#![cfg(feature = "lab")]
#![allow(missing_docs, clippy::panic)]

use anyhow::{Context as _, Result};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::{
    Api, Client, Config, CustomResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::path::Path;
use voxplane_crds::{Agency, KnowledgeBase, PhoneNumber, Tenant, VoiceAgent};
use voxplane_e2e::env::LabEnv;

/// The cluster, as the administrator or as somebody the administrator stands in for.
async fn client(user: Option<&str>) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(LabEnv::load()?.kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.auth_info.impersonate = user.map(str::to_owned);
    Ok(Client::try_from(config)?)
}

fn resource(kind: &str) -> ApiResource {
    match kind {
        "Agency" => Agency::api_resource(),
        "Tenant" => Tenant::api_resource(),
        "VoiceAgent" => VoiceAgent::api_resource(),
        "PhoneNumber" => PhoneNumber::api_resource(),
        "KnowledgeBase" => KnowledgeBase::api_resource(),
        other => panic!("no kind {other}"),
    }
}

/// Everything is tried in `default`: the definitions do not ask where an object lies, the operator does.
fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    match kind {
        "Agency" => Api::all_with(client.clone(), &resource(kind)),
        _ => Api::namespaced_with(client.clone(), "default", &resource(kind)),
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    DynamicObject::new(name, &resource(kind)).data(json!({"spec": spec}))
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

/// What the API server says about an object: nothing if it accepts it.
async fn verdict(client: &Client, kind: &str, name: &str, spec: &Value) -> Result<String> {
    match api(client, kind).create(&dry_run(), &object(kind, name, spec)).await {
        Ok(_) => Ok(String::new()),
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        Err(error) => Err(error.into()),
    }
}

#[tokio::test]
async fn the_samples_are_accepted() -> Result<()> {
    let client = client(None).await?;
    let mut seen = 0;
    for scenario in ["dental-clinic", "law-office"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples").join(scenario);
        for file in std::fs::read_dir(&folder)? {
            let path = file?.path();
            let sample: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&path)?)?;
            let kind = sample["kind"].as_str().context("a sample has a kind")?;
            let name = sample["metadata"]["name"].as_str().context("a sample has a name")?;
            // Another name: the sample itself may exist already.
            let said = verdict(&client, kind, &format!("{name}-x"), &sample["spec"]).await?;
            assert_eq!(said, "", "{}", path.display());
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
    Ok(())
}

/// The server fills in what the types' `Default` says, so that what the controllers compute with is what users see.
#[tokio::test]
async fn the_servers_defaults_are_the_types_defaults() -> Result<()> {
    let client = client(None).await?;
    for (kind, spec, expected) in [
        ("Agency", json!({}), serde_json::to_value(voxplane_crds::AgencySpec::default())?),
        ("Tenant", json!({}), serde_json::to_value(voxplane_crds::TenantSpec::default())?),
        ("VoiceAgent", json!({}), serde_json::to_value(voxplane_crds::VoiceAgentSpec::default())?),
        ("KnowledgeBase", json!({}), serde_json::to_value(voxplane_crds::KnowledgeBaseSpec::default())?),
        (
            "PhoneNumber",
            json!({"number": "+15550177", "carrier": "c", "agentRef": {"name": "a"}}),
            json!({"number": "+15550177", "carrier": "c", "agentRef": {"name": "a"}, "overflow": {}, "deletionPolicy": "Retain"}),
        ),
    ] {
        let created = api(&client, kind).create(&dry_run(), &object(kind, "defaults", &spec)).await?;
        assert_eq!(created.data["spec"], expected, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn bad_objects_are_refused_with_the_fix() -> Result<()> {
    let client = client(None).await?;
    let number = |number: &str| json!({"number": number, "carrier": "c", "agentRef": {"name": "a"}});
    let carrier = |sip: Value| json!({"carriers": [{"name": "c", "type": "sip", "sip": sip}]});
    let grant = |pattern: &str| {
        let sip = json!({"allowedAddresses": ["203.0.113.7"]});
        json!({"carriers": [{"name": "c", "type": "sip", "sip": sip, "numbers": [{"pattern": pattern}]}]})
    };
    let llm = |llm: Value| json!({"llm": llm});
    let runtime = |runtime: Value| json!({"runtime": runtime});
    let text = |length: usize| json!({"name": format!("s{length}"), "inline": {"text": "x".repeat(length)}});
    let long = "a".repeat(41);
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        // names
        ("Agency", &long[..21], json!({}), "at most 20 characters"),
        ("Agency", "a--b", json!({}), "lower-case letters, digits and single dashes"),
        ("Agency", "a.b", json!({}), "lower-case letters, digits and single dashes"),
        ("Tenant", &long[..31], json!({}), "at most 30 characters"),
        ("Tenant", "a--b", json!({}), "lower-case letters, digits and single dashes"),
        ("VoiceAgent", &long, json!({}), "at most 40 characters"),
        ("KnowledgeBase", &long, json!({}), "at most 40 characters"),
        ("PhoneNumber", &long, number("+15550100"), "at most 40 characters"),
        // Agency
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "sip"}]}), "needs the block `sip`"),
        ("Agency", "a", json!({"carriers": [{"name": "c", "type": "pigeon"}]}), "supported values: \"sip\""),
        ("Agency", "a", carrier(json!({})), "without `allowedAddresses` or `authSecretRef`"),
        ("Agency", "a", carrier(json!({"allowedAddresses": ["sip.example.com"]})), "is an IP address"),
        ("Agency", "a", carrier(json!({"allowedAddresses": ["0.0.0.0/0"]})), "the whole Internet"),
        (
            "Agency",
            "a",
            carrier(json!({"allowedAddresses": ["203.0.113.7"], "ringingTimeoutSeconds": 60})),
            "should be less than or equal to 20",
        ),
        ("Agency", "a", grant("5550100"), "should match"),
        (
            "Agency",
            "a",
            json!({"carriers": [{"name": "c", "type": "sip", "sip": {"allowedAddresses": ["1.2.3.4"]}},
            {"name": "c", "type": "sip", "sip": {"allowedAddresses": ["1.2.3.4"]}}]}),
            "Duplicate value",
        ),
        ("Agency", "a", json!({"quotas": {"maxTenants": -1}}), "should be greater than or equal to 0"),
        ("Agency", "a", json!({"contact": {"email": "nobody"}}), "should match"),
        // Tenant
        (
            "Tenant",
            "t",
            json!({"quotas": {"concurrentCalls": {"guaranteed": 5, "max": 4}}}),
            "`guaranteed` is at most `max`",
        ),
        ("Tenant", "t", json!({"timezone": "Mars Time"}), "should match"),
        ("Tenant", "t", json!({"compliance": {"retentionDays": 0}}), "should be greater than or equal to 1"),
        // VoiceAgent
        ("VoiceAgent", "a", json!({"vad": {"preset": "Noisy", "custom": {}}}), "exclude each other"),
        ("VoiceAgent", "a", json!({"vad": {"preset": "Loud"}}), "Unsupported value"),
        ("VoiceAgent", "a", llm(json!({"provider": "openai-compatible"})), "needs `model` and `baseUrl`"),
        ("VoiceAgent", "a", llm(json!({"baseUrl": "http://llm/v1"})), "runs inside the pod"),
        (
            "VoiceAgent",
            "a",
            llm(json!({"provider": "openai-compatible", "model": "m", "baseUrl": "llm.example.com"})),
            "should match",
        ),
        ("VoiceAgent", "a", json!({"stt": {"options": {"phrases": ["stop", "stop"]}}}), "Duplicate value"),
        ("VoiceAgent", "a", json!({"prompt": {"system": "x".repeat(65_537)}}), "may not be more than 65536"),
        ("VoiceAgent", "a", json!({"knowledgeBases": [{"name": "k"}, {"name": "k"}]}), "Duplicate value"),
        ("VoiceAgent", "a", json!({"language": "English"}), "should match"),
        ("VoiceAgent", "a", json!({"runtime": {"callsPerReplica": 0}}), "should be greater than or equal to 1"),
        ("VoiceAgent", "a", json!({"runtime": {"resources": {"limits": {"cpu": "plenty"}}}}), "should match"),
        ("VoiceAgent", "a", runtime(json!({"gpu": {"resourceName": "gpu"}})), "should match"),
        (
            "VoiceAgent",
            "a",
            runtime(json!({"gpu": {"resourceName": "kubernetes.io/gpu"}})),
            "nothing of `kubernetes.io`",
        ),
        ("VoiceAgent", "a", runtime(json!({"nodeSelector": {"a": "b c"}})), "should match"),
        ("VoiceAgent", "a", runtime(json!({"tolerations": [{"value": "v"}]})), "set `operator: Exists`"),
        ("VoiceAgent", "a", runtime(json!({"scaling": {"min": 11}})), "`min` is at most `max`"),
        (
            "VoiceAgent",
            "a",
            runtime(json!({"scaling": {"headroomSlots": 1, "headroomPercent": 10}})),
            "exclude each other",
        ),
        ("VoiceAgent", "a", runtime(json!({"volumes": [{"name": "m"}]})), "exactly one source"),
        ("VoiceAgent", "a", runtime(json!({"topologySpread": {"over": "Rack"}})), "Unsupported value"),
        // PhoneNumber
        ("PhoneNumber", "n", number("15550100"), "should match"),
        ("PhoneNumber", "n", number("+1 555 0100"), "should match"),
        ("PhoneNumber", "n", json!({"number": "+15550100"}), "spec.agentRef: Required value"),
        // KnowledgeBase
        ("KnowledgeBase", "k", json!({"sources": [{"name": "a"}]}), "needs the block `inline`"),
        ("KnowledgeBase", "k", json!({"sources": [text(200_001)]}), "may not be more than 200000"),
        (
            "KnowledgeBase",
            "k",
            json!({"sources": [text(190_000), text(190_001), text(190_002), text(190_003), text(190_004)]}),
            "more than 900,000 characters",
        ),
    ];
    let mut wrong = vec![];
    for (kind, name, spec, expected) in &cases {
        let said = verdict(&client, kind, name, spec).await?;
        if !said.contains(expected) {
            let spec: String = spec.to_string().chars().take(120).collect();
            wrong.push(format!("{kind} {name} {spec}\n  expected: {expected}\n  said:     {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A misspelt field is lost in silence unless the client asks for strictness, as kubectl does.
#[tokio::test]
async fn a_misspelt_field_is_named() -> Result<()> {
    let client = client(None).await?;
    let parameters = PatchParams::apply("kubectl").dry_run().validation_strict();
    let misspelt = object("VoiceAgent", "a", &json!({"gretting": {"text": "Hello"}}));
    let error = api(&client, "VoiceAgent").patch("a", &parameters, &Patch::Apply(&misspelt)).await;
    let said = error.expect_err("a misspelt field was accepted").to_string();
    assert!(said.contains("gretting"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_number_never_changes() -> Result<()> {
    let client = client(None).await?;
    let numbers = api(&client, "PhoneNumber");
    let spec = json!({"number": "+15550188", "carrier": "none", "agentRef": {"name": "nobody"}});
    let apply = PatchParams::apply("test").force();
    numbers.patch("immutable", &apply, &Patch::Apply(object("PhoneNumber", "immutable", &spec))).await?;

    let change = |spec: Value| Patch::Merge(json!({"spec": spec}));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let other = numbers.patch("immutable", &dry, &change(json!({"number": "+15550189"}))).await;
    let agent = numbers.patch("immutable", &dry, &change(json!({"agentRef": {"name": "somebody"}}))).await;
    numbers.delete("immutable", &DeleteParams::default()).await?;

    let said = other.expect_err("the number was changed").to_string();
    assert!(said.contains("`number` cannot be changed: create another PhoneNumber"), "{said}");
    agent.context("another agent may answer")?;
    Ok(())
}

/// Somebody who may write agencies, tenants and agents, and lacks the verb `set-limits`.
const EDITOR: &str = "admit-resources-editor";

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
