//! Quotas are exact, whoever asks and however many at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use voxplane_store::calls::{self, Admission, CallStatus, Limit, Limits};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{CallId, Db, DbOptions, Scope, StoreError};

use super::support::{create_call, new_call, one_tenant};

async fn admit(db: &Db, tenant: &TestTenant, call: CallId, limits: &Limits) -> Result<Admission, StoreError> {
    let mut tx = db.begin(&Scope::agency(tenant.agency)).await?;
    let admission = calls::admit(&mut tx, call, limits).await?;
    tx.commit().await?;
    Ok(admission)
}

/// Admission with the patience a caller has: a second without a turn counts as unavailable and is asked again.
async fn admit_patiently(db: &Db, tenant: &TestTenant, call: CallId, limits: &Limits) -> Admission {
    loop {
        match admit(db, tenant, call, limits).await {
            Ok(admission) => return admission,
            Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_once_on_two_replicas_fill_the_quotas_exactly() {
    let test = TestDb::create().await;
    let options = || DbOptions { max_connections: 20, acquire_timeout: Duration::from_secs(30), ..Default::default() };
    let replicas = [test.connect_with(options()).await.unwrap(), test.connect_with(options()).await.unwrap()];
    let tenants = [
        test.tenant(&replicas[0], "acme", "dental").await.unwrap(),
        test.tenant(&replicas[0], "acme", "garage").await.unwrap(),
        test.tenant(&replicas[0], "acme", "bakery").await.unwrap(),
    ];
    // Room for 20: the bakery's 4 stay free for it, the others share the rest.
    let limits = |tenant: &TestTenant| Limits {
        agency_max: 20,
        tenant_max: 12,
        tenant_guaranteed: if tenant.tenant == tenants[2].tenant { 4 } else { 0 },
        other_guarantees: vec![(tenants[2].tenant, 4)],
        ..Limits::default()
    };
    let mut calls = Vec::new();
    for index in 0..200 {
        // The bakery comes last, and only twice.
        let tenant = if index >= 198 { tenants[2] } else { tenants[index % 2] };
        calls.push((create_call(&replicas[0], &tenant).await, tenant));
    }
    let replicas = Arc::new(replicas);
    let mut asking = JoinSet::new();
    for (index, (call, tenant)) in calls.into_iter().enumerate() {
        let (replicas, limits) = (replicas.clone(), limits(&tenant));
        asking.spawn(async move {
            (call, tenant.tenant, admit_patiently(&replicas[index % 2], &tenant, call, &limits).await)
        });
    }
    let mut admitted: HashMap<_, Vec<CallId>> = HashMap::new();
    let mut refused = HashMap::new();
    while let Some(outcome) = asking.join_next().await {
        match outcome.unwrap() {
            (call, tenant, Admission::Admitted) => admitted.entry(tenant).or_default().push(call),
            (_, _, Admission::Refused(limit)) => *refused.entry(limit.as_str()).or_insert(0) += 1,
        }
    }
    let count = |tenant: &TestTenant| admitted.get(&tenant.tenant).map_or(0, Vec::len);
    assert_eq!(count(&tenants[0]) + count(&tenants[1]), 16, "{refused:?}");
    assert_eq!(count(&tenants[2]), 2, "{refused:?}");
    assert!(count(&tenants[0]) <= 12 && count(&tenants[1]) <= 12);
    assert_eq!(refused.values().sum::<i32>(), 182, "{refused:?}");

    // A freed slot is usable again, once.
    let busy = tenants[usize::from(count(&tenants[0]) == 0)];
    let ending = admitted[&busy.tenant][0];
    let mut tx = replicas[0].begin(&Scope::platform()).await.unwrap();
    assert!(calls::end(&mut tx, ending, "goodbye", CallStatus::Completed, None).await.unwrap());
    tx.commit().await.unwrap();
    let next = create_call(&replicas[0], &busy).await;
    let still_full = admit_patiently(&replicas[1], &busy, next, &limits(&busy)).await;
    assert!(matches!(still_full, Admission::Refused(_)), "the room may still be up: {still_full:?}");
    let mut tx = replicas[0].begin(&Scope::platform()).await.unwrap();
    let held: Vec<_> = calls::holding_slots(&mut tx).await.unwrap().iter().map(|call| call.id).collect();
    assert_eq!(held, [ending]);
    assert!(calls::free_slot(&mut tx, ending).await.unwrap());
    assert!(!calls::free_slot(&mut tx, ending).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(admit_patiently(&replicas[1], &busy, next, &limits(&busy)).await, Admission::Admitted);
    let another = create_call(&replicas[0], &busy).await;
    let full_again = admit_patiently(&replicas[0], &busy, another, &limits(&busy)).await;
    assert!(matches!(full_again, Admission::Refused(_)));
}

#[tokio::test]
async fn asking_again_answers_the_same_and_takes_one_slot() {
    let (_test, db, tenant) = one_tenant().await;
    let limits = Limits { agency_max: 1, tenant_max: 1, ..Limits::default() };
    let call = create_call(&db, &tenant).await;
    for _ in 0..3 {
        assert_eq!(admit(&db, &tenant, call, &limits).await.unwrap(), Admission::Admitted);
    }
    let second = create_call(&db, &tenant).await;
    assert_eq!(admit(&db, &tenant, second, &limits).await.unwrap(), Admission::Refused(Limit::Tenant));
}

#[tokio::test]
async fn a_scope_that_cannot_count_the_agency_is_refused() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let error = calls::admit(&mut tx, call, &Limits::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Scope { .. }), "{error:?}");
}

#[tokio::test]
async fn a_call_that_ended_is_not_admitted() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    calls::end(&mut tx, call, "caller_hung_up", CallStatus::Cancelled, None).await.unwrap();
    tx.commit().await.unwrap();
    let limits = Limits { agency_max: 1, tenant_max: 1, ..Limits::default() };
    assert!(matches!(admit(&db, &tenant, call, &limits).await, Err(StoreError::Conflict { .. })));
    assert!(matches!(admit(&db, &tenant, CallId::new(), &limits).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_room_and_a_sip_dialog_have_one_live_call() {
    let (_test, db, tenant) = one_tenant().await;
    let first = new_call(&tenant);
    let mut same_room = new_call(&tenant);
    same_room.room.clone_from(&first.room);
    let mut same_dialog = new_call(&tenant);
    same_dialog.sip_call_id.clone_from(&first.sip_call_id);
    let id = first.id;
    let scope = Scope::tenant(tenant.agency, tenant.tenant);

    let mut tx = db.begin(&scope).await.unwrap();
    calls::create(&mut tx, first.clone()).await.unwrap();
    tx.commit().await.unwrap();
    for (duplicate, what) in [(same_room.clone(), "room"), (same_dialog, "sip_call_id")] {
        let mut tx = db.begin(&scope).await.unwrap();
        match calls::create(&mut tx, duplicate).await {
            Err(StoreError::Conflict { what: found }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let mut tx = db.begin(&scope).await.unwrap();
    assert_eq!(calls::find_live_by_room(&mut tx, &first.room).await.unwrap().unwrap().id, id);
    let by_dialog = calls::find_live_by_sip_call_id(&mut tx, first.sip_call_id.as_deref().unwrap()).await.unwrap();
    assert_eq!(by_dialog.unwrap().id, id);
    // Once it ended, the room may be used again.
    calls::end(&mut tx, id, "goodbye", CallStatus::Completed, None).await.unwrap();
    assert!(calls::find_live_by_room(&mut tx, &first.room).await.unwrap().is_none());
    calls::create(&mut tx, same_room).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_replica_that_vanishes_in_its_turn_loses_it() {
    let (test, db, tenant) = one_tenant().await;
    let (first, second) = (create_call(&db, &tenant).await, create_call(&db, &tenant).await);
    let limits = Limits { agency_max: 2, tenant_max: 2, ..Limits::default() };
    let options = DbOptions { statement_timeout: Duration::from_millis(1_500), ..DbOptions::default() };
    let vanishing = test.connect_with(options).await.unwrap();
    let mut never_ended = vanishing.begin(&Scope::agency(tenant.agency)).await.unwrap();
    calls::admit(&mut never_ended, first, &limits).await.unwrap();
    // Its connection stays, as that of a machine without power does.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(admit(&db, &tenant, second, &limits).await.unwrap(), Admission::Admitted);
    assert!(never_ended.commit().await.unwrap_err().is_retryable());
}
