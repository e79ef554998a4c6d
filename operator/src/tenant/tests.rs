//! What is made for a tenant, and that no two tenants meet in it.

use proptest::prelude::*;
use uuid::Uuid;
use voxplane_crds::conditions::{reasons, types};
use voxplane_crds::labels;

use super::observe::Observed;
use super::{build, status, validate};
use crate::config::{EgressAllowance, PortRange};
use crate::identity::Identity;
use crate::namespaces::Counting;
use crate::testing::{agency, condition, now, tenant};

fn seen(agency_name: &str) -> Observed {
    Observed {
        agency: Ok(agency(agency_name)),
        identity: Some(Identity::Registered(Uuid::from_u128(0xb))),
        namespace: None,
        older_siblings: 0,
        control_ca: Some("-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n".to_owned()),
        egress: vec![EgressAllowance {
            name: "livekit".to_owned(),
            cidr: "10.243.0.1/32".to_owned(),
            ports: vec![
                PortRange { protocol: "TCP".to_owned(), port: 7880, end_port: None },
                PortRange { protocol: "UDP".to_owned(), port: 50000, end_port: Some(60000) },
            ],
        }],
        system_namespace: "voxplane-system".to_owned(),
    }
}

#[test]
fn everything_that_is_made() {
    let valid = validate::check(&tenant("brightline", "dental-clinic"), &seen("brightline")).unwrap();
    insta::assert_yaml_snapshot!(build::all(&valid));
}

#[test]
fn pods_reach_nothing_that_is_not_listed() {
    let mut seen = seen("brightline");
    seen.egress.clear();
    let valid = validate::check(&tenant("brightline", "dental-clinic"), &seen).unwrap();
    let policies = build::all(&valid).network;
    let deny = policies[0].spec.as_ref().unwrap();
    assert_eq!(deny.pod_selector, None, "the denial holds for every pod");
    assert!(deny.egress.is_none() && deny.ingress.is_none());
    assert_eq!(deny.policy_types.as_deref(), Some(&["Ingress".to_owned(), "Egress".to_owned()][..]));
    for policy in &policies[1..] {
        let spec = policy.spec.as_ref().unwrap();
        for rule in spec.egress.iter().flatten() {
            assert!(rule.to.as_ref().is_some_and(|to| !to.is_empty()), "an empty `to` would mean everywhere");
            assert!(rule.ports.as_ref().is_some_and(|ports| !ports.is_empty()), "no ports would mean every port");
        }
        for rule in spec.ingress.iter().flatten() {
            assert!(rule.from.as_ref().is_some_and(|from| !from.is_empty()));
        }
    }
}

#[test]
fn accelerators_are_those_that_were_granted() {
    let hard = |spec: &str| {
        let mut tenant = tenant("brightline", "dental-clinic");
        tenant.spec.quotas = serde_yaml_ng::from_str(spec).unwrap();
        let valid = validate::check(&tenant, &seen("brightline")).unwrap();
        let hard = build::all(&valid).quota.spec.unwrap().hard.unwrap();
        move |what: &str| hard.get(what).map(|most| most.0.clone())
    };
    let none = hard("{}");
    assert_eq!(none("requests.nvidia.com/gpu").as_deref(), Some("0"));
    let some = hard("{gpus: [{resourceName: nvidia.com/gpu, count: 3}, {resourceName: amd.com/gpu, count: 1}]}");
    assert_eq!(some("requests.nvidia.com/gpu").as_deref(), Some("3"));
    assert_eq!(some("requests.amd.com/gpu").as_deref(), Some("1"));
    let agents = hard("{voiceAgents: 40, concurrentCalls: {max: 5}}");
    assert_eq!(agents("pods").as_deref(), Some("81"), "every agent may have a pool of its own");
}

#[test]
fn members_of_tenant_and_agency_are_bound_in_the_tenants_namespace_until_they_leave_the_list() {
    let mut seen = seen("brightline");
    let mut tenant = tenant("brightline", "dental-clinic");
    seen.agency.as_mut().unwrap().spec.members =
        serde_yaml_ng::from_str("[{kind: Group, name: support, role: Editor}]").unwrap();
    tenant.spec.members = serde_yaml_ng::from_str("[{kind: User, name: ada@example.com, role: Viewer}]").unwrap();
    let people = |tenant: &voxplane_crds::Tenant| -> Vec<(String, Vec<String>)> {
        let bindings = build::all(&validate::check(tenant, &seen).unwrap()).people;
        let names = |binding: &k8s_openapi::api::rbac::v1::RoleBinding| {
            let names = binding.subjects.iter().flatten().map(|subject| subject.name.clone());
            names.filter(|name| !name.starts_with("voxplane:")).collect()
        };
        bindings.iter().map(|binding| (binding.role_ref.name.clone(), names(binding))).collect()
    };
    let named = |role: &str, names: &[&str]| (role.to_owned(), names.iter().map(|&name| name.to_owned()).collect());
    let (admin, edit, view) = ("voxplane-tenant-admin", "voxplane-tenant-edit", "voxplane-tenant-view");
    assert_eq!(people(&tenant), [named(admin, &[]), named(edit, &["support"]), named(view, &["ada@example.com"])]);
    tenant.spec.members.clear();
    assert_eq!(people(&tenant), [named(admin, &[]), named(edit, &["support"]), named(view, &[])]);
}

#[test]
fn one_tenant_too_many_waits_for_room() {
    let seen = Observed { older_siblings: 100, ..seen("brightline") };
    let tenant = tenant("brightline", "dental-clinic");
    let plan = validate::check(&tenant, &seen);
    let status = status::compute(&tenant, &seen, &plan, Counting::Yes, now());
    assert_eq!(condition(&status, types::ACCEPTED), ("False".into(), reasons::QUOTA_EXCEEDED.into()));
}

#[test]
fn the_agencys_suspension_is_visible_at_its_tenants() {
    let mut suspended = agency("brightline");
    suspended.spec.suspended = true;
    let seen = Observed { agency: Ok(suspended), ..seen("brightline") };
    let tenant = tenant("brightline", "dental-clinic");
    let plan = validate::check(&tenant, &seen);
    let status = status::compute(&tenant, &seen, &plan, Counting::Yes, now());
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::SUSPENDED.into()));
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
}

#[test]
fn a_tenant_is_not_ready_while_the_cluster_refuses_its_objects() {
    let (tenant, seen) = (tenant("brightline", "dental-clinic"), seen("brightline"));
    let plan = validate::check(&tenant, &seen);
    let status = status::compute(&tenant, &seen, &plan, Counting::NotYet, now());
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::PENDING.into()));
}

#[test]
fn an_agency_that_is_not_accepted_has_no_tenants() {
    let mut refused = agency("brightline");
    refused.status = None;
    let seen = Observed { agency: Ok(refused), ..seen("brightline") };
    let problem = validate::check(&tenant("brightline", "dental-clinic"), &seen).unwrap_err();
    assert_eq!(problem.reason, reasons::PENDING);
}

fn agency_name() -> impl Strategy<Value = String> {
    "[a-z0-9](-?[a-z0-9]){0,9}"
}

fn tenant_name() -> impl Strategy<Value = String> {
    "[a-z0-9](-?[a-z0-9]){0,14}"
}

proptest! {
    #[test]
    fn no_two_tenants_share_anything(
        (agency_a, tenant_a) in (agency_name(), tenant_name()),
        (agency_b, tenant_b) in (agency_name(), tenant_name()),
    ) {
        prop_assume!((&agency_a, &tenant_a) != (&agency_b, &tenant_b));
        let objects = |agency: &str, name: &str| {
            let valid = validate::check(&tenant(agency, name), &seen(agency)).unwrap();
            let own = voxplane_crds::names::tenant_namespace(agency, name);
            let desired = serde_json::to_value(build::all(&valid)).unwrap();
            let mut found = Vec::new();
            collect(&desired, &mut found);
            for meta in &found {
                let namespace = meta["namespace"].as_str().or(meta["name"].as_str()).unwrap();
                assert_eq!(namespace, own);
                assert_eq!(meta["labels"][labels::AGENCY], agency);
                assert_eq!(meta["labels"][labels::TENANT], name);
                assert_eq!(meta["labels"][labels::MANAGED_BY], labels::MANAGED_BY_OPERATOR);
            }
            (own, found.len())
        };
        let (a, b) = (objects(&agency_a, &tenant_a), objects(&agency_b, &tenant_b));
        prop_assert!(a.1 >= 10 && b.1 >= 10);
        prop_assert_ne!(a.0, b.0);
    }
}

fn collect(value: &serde_json::Value, found: &mut Vec<serde_json::Value>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let (Some(meta), true) = (fields.get("metadata"), fields.contains_key("apiVersion")) {
                found.push(meta.clone());
            }
            fields.values().for_each(|value| collect(value, found));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[test]
fn hours_that_make_no_sense_are_told_and_take_nothing_away() {
    let mut tenant = tenant("brightline", "dental-clinic");
    let seen = seen("brightline");
    let judged = |tenant: &voxplane_crds::Tenant| {
        let plan = validate::check(tenant, &seen);
        let status = status::compute(tenant, &seen, &plan, Counting::Yes, now());
        let ready = voxplane_crds::conditions::find(&status.conditions, types::READY).unwrap().message.clone();
        (condition(&status, types::ACCEPTED).0, condition(&status, types::READY).1, ready)
    };
    assert_eq!(judged(&tenant).1, reasons::READY);
    tenant.spec.timezone = "Europe/Berln".to_owned();
    let (accepted, reason, message) = judged(&tenant);
    assert_eq!((accepted.as_str(), reason.as_str()), ("True", reasons::INVALID), "its agents go on");
    assert!(message.starts_with("spec.timezone: there is no time zone \"Europe/Berln\""), "{message}");
    tenant.spec.timezone = "Europe/Berlin".to_owned();
    let ranges = serde_json::json!([{"from": "09:00", "to": "13:00"}, {"from": "12:00", "to": "15:00"}]);
    let hours = serde_json::json!({"weekly": [{"day": "Monday", "ranges": ranges}]});
    tenant.spec.business_hours = Some(serde_json::from_value(hours).unwrap());
    let (_, _, message) = judged(&tenant);
    assert!(message.starts_with("spec.businessHours.weekly[Monday].ranges: 09:00-13:00 and 12:00-15:00"), "{message}");
}
