//! What is made for an agency, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use uuid::Uuid;
use voxplane_crds::conditions::{reasons, types};
use voxplane_crds::{Agency, labels};
use voxplane_telephony::{Carrier as _, E164};

use super::observe::Observed;
use super::program::Outcome;
use super::{build, status, validate};
use crate::identity::Identity;
use crate::livekit::Connection;
use crate::livekit::desired::Access;
use crate::livekit::outbound::Exit;
use crate::namespaces::{self, Counting};
use crate::testing::{agency, condition, now, object};

fn seen() -> Observed {
    Observed {
        identity: Identity::Registered(Uuid::from_u128(0xa)),
        namespace: None,
        tenants: 2,
        secrets: BTreeMap::new(),
        numbers: BTreeMap::from([("main".to_owned(), BTreeSet::from([E164::parse("+15550100").unwrap()]))]),
        caller_ids: BTreeMap::from([("main".to_owned(), BTreeSet::from([E164::parse("+15550101").unwrap()]))]),
        system_namespace: "voxplane-system".to_owned(),
    }
}

#[test]
fn everything_that_is_made() {
    let valid = validate::check(&agency("brightline"), &seen()).unwrap();
    insta::assert_yaml_snapshot!(build::all(&valid));
}

#[test]
fn members_are_bound_in_the_agencys_namespace_and_a_role_that_nobody_has_to_nobody() {
    let mut agency = agency("brightline");
    agency.spec.members =
        serde_yaml_ng::from_str("[{kind: ServiceAccount, name: sync, namespace: ci, role: Admin}]").unwrap();
    let people = build::all(&validate::check(&agency, &seen()).unwrap()).people;
    let found: Vec<_> = people
        .iter()
        .map(|one| (one.role_ref.name.as_str(), one.subjects.as_ref().map(Vec::len), one.metadata.namespace.as_deref()))
        .collect();
    let home = Some("vx-brightline");
    let expected = [
        ("voxplane-agency-admin", Some(1), home),
        ("voxplane-agency-edit", Some(0), home),
        ("voxplane-agency-view", Some(0), home),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_foreign_namespace_is_not_taken_over() {
    let foreign = namespaces::namespace("vx-brightline", labels::for_agency("brightline", "somebody-else"));
    let seen = Observed { namespace: Some(foreign), ..seen() };
    let agency = agency("brightline");
    let plan = validate::check(&agency, &seen);
    assert_eq!(plan.as_ref().unwrap_err().reason, reasons::NAMESPACE_CONFLICT);
    let status = status::compute(&agency, &seen, &plan, &Outcome::default(), Counting::Yes, now());
    assert_eq!(condition(&status, types::ACCEPTED), ("False".into(), reasons::NAMESPACE_CONFLICT.into()));
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::NAMESPACE_CONFLICT.into()));
}

fn with_secret() -> Agency {
    object(
        "metadata: { name: brightline }
spec:
  carriers:
    - name: main
      type: sip
      sip: { authSecretRef: { name: trunk } }
      numbers: [{ pattern: '+1555*' }]
",
    )
}

fn secret(type_: &str, provider: &str) -> BTreeMap<String, Secret> {
    let data = [("username", "carrier"), ("password", "very-secret")];
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("trunk".to_owned()),
            labels: Some([(labels::PROVIDER.to_owned(), provider.to_owned())].into()),
            ..ObjectMeta::default()
        },
        type_: Some(type_.to_owned()),
        data: Some(data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).into()),
        ..Secret::default()
    };
    BTreeMap::from([("trunk".to_owned(), secret)])
}

#[test]
fn a_carriers_password_comes_only_from_a_secret_that_is_meant_for_it() {
    let agency = with_secret();
    let problem = |secrets| {
        let valid = validate::check(&agency, &Observed { secrets, ..seen() }).unwrap();
        assert!(matches!(valid.connections[0].access, Access::AsFound));
        valid.problems["main"].reason
    };
    assert_eq!(problem(BTreeMap::new()), reasons::REF_NOT_FOUND);
    assert_eq!(problem(secret("Opaque", "sip")), reasons::REF_NOT_PERMITTED);
    assert_eq!(problem(secret(labels::CREDENTIALS_SECRET_TYPE, "openai-compatible")), reasons::REF_NOT_PERMITTED);
    let good = Observed { secrets: secret(labels::CREDENTIALS_SECRET_TYPE, "sip"), ..seen() };
    let valid = validate::check(&agency, &good).unwrap();
    assert!(valid.problems.is_empty() && matches!(valid.connections[0].access, Access::Known(_)));
    assert!(!format!("{valid:?}").contains("very-secret"));
}

#[test]
fn an_accounts_calls_are_taken_from_its_carrier_whatever_its_secret_is() {
    let agency: Agency = object(
        "metadata: { name: brightline }
spec:
  carriers:
    - name: main
      type: telnyx
      telnyx: { secretRef: { name: trunk }, connectionId: '1293384261075731499' }
",
    );
    let problem = |secrets| {
        let valid = validate::check(&agency, &Observed { secrets, ..seen() }).unwrap();
        let Access::Known(carrier) = &valid.connections[0].access else { panic!("the access is known") };
        assert!(!carrier.inbound_trunk(&valid.connections[0].numbers).unwrap().allowed_addresses.is_empty());
        valid.problems.get("main").map(|problem| (problem.reason, problem.message.clone()))
    };
    let (reason, message) = problem(BTreeMap::new()).unwrap();
    assert_eq!(reason, reasons::REF_NOT_FOUND);
    assert!(message.starts_with("spec.carriers[main].telnyx.secretRef"), "{message}");
    let of_another = problem(secret(labels::CREDENTIALS_SECRET_TYPE, "twilio")).unwrap();
    assert_eq!(of_another.0, reasons::REF_NOT_PERMITTED);
    assert_eq!(problem(secret(labels::CREDENTIALS_SECRET_TYPE, "telnyx")), None);
}

#[test]
fn calls_are_placed_with_the_login_of_a_secret_that_is_meant_for_it_and_nowhere_by_default() {
    let mut agency: Agency = object(
        "metadata: { name: brightline }
spec:
  carriers:
    - name: main
      type: sip
      sip: { allowedAddresses: [203.0.113.7] }
      outbound: { address: 'sip.example.com', authSecretRef: { name: trunk } }
      allowedDestinations: ['+49*']
",
    );
    let calling = |agency: &Agency, secrets| {
        let valid = validate::check(agency, &Observed { secrets, ..seen() }).unwrap();
        assert!(!format!("{valid:?}").contains("very-secret"));
        let problem = valid.problems.get("main").map(|problem| (problem.reason, problem.message.clone()));
        (valid.connections[0].outbound.clone(), problem)
    };
    let (good, problem) = calling(&agency, secret(labels::CREDENTIALS_SECRET_TYPE, "sip"));
    let good = good.unwrap();
    assert_eq!((problem, good.caller_ids.len()), (None, 1));
    let Exit::Known(trunk) = good.exit else { panic!("where calls go is known") };
    assert_eq!((trunk.address(), trunk.login().unwrap().username.as_str()), ("sip.example.com", "carrier"));
    for (secrets, reason) in [
        (BTreeMap::new(), reasons::REF_NOT_FOUND),
        (secret("Opaque", "sip"), reasons::REF_NOT_PERMITTED),
        (secret(labels::CREDENTIALS_SECRET_TYPE, "telnyx"), reasons::REF_NOT_PERMITTED),
    ] {
        let (unknown, problem) = calling(&agency, secrets);
        assert!(matches!(unknown.unwrap().exit, Exit::AsFound));
        let (told, message) = problem.unwrap();
        assert_eq!(told, reason);
        assert!(message.starts_with("spec.carriers[main].outbound.authSecretRef"), "{message}");
    }
    agency.spec.carriers[0].allowed_destinations.clear();
    let (closed, problem) = calling(&agency, secret(labels::CREDENTIALS_SECRET_TYPE, "sip"));
    assert!(matches!(closed.unwrap().exit, Exit::AsFound));
    assert_eq!(problem.unwrap().0, reasons::INVALID);
    agency.spec.carriers[0].outbound = None;
    assert!(calling(&agency, BTreeMap::new()).0.is_none());
}

#[test]
fn a_connection_with_a_problem_is_named_and_the_agency_is_not_ready() {
    let agency = with_secret();
    let plan = validate::check(&agency, &seen());
    let connection =
        Connection { carrier: "main".to_owned(), trunk_id: Some("ST_1".to_owned()), ..Connection::default() };
    let programmed = Outcome { connections: vec![connection], ..Outcome::default() };
    let status = status::compute(&agency, &seen(), &plan, &programmed, Counting::Yes, now());
    assert_eq!(condition(&status, types::RESOLVED_REFS), ("False".into(), reasons::REF_NOT_FOUND.into()));
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::REF_NOT_FOUND.into()));
    assert!(status.carriers[0].message.as_ref().unwrap().starts_with("spec.carriers[main].sip.authSecretRef"));
    assert_eq!((status.tenants, status.carriers[0].trunk_id.as_deref()), (2, Some("ST_1")));
}

#[test]
fn suspension_and_an_absent_database_are_visible_and_keep_what_exists() {
    let mut suspended = agency("brightline");
    suspended.spec.suspended = true;
    let plan = validate::check(&suspended, &seen());
    let status = status::compute(&suspended, &seen(), &plan, &Outcome::default(), Counting::Yes, now());
    assert_eq!(condition(&status, types::PROGRAMMED).0, "True");
    assert_eq!(condition(&status, types::READY), ("False".into(), reasons::SUSPENDED.into()));

    let away = |last| Observed { identity: Identity::DatabaseAway { last, message: "refused".to_owned() }, ..seen() };
    let known = away(Some(Uuid::from_u128(0xa)));
    let agency = agency("brightline");
    let plan = validate::check(&agency, &known);
    assert!(plan.is_ok(), "what has an id is kept as it should be");
    let status = status::compute(&agency, &known, &plan, &Outcome::default(), Counting::Yes, now());
    assert_eq!(condition(&status, types::READY), ("Unknown".into(), reasons::DATABASE_UNAVAILABLE.into()));
    let new = validate::check(&agency, &away(None));
    assert_eq!(new.unwrap_err().reason, reasons::DATABASE_UNAVAILABLE);
}

#[test]
fn the_same_pass_twice_gives_the_same_status() {
    let mut agency = agency("brightline");
    let plan = validate::check(&agency, &seen());
    let first = status::compute(&agency, &seen(), &plan, &Outcome::default(), Counting::Yes, now());
    agency.status = Some(first.clone());
    let later = "2026-07-02T00:00:00Z".parse().unwrap();
    assert_eq!(status::compute(&agency, &seen(), &plan, &Outcome::default(), Counting::Yes, later), first);
}
