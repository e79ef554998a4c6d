//! Promises of the charts, read from the rendered reference install. `cargo xtask generate --check` proves that it is
//! what the charts render.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde::Deserialize as _;
use serde_json::Value;
use std::{fs, path::PathBuf};
use voxplane_crds::{AgencySpec, TenantSpec, names};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rendered() -> Vec<Value> {
    let text = fs::read_to_string(root().join("manifests/install/voxplane.yaml")).unwrap();
    let objects: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null())
        .collect();
    assert!(objects.len() > 20, "only {} objects are rendered", objects.len());
    objects
}

fn named(kind: &str, name: &str) -> Value {
    let found = rendered().into_iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} is rendered"))
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap()).collect()
}

/// Every rule of every role, with the role's name.
fn rules(objects: &[Value]) -> Vec<(String, Value)> {
    let roles = objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Role" | "ClusterRole")));
    let rules = roles.flat_map(|role| {
        let name = role["metadata"]["name"].as_str().unwrap().to_owned();
        role["rules"].as_array().unwrap().iter().map(move |rule| (name.clone(), rule.clone()))
    });
    rules.collect()
}

#[test]
fn no_right_is_a_wildcard() {
    for (role, rule) in rules(&rendered()) {
        for key in ["verbs", "resources", "apiGroups"] {
            assert!(!strings(&rule[key]).contains(&"*"), "{role}: {rule}");
        }
        assert!(!strings(&rule["verbs"]).contains(&"escalate"), "{role}: {rule}");
        if strings(&rule["verbs"]).contains(&"bind") {
            assert_eq!(
                strings(&rule["resourceNames"]),
                [
                    names::AGENCY_ADMIN_ROLE,
                    names::AGENCY_EDIT_ROLE,
                    names::AGENCY_VIEW_ROLE,
                    names::TENANT_ADMIN_ROLE,
                    names::TENANT_EDIT_ROLE,
                    names::TENANT_VIEW_ROLE,
                    names::RUNTIME_MANAGER_ROLE,
                    names::KNOWLEDGE_READER_ROLE,
                ],
                "{role}"
            );
        }
    }
}

#[test]
fn secrets_are_read_only_where_keys_are_assembled() {
    for (role, rule) in rules(&rendered()) {
        let secrets = strings(&rule["resources"]).contains(&"secrets");
        let named = !rule["resourceNames"].is_null();
        let create_only = strings(&rule["verbs"]) == ["create"];
        let allowed = role == names::RUNTIME_MANAGER_ROLE
            || (role == names::KNOWLEDGE_READER_ROLE && named && strings(&rule["verbs"]) == ["get"])
            || (role == "voxplane-operator" && (named || create_only));
        assert!(!secrets || allowed, "{role} may touch Secrets: {rule}");
        // `list` and `watch` would hand out the contents of all of them.
        assert!(
            !secrets || !strings(&rule["verbs"]).iter().any(|verb| ["list", "watch"].contains(verb)),
            "{role}: {rule}"
        );
    }
}

#[test]
fn the_roles_of_members_reach_only_their_own_kinds() {
    let of_tenants = [names::TENANT_ADMIN_ROLE, names::TENANT_EDIT_ROLE, names::TENANT_VIEW_ROLE];
    let of_agencies = [names::AGENCY_ADMIN_ROLE, names::AGENCY_EDIT_ROLE, names::AGENCY_VIEW_ROLE];
    let mut seen = 0;
    for (role, rule) in rules(&rendered()) {
        let allowed: &[&str] = if of_tenants.contains(&role.as_str()) {
            &["voiceagents", "phonenumbers", "knowledgebases", "voiceagents/scale", "events"]
        } else if of_agencies.contains(&role.as_str()) {
            &["tenants", "events"]
        } else {
            continue;
        };
        for resource in strings(&rule["resources"]) {
            assert!(allowed.contains(&resource), "{role}: {resource}");
            seen += 1;
        }
    }
    assert!(seen > of_tenants.len() + of_agencies.len(), "the roles are not there");
}

#[test]
fn every_right_of_our_programs_says_what_needs_it() {
    for file in ["operator/rbac.yaml", "api/rbac.yaml", "roles/runtime-manager.yaml", "roles/knowledge-reader.yaml"] {
        let text = fs::read_to_string(root().join("charts/voxplane/templates").join(file)).unwrap();
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        let mut rules = 0;
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with("- apiGroups:")) {
            assert!(pair[0].starts_with('#'), "{file}: the rule after `{}` has no comment", pair[0]);
            rules += 1;
        }
        assert!(rules > 0, "{file} has no rules");
    }
}

/// Kubernetes' Pod Security level `restricted`, and a file system that cannot be written.
#[test]
fn every_pod_is_restricted() {
    let mut pods = 0;
    for object in rendered() {
        let spec = &object["spec"]["template"]["spec"];
        let Some(containers) = spec["containers"].as_array() else { continue };
        let name = &object["metadata"]["name"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(spec["enableServiceLinks"], false, "{name}");
        for container in containers {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(strings(&security["capabilities"]["drop"]), ["ALL"], "{name}");
            assert!(container["resources"]["requests"]["memory"].is_string(), "{name}");
        }
        pods += 1;
    }
    assert_eq!(pods, 3, "operator, API and migrations");
}

/// A pod must live longer than the load balancers need to notice that it is going, or callers of REST see errors.
#[test]
fn shutdown_times_follow_from_the_probes() {
    let api = named("Deployment", "voxplane-api");
    let pod = &api["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let seconds = |value: &Value| value.as_i64().unwrap();
    let notice = seconds(&container["readinessProbe"]["periodSeconds"])
        * seconds(&container["readinessProbe"]["failureThreshold"]);
    let variables = container["env"].as_array().unwrap();
    let delay = variables.iter().find(|variable| variable["name"] == "VOXPLANE_SHUTDOWN_DELAY_SECONDS").unwrap();
    let delay: i64 = delay["value"].as_str().unwrap().parse().unwrap();
    assert!(delay >= 2 * notice, "waits {delay} s, load balancers need {notice} s");
    assert!(seconds(&pod["terminationGracePeriodSeconds"]) > delay + notice);
}

/// The admission policies let everybody create within the defaults of the types; both must name the same numbers.
#[test]
fn the_policies_know_the_defaults() {
    let agency = AgencySpec::default().quotas;
    let tenant = TenantSpec::default().quotas;
    let expression = |name: &str| {
        let policy = named("ValidatingAdmissionPolicy", name);
        let validations = policy["spec"]["validations"].as_array().unwrap();
        let mut expressions = validations.iter().map(|validation| validation["expression"].as_str().unwrap());
        expressions.find(|expression| expression.contains("quotas")).unwrap().to_owned()
    };
    let agencies = expression("voxplane-limits-agencies");
    for part in [
        format!("quotas.maxTenants <= {} ", agency.max_tenants),
        format!("quotas.concurrentCalls <= {} ", agency.concurrent_calls),
    ] {
        assert!(agencies.contains(&part), "`{part}` is not in {agencies}");
    }
    let tenants = expression("voxplane-limits-tenants");
    for part in [
        format!("concurrentCalls.guaranteed == {} ", tenant.concurrent_calls.guaranteed),
        format!("concurrentCalls.max <= {} ", tenant.concurrent_calls.max),
        format!("quotas.phoneNumbers <= {} ", tenant.phone_numbers),
        format!("quotas.voiceAgents <= {} ", tenant.voice_agents),
    ] {
        assert!(tenants.contains(&part), "`{part}` is not in {tenants}");
    }
}

/// Names that the code has in `crds::names` and the chart writes out.
#[test]
fn chart_and_code_agree_on_names() {
    for (kind, name) in [
        ("ClusterRole", names::AGENCY_ADMIN_ROLE),
        ("ClusterRole", names::AGENCY_EDIT_ROLE),
        ("ClusterRole", names::AGENCY_VIEW_ROLE),
        ("ClusterRole", names::TENANT_ADMIN_ROLE),
        ("ClusterRole", names::TENANT_EDIT_ROLE),
        ("ClusterRole", names::TENANT_VIEW_ROLE),
        ("ClusterRole", names::KNOWLEDGE_READER_ROLE),
        ("ClusterRole", names::RUNTIME_MANAGER_ROLE),
        ("Service", names::API_SERVICE),
        ("ServiceAccount", names::OPERATOR_SERVICE_ACCOUNT),
    ] {
        named(kind, name);
    }
    let api = named("Deployment", "voxplane-api");
    let volumes = api["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == names::CONTROL_TLS_SECRET));
    assert_eq!(api["metadata"]["namespace"], names::SYSTEM_NAMESPACE);
}
