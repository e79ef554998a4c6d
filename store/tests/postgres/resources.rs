//! Ids of objects that come, go and come back.

use uuid::Uuid;
use voxplane_store::resources::{self, ResourceKind as Kind};
use voxplane_store::testing::TestDb;
use voxplane_store::{Scope, StoreError};

use super::support::one_tenant;

#[tokio::test]
async fn an_object_that_comes_back_gets_its_old_id() {
    let (_test, db, tenant) = one_tenant().await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let namespace = "vx-acme--dental";
    let (agency, owner) = (Some(tenant.agency), Some(tenant.tenant));
    let first =
        resources::register(&mut tx, Kind::PhoneNumber, namespace, "main", "uid-1", agency, owner).await.unwrap();
    let again =
        resources::register(&mut tx, Kind::PhoneNumber, namespace, "main", "uid-1", agency, owner).await.unwrap();
    assert_eq!(first, again);
    assert!(!resources::was_deleted(&mut tx, first).await.unwrap());

    resources::mark_deleted(&mut tx, first).await.unwrap();
    resources::mark_deleted(&mut tx, first).await.unwrap();
    assert!(resources::was_deleted(&mut tx, first).await.unwrap());

    let back =
        resources::register(&mut tx, Kind::PhoneNumber, namespace, "main", "uid-2", agency, owner).await.unwrap();
    assert_eq!(first, back);
    let found = resources::find(&mut tx, Kind::PhoneNumber, namespace, "main").await.unwrap().unwrap();
    assert_eq!((found.id, found.k8s_uid.as_str(), found.deleted_at), (first, "uid-2", None));
    assert_eq!((found.agency, found.tenant), (tenant.agency, owner));

    // The same name of another kind or elsewhere is another object.
    let other =
        resources::register(&mut tx, Kind::VoiceAgent, namespace, "main", "uid-3", agency, owner).await.unwrap();
    assert_ne!(first, other);

    // Once purged, the name starts anew.
    assert!(matches!(resources::purge(&mut tx, first).await, Err(StoreError::NotFound { .. })));
    resources::mark_deleted(&mut tx, first).await.unwrap();
    resources::purge(&mut tx, first).await.unwrap();
    let fresh =
        resources::register(&mut tx, Kind::PhoneNumber, namespace, "main", "uid-4", agency, owner).await.unwrap();
    assert_ne!(first, fresh);
    assert!(resources::get(&mut tx, Uuid::now_v7()).await.unwrap().is_none());
    assert!(!resources::was_deleted(&mut tx, Uuid::now_v7()).await.unwrap());
}

#[tokio::test]
async fn agencies_and_tenants_own_themselves_and_keep_their_ids() {
    let (_test, db, tenant) = one_tenant().await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let agency = resources::register(&mut tx, Kind::Agency, "", "acme", "uid-new", None, None).await.unwrap();
    assert_eq!(agency, tenant.agency.0);
    let id = resources::register(&mut tx, Kind::Tenant, "vx-acme", "dental", "new", Some(tenant.agency), None).await;
    assert_eq!(id.unwrap(), tenant.tenant.0);
    let agency = resources::get(&mut tx, agency).await.unwrap().unwrap();
    assert_eq!((agency.agency, agency.tenant), (tenant.agency, None));
    let tenant_row = resources::get(&mut tx, tenant.tenant.0).await.unwrap().unwrap();
    assert_eq!((tenant_row.agency, tenant_row.tenant), (tenant.agency, Some(tenant.tenant)));
}

#[tokio::test]
async fn wrong_owners_are_refused() {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    let acme = test.tenant(&db, "acme", "dental").await.unwrap();
    let other = test.tenant(&db, "other", "garage").await.unwrap();
    let namespace = "vx-acme--dental";
    let cases = [
        (Kind::Agency, "", Some(acme.agency), None, "Invalid"),
        (Kind::Tenant, "vx-acme", None, None, "Invalid"),
        (Kind::Tenant, "vx-acme", Some(acme.agency), Some(acme.tenant), "Invalid"),
        (Kind::VoiceAgent, namespace, Some(acme.agency), None, "Invalid"),
        (Kind::VoiceAgent, namespace, None, Some(acme.tenant), "Invalid"),
        // Registered under another owner.
        (Kind::VoiceAgent, namespace, Some(other.agency), Some(other.tenant), "Conflict"),
        // A tenant of another agency.
        (Kind::PhoneNumber, namespace, Some(acme.agency), Some(other.tenant), "NotFound"),
    ];
    for (kind, namespace, agency, tenant, expected) in cases {
        let mut tx = db.begin(&Scope::platform()).await.unwrap();
        let result = resources::register(&mut tx, kind, namespace, "agent", "uid", agency, tenant).await;
        let error = result.err().unwrap_or_else(|| panic!("{kind} {agency:?} {tenant:?} was registered"));
        assert_eq!(error.reason(), expected, "{kind}: {error}");
    }
}

#[tokio::test]
async fn two_processes_that_see_an_object_first_agree_on_its_id() {
    let (_test, db, tenant) = one_tenant().await;
    let register = async || {
        let mut tx = db.begin(&Scope::platform()).await.unwrap();
        let (agency, owner) = (Some(tenant.agency), Some(tenant.tenant));
        let id = resources::register(&mut tx, Kind::VoiceAgent, "vx-acme--dental", "new", "uid", agency, owner).await;
        tx.commit().await.unwrap();
        id.unwrap()
    };
    let (a, b, c) = tokio::join!(register(), register(), register());
    assert!(a == b && b == c);
}
