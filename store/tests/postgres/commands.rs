//! Commands reach the replica that has the call, once per stream.

use std::time::Duration;

use serde_json::json;
use voxplane_store::calls::{self, CallStatus};
use voxplane_store::commands::{self, CommandState, NewCommand};
use voxplane_store::{CallId, CommandId, Scope, StoreError, Wake};

use super::support::{create_call, one_tenant, open_session, place};

fn hang_up(call: CallId) -> NewCommand {
    NewCommand {
        id: CommandId::new(),
        call,
        kind: "hang_up".to_owned(),
        payload: json!({"reason": "asked"}),
        expires_in: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn a_command_wakes_every_replica_when_it_is_committed() {
    let (test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let other = test.connect().await.unwrap();
    let mut listeners = [db.listen_commands().await.unwrap(), other.listen_commands().await.unwrap()];

    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    commands::enqueue(&mut tx, &hang_up(call)).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), listeners[0].next()).await;
    assert!(early.is_err(), "announced before the commit: {early:?}");
    tx.commit().await.unwrap();
    for listener in &mut listeners {
        let wake = tokio::time::timeout(Duration::from_secs(5), listener.next()).await.unwrap().unwrap();
        assert_eq!(wake, Wake::Call(call));
    }
}

#[tokio::test]
async fn a_lost_connection_is_reported_so_that_nothing_is_missed() {
    let (test, db, _tenant) = one_tenant().await;
    let mut listener = db.listen_commands().await.unwrap();
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&test.admin_url()).await.unwrap();
    let ended = sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    assert!(ended.rows_affected() > 0);
    let wake = tokio::time::timeout(Duration::from_secs(5), listener.next()).await.unwrap().unwrap();
    assert_eq!(wake, Wake::Reconnected);
}

#[tokio::test]
async fn a_command_goes_to_the_owner_once_and_again_to_the_next_owner() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let a = open_session(&db, &tenant, "a").await;
    let b = open_session(&db, &tenant, "b").await;
    let command = hang_up(call);
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert!(commands::enqueue(&mut tx, &command).await.unwrap());
    assert!(!commands::enqueue(&mut tx, &command).await.unwrap(), "asking twice is asking once");
    tx.commit().await.unwrap();

    let claim = async |session| {
        let mut tx = db.begin(&Scope::platform()).await.unwrap();
        let claimed = commands::claim_for(&mut tx, session).await.unwrap();
        tx.commit().await.unwrap();
        claimed
    };
    assert_eq!(claim(a).await, [], "nobody has the call yet");
    place(&db, &tenant, call, "a", a, 1).await;
    assert_eq!(claim(b).await, []);
    let claimed = claim(a).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].id, claimed[0].epoch, &claimed[0].payload), (command.id, 1, &json!({"reason": "asked"})));
    assert_eq!(claim(a).await, []);
    // The owner is lost before it answered.
    place(&db, &tenant, call, "b", b, 2).await;
    assert_eq!(claim(b).await[0].epoch, 2);

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert_eq!(commands::get(&mut tx, command.id).await.unwrap().state, CommandState::Sent);
    assert!(commands::finish(&mut tx, command.id, CommandState::Done, "").await.unwrap());
    assert!(!commands::finish(&mut tx, command.id, CommandState::Failed, "late").await.unwrap());
    let status = commands::get(&mut tx, command.id).await.unwrap();
    assert_eq!((status.state, status.message), (CommandState::Done, None));
    let error = commands::finish(&mut tx, command.id, CommandState::Sent, "").await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { field: "state", .. }), "{error:?}");
    let error = commands::finish(&mut tx, CommandId::new(), CommandState::Done, "").await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn two_replicas_never_claim_the_same_command() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", session, 1).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    for _ in 0..10 {
        commands::enqueue(&mut tx, &hang_up(call)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let claim = async || {
        let mut tx = db.begin(&Scope::platform()).await.unwrap();
        let claimed = commands::claim_for(&mut tx, session).await.unwrap();
        tx.commit().await.unwrap();
        claimed.len()
    };
    let (first, second) = tokio::join!(claim(), claim());
    assert_eq!(first + second, 10);
}

#[tokio::test]
async fn commands_end_with_their_call_or_their_time() {
    let (_test, db, tenant) = one_tenant().await;
    let (ending, waiting) = (create_call(&db, &tenant).await, create_call(&db, &tenant).await);
    let open = hang_up(ending);
    let late = NewCommand { expires_in: Duration::ZERO, ..hang_up(waiting) };
    let foreign = NewCommand { call: waiting, ..open.clone() };
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    commands::enqueue(&mut tx, &open).await.unwrap();
    commands::enqueue(&mut tx, &late).await.unwrap();
    let reused = commands::enqueue(&mut tx, &foreign).await.unwrap_err();
    assert!(matches!(reused, StoreError::Conflict { .. }), "{reused:?}");

    calls::end(&mut tx, ending, "goodbye", CallStatus::Completed, None).await.unwrap();
    assert_eq!(commands::get(&mut tx, open.id).await.unwrap().state, CommandState::UnknownCall);
    let after = commands::enqueue(&mut tx, &hang_up(ending)).await.unwrap_err();
    assert!(matches!(after, StoreError::Conflict { .. }), "{after:?}");
    tx.commit().await.unwrap();

    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, waiting, "a", session, 1).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    assert_eq!(commands::claim_for(&mut tx, session).await.unwrap(), []);
    assert_eq!(commands::expire(&mut tx).await.unwrap(), 1);
    assert_eq!(commands::get(&mut tx, late.id).await.unwrap().state, CommandState::Expired);
}
