//! Tenants, and what they share with agencies.

use serde_json::{Value, json};
use voxplane_crds::{Agency, Tenant};

use super::{object, refused};

#[test]
fn a_guarantee_is_within_the_cap() {
    let quota =
        |guaranteed: i32, max: i32| json!({"quotas": {"concurrentCalls": {"guaranteed": guaranteed, "max": max}}});
    assert_eq!(verdict!(Tenant, "t", quota(3, 3)), "");
    refused(&verdict!(Tenant, "t", quota(4, 3)), "`guaranteed` is at most `max`");
    refused(&verdict!(Tenant, "t", json!({"quotas": {"concurrentCalls": {"guaranteed": 11}}})), "`guaranteed`");
}

#[test]
fn hours_end_after_they_begin() {
    let hours = |range: Value| json!({"businessHours": {"weekly": [{"day": "Monday", "ranges": [range]}]}});
    for good in [
        json!({"from": "09:00", "to": "17:00"}),
        json!({"from": "00:00", "to": "24:00"}),
        json!({"from": "22:00", "to": "02:00", "nextDay": true}),
    ] {
        assert_eq!(verdict!(Tenant, "a", hours(good.clone())), "", "{good}");
    }
    refused(&verdict!(Tenant, "a", hours(json!({"from": "09:00", "to": "05:00"}))), "a range ends after it begins");
    let long = json!({"from": "09:00", "to": "10:00", "nextDay": true});
    refused(&verdict!(Tenant, "a", hours(long)), "at most a day long");
}

#[test]
fn members_are_people_groups_and_accounts_and_never_everybody() {
    let member = |member: Value| {
        let members = json!({"members": [member]});
        let of_agency = verdict!(Agency, "a", members);
        assert_eq!(of_agency, verdict!(Tenant, "t", members));
        of_agency
    };
    for good in [
        json!({"kind": "User", "name": "ada@example.com", "role": "Admin"}),
        json!({"kind": "Group", "name": "CN=Support, OU=People", "role": "Editor"}),
        json!({"kind": "ServiceAccount", "name": "sync", "namespace": "ci", "role": "Viewer"}),
    ] {
        assert_eq!(member(good.clone()), "", "{good}");
    }
    let account = |name: &str, namespace: &str| {
        member(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace, "role": "Admin"}))
    };
    refused(&account("sync", ""), "`namespace` is that of a ServiceAccount");
    refused(&account("Sync Job", "ci"), "a ServiceAccount's name");
    refused(&account("voxplane-runtime", "vx-other--law"), "those of runtime pods");
    let person = json!({"kind": "User", "name": "ada@example.com", "namespace": "ci", "role": "Admin"});
    refused(&member(person), "`namespace` is that of a ServiceAccount");
    for everybody in ["system:authenticated", "system:masters"] {
        refused(&member(json!({"kind": "Group", "name": everybody, "role": "Viewer"})), "belong to Kubernetes");
    }
}
