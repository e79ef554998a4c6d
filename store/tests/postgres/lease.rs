//! Who has a call.

use std::time::Duration;

use voxplane_store::calls::{self, CallFilter, CallStatus, Page};
use voxplane_store::{CallId, Scope, StoreError, Wake};

use super::support::{LEASE, create_call, one_tenant, open_session, place, placement};

#[tokio::test]
async fn only_a_higher_epoch_takes_a_call() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    let b = open_session(&db, &tenant, "b").await;
    place(&db, &tenant, call, "a", a, 1).await;

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let live = calls::find_live(&mut tx, call).await.unwrap().unwrap();
    assert_eq!((live.epoch, live.status, live.leased), (1, CallStatus::Ringing, true));
    assert_eq!(live.owner.unwrap(), placement(&tenant, "a", a, 1).owner);
    for epoch in [0, 1] {
        let error = calls::place(&mut tx, call, &placement(&tenant, "b", b, epoch)).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    }
    calls::place(&mut tx, call, &placement(&tenant, "b", b, 2)).await.unwrap();
    assert_eq!(calls::find_live(&mut tx, call).await.unwrap().unwrap().owner.unwrap().session, b);
    let unknown = calls::place(&mut tx, CallId::new(), &placement(&tenant, "b", b, 1)).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown:?}");
}

#[tokio::test]
async fn two_replicas_that_place_at_once_agree() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    let b = open_session(&db, &tenant, "b").await;
    let attempt = async |pod, session| {
        let mut tx = db.begin(&Scope::platform()).await.unwrap();
        let result = calls::place(&mut tx, call, &placement(&tenant, pod, session, 1)).await;
        tx.commit().await.unwrap();
        result
    };
    let (first, second) = tokio::join!(attempt("a", a), attempt("b", b));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_call_that_was_taken_or_handed_over_is_nobodys_and_only_a_later_epoch_places_it() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    let mut listener = db.listen_handovers().await.unwrap();
    place(&db, &tenant, call, "a", a, 1).await;

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let late = calls::take(&mut tx, call, 1).await.unwrap_err();
    assert!(matches!(late, StoreError::Conflict { .. }), "{late:?}");
    calls::hand_over(&mut tx, call, 2).await.unwrap();
    tx.commit().await.unwrap();
    let wake = tokio::time::timeout(Duration::from_secs(5), listener.next()).await.unwrap().unwrap();
    assert_eq!(wake, Wake::Call(call));

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let live = calls::find_live(&mut tx, call).await.unwrap().unwrap();
    assert_eq!((live.epoch, live.leased, live.owner), (2, false, None));
    assert_eq!(calls::renew_leases(&mut tx, a, &[(call, 1)], LEASE).await.unwrap(), [(call, 1)]);
    let stale = calls::place(&mut tx, call, &placement(&tenant, "a", a, 2)).await.unwrap_err();
    assert!(matches!(stale, StoreError::Conflict { .. }), "{stale:?}");
    calls::place(&mut tx, call, &placement(&tenant, "a", a, 3)).await.unwrap();
    calls::take(&mut tx, call, 4).await.unwrap();
    assert!(calls::end(&mut tx, call, "refused", CallStatus::Rejected, Some(4)).await.unwrap());
    let over = calls::take(&mut tx, call, 5).await.unwrap_err();
    assert!(matches!(over, StoreError::Conflict { .. }), "{over:?}");
}

#[tokio::test]
async fn a_lease_is_renewed_by_its_pod_only() {
    let (_test, db, tenant) = one_tenant().await;
    let (kept, taken, ended) =
        (create_call(&db, &tenant).await, create_call(&db, &tenant).await, create_call(&db, &tenant).await);
    let a = open_session(&db, &tenant, "a").await;
    let b = open_session(&db, &tenant, "b").await;
    for call in [kept, taken, ended] {
        place(&db, &tenant, call, "a", a, 1).await;
    }
    place(&db, &tenant, taken, "b", b, 2).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    calls::end(&mut tx, ended, "goodbye", CallStatus::Completed, Some(1)).await.unwrap();
    let mine = [(kept, 1), (taken, 1), (ended, 1)];
    assert_eq!(calls::renew_leases(&mut tx, a, &mine, LEASE).await.unwrap(), [(taken, 1), (ended, 1)]);
    // Another pod cannot renew, not even with the right epoch.
    assert_eq!(calls::renew_leases(&mut tx, b, &[(kept, 1)], LEASE).await.unwrap(), [(kept, 1)]);
    tx.commit().await.unwrap();

    // The same pod on a new stream can, and the call follows it.
    let again = open_session(&db, &tenant, "a").await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert_eq!(calls::renew_leases(&mut tx, a, &[(kept, 1)], LEASE).await.unwrap(), [(kept, 1)]);
    assert_eq!(calls::renew_leases(&mut tx, again, &[(kept, 1)], LEASE).await.unwrap(), []);
    let live = calls::find_live(&mut tx, kept).await.unwrap().unwrap();
    assert_eq!(live.owner.unwrap().session, again);
    assert_eq!(calls::renew_leases(&mut tx, again, &[], LEASE).await.unwrap(), []);
}

#[tokio::test]
async fn a_pod_that_got_the_same_call_again_learns_that_its_first_turn_is_over() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", a, 1).await;
    place(&db, &tenant, call, "a", a, 2).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert_eq!(calls::renew_leases(&mut tx, a, &[(call, 1), (call, 2)], LEASE).await.unwrap(), [(call, 1)]);
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    let mut short = placement(&tenant, "a", a, 1);
    short.lease = Duration::from_millis(50);
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    calls::place(&mut tx, call, &short).await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let live = calls::live(&mut tx).await.unwrap();
    assert_eq!(live.iter().map(|call| (call.id, call.leased)).collect::<Vec<_>>(), [(call, false)]);
    // Whoever still has the epoch may renew until somebody takes it over.
    assert_eq!(calls::renew_leases(&mut tx, a, &[(call, 1)], LEASE).await.unwrap(), []);
    assert!(calls::find_live(&mut tx, call).await.unwrap().unwrap().leased);
}

#[tokio::test]
async fn an_earlier_owner_changes_nothing() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", a, 1).await;
    place(&db, &tenant, call, "a", a, 2).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert!(!calls::answered(&mut tx, call, 1).await.unwrap());
    assert!(!calls::end(&mut tx, call, "error", CallStatus::Failed, Some(1)).await.unwrap());
    assert!(calls::answered(&mut tx, call, 2).await.unwrap());
    assert!(!calls::answered(&mut tx, call, 2).await.unwrap());
    assert_eq!(calls::get(&mut tx, call).await.unwrap().status, CallStatus::InProgress);
    assert!(calls::end(&mut tx, call, "goodbye", CallStatus::Completed, Some(2)).await.unwrap());
    assert!(!calls::end(&mut tx, call, "error", CallStatus::Failed, None).await.unwrap());
    let over = calls::get(&mut tx, call).await.unwrap();
    assert_eq!((over.status, over.end_reason.as_deref()), (CallStatus::Completed, Some("goodbye")));
    assert!(over.answered_at.unwrap() <= over.ended_at.unwrap());
    let placed = calls::place(&mut tx, call, &placement(&tenant, "a", a, 3)).await.unwrap_err();
    assert!(matches!(placed, StoreError::Conflict { .. }), "{placed:?}");
    let error = calls::end(&mut tx, call, "error", CallStatus::Ringing, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { field: "status", .. }), "{error:?}");
}

#[tokio::test]
async fn calls_are_listed_newest_first_in_pages() {
    let (_test, db, tenant) = one_tenant().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(create_call(&db, &tenant).await);
    }
    ids.reverse();
    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    calls::end(&mut tx, ids[0], "x", CallStatus::Busy, None).await.unwrap();
    let all = CallFilter::default();
    let page = calls::list(&mut tx, &all, Page::Offset { offset: 1, limit: 2 }).await.unwrap();
    assert_eq!(page.calls.iter().map(|call| call.id).collect::<Vec<_>>(), ids[1..3]);
    assert_eq!((page.total, page.more), (5, true));
    assert_eq!(page.calls[0].number.as_ref().unwrap().expose(), "+15550100");
    assert_eq!(page.calls[0].caller.as_ref().unwrap().expose(), "+15550199");

    let mut walked = Vec::new();
    let mut cursor = None;
    loop {
        let page = calls::list(&mut tx, &all, Page::After { cursor, limit: 2 }).await.unwrap();
        walked.extend(page.calls.iter().map(|call| call.id));
        cursor = page.calls.last().map(|call| call.id);
        if !page.more {
            break;
        }
    }
    assert_eq!(walked, ids);

    let busy = CallFilter { status: Some(CallStatus::Busy), agent: Some(tenant.agent), ..CallFilter::default() };
    let page = calls::list(&mut tx, &busy, Page::Offset { offset: 0, limit: 10 }).await.unwrap();
    assert_eq!(page.calls.iter().map(|call| call.id).collect::<Vec<_>>(), ids[..1]);
    let future = CallFilter {
        from: Some(jiff::Timestamp::MAX.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap()),
        ..all
    };
    assert_eq!(calls::list(&mut tx, &future, Page::Offset { offset: 0, limit: 10 }).await.unwrap().total, 0);
    for page in [Page::Offset { offset: 0, limit: 0 }, Page::Offset { offset: -1, limit: 1 }] {
        assert!(matches!(calls::list(&mut tx, &busy, page).await, Err(StoreError::Invalid { .. })));
    }
}
