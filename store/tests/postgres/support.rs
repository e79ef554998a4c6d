//! What several tests need.

use std::time::Duration;

use voxplane_store::calls::{self, Direction, NewCall, Owner, Placement};
use voxplane_store::sessions::{self, NewSession};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{CallId, Db, Scope, SessionId};

pub const LEASE: Duration = Duration::from_secs(30);

/// A database with one tenant.
pub async fn one_tenant() -> (TestDb, Db, TestTenant) {
    let test = TestDb::create().await;
    let db = test.connect().await.unwrap();
    let tenant = test.tenant(&db, "acme", "dental").await.unwrap();
    (test, db, tenant)
}

pub fn new_call(tenant: &TestTenant) -> NewCall {
    let id = CallId::new();
    NewCall {
        id,
        agency: tenant.agency,
        tenant: tenant.tenant,
        agent: tenant.agent,
        number: "+15550100".to_owned().into(),
        caller: Some("+15550199".to_owned().into()),
        room: format!("vx-0a1b2c3d_{id}"),
        sip_call_id: Some(format!("{id}@sip")),
        direction: Direction::Inbound,
    }
}

/// Creates and commits a call.
pub async fn create_call(db: &Db, tenant: &TestTenant) -> CallId {
    let call = new_call(tenant);
    let id = call.id;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    calls::create(&mut tx, call).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub fn new_session(tenant: &TestTenant, pod: &str) -> NewSession {
    NewSession {
        agency: tenant.agency,
        tenant: tenant.tenant,
        pool: "vx-acme--dental/voxplane-runtime".to_owned(),
        pod_name: pod.to_owned(),
        pod_uid: format!("uid-{pod}"),
        api_replica: "api-0".to_owned(),
        slots: 4,
        busy: 0,
        credentials_hash: "hash-1".to_owned(),
        version: "0.1.0".to_owned(),
        draining: false,
    }
}

/// Opens and commits a session of a pod.
pub async fn open_session(db: &Db, tenant: &TestTenant, pod: &str) -> SessionId {
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let session = sessions::open(&mut tx, &new_session(tenant, pod)).await.unwrap();
    tx.commit().await.unwrap();
    session
}

pub fn placement(tenant: &TestTenant, pod: &str, session: SessionId, epoch: i32) -> Placement {
    let NewSession { pool, pod_name, pod_uid, .. } = new_session(tenant, pod);
    Placement { owner: Owner { pool, pod: pod_name, pod_uid, session }, epoch, lease: LEASE }
}

/// Places and commits a call on a pod.
pub async fn place(db: &Db, tenant: &TestTenant, call: CallId, pod: &str, session: SessionId, epoch: i32) {
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    calls::place(&mut tx, call, &placement(tenant, pod, session, epoch)).await.unwrap();
    tx.commit().await.unwrap();
}
