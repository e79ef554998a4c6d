//! Connected pods and their numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use voxplane_store::sessions::{self, Beat, PoolStats};
use voxplane_store::{Scope, StoreError, TenantId};

use super::support::{new_session, one_tenant, open_session};

const POOL: &str = "vx-acme--dental/voxplane-runtime";

#[tokio::test]
async fn a_pool_is_the_sum_of_its_connected_pods() {
    let (_test, db, tenant) = one_tenant().await;
    let a = open_session(&db, &tenant, "a").await;
    let b = open_session(&db, &tenant, "b").await;
    let gone = open_session(&db, &tenant, "c").await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let beat = |busy, hash: &str, draining| Beat { busy, credentials_hash: hash.to_owned(), draining };
    sessions::beat(&mut tx, a, &beat(1, "hash-1", false)).await.unwrap();
    sessions::beat(&mut tx, b, &beat(2, "hash-2", true)).await.unwrap();
    // Draining is for good.
    sessions::beat(&mut tx, b, &beat(1, "hash-2", false)).await.unwrap();
    sessions::close(&mut tx, gone, "lost").await.unwrap();
    let expected = PoolStats {
        sessions: 2,
        draining: 1,
        slots: 4,
        busy: 2,
        by_credentials_hash: BTreeMap::from([("hash-1".to_owned(), 1), ("hash-2".to_owned(), 1)]),
    };
    assert_eq!(sessions::pool_stats(&mut tx, POOL).await.unwrap(), expected);
    assert_eq!(sessions::pool_stats(&mut tx, "vx-acme--other/voxplane-runtime").await.unwrap(), PoolStats::default());
    assert_eq!(sessions::pools(&mut tx).await.unwrap(), [(POOL.to_owned(), tenant.tenant)]);
    let pods = sessions::pods(&mut tx, POOL).await.unwrap();
    assert_eq!(pods.iter().map(|pod| (pod.pod_name.as_str(), pod.busy)).collect::<Vec<_>>(), [("a", 1), ("b", 1)]);
    let closed = sessions::beat(&mut tx, gone, &beat(0, "", false)).await.unwrap_err();
    assert!(matches!(closed, StoreError::NotFound { .. }), "{closed:?}");
}

#[tokio::test]
async fn a_pod_has_one_session() {
    let (_test, db, tenant) = one_tenant().await;
    let first = open_session(&db, &tenant, "a").await;
    let second = open_session(&db, &tenant, "a").await;
    assert_ne!(first, second);
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let pods = sessions::pods(&mut tx, POOL).await.unwrap();
    assert_eq!(pods.iter().map(|pod| pod.session).collect::<Vec<_>>(), [second]);
}

#[tokio::test]
async fn silent_sessions_are_reaped() {
    let (_test, db, tenant) = one_tenant().await;
    let silent = open_session(&db, &tenant, "a").await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert_eq!(sessions::reap(&mut tx, Duration::from_secs(60)).await.unwrap(), []);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(sessions::reap(&mut tx, Duration::from_millis(10)).await.unwrap(), [silent]);
    assert_eq!(sessions::pods(&mut tx, POOL).await.unwrap(), []);
}

#[tokio::test]
async fn a_pool_of_an_unknown_tenant_is_refused() {
    let (_test, db, tenant) = one_tenant().await;
    let mut session = new_session(&tenant, "a");
    session.tenant = TenantId::new();
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let error = sessions::open(&mut tx, &session).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { what: "tenant of the pool" }), "{error:?}");
}
