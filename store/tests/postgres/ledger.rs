//! Events: once each, in order, of every owner, and unreadable after erasure.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use voxplane_store::calls::{self, CallStatus};
use voxplane_store::events::{self, Appended, Durability, NewEvent, Speaker};
use voxplane_store::{CallId, Db, EncryptionError, Scope, StoreError, keys};

use super::support::{create_call, one_tenant, open_session, place};

fn event(seq: i64, at: Timestamp) -> NewEvent {
    NewEvent {
        seq,
        at,
        call_us: seq * 1000,
        r#type: "caller.said".to_owned(),
        durability: Durability::Soon,
        payload: json!({"text": format!("word {seq}")}),
    }
}

async fn append(db: &Db, call: CallId, epoch: i32, events: &[NewEvent]) -> Result<Appended, StoreError> {
    let mut tx = db.begin(&Scope::platform()).await?;
    let appended = events::append(&mut tx, call, epoch, events).await?;
    tx.commit().await?;
    Ok(appended)
}

#[tokio::test]
async fn repeated_events_are_stored_once_and_gaps_are_not_acknowledged() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", session, 1).await;
    let now = Timestamp::now();
    let at = |seq: i64| event(seq, now + SignedDuration::from_millis(seq));

    assert_eq!(append(&db, call, 1, &[]).await.unwrap().acked_seq, 0);
    assert_eq!(append(&db, call, 1, &[at(1), at(2)]).await.unwrap().acked_seq, 2);
    // Sent again, with one more.
    assert_eq!(append(&db, call, 1, &[at(1), at(2), at(3)]).await.unwrap().acked_seq, 3);
    // 4 is missing.
    assert_eq!(append(&db, call, 1, &[at(6), at(5)]).await.unwrap().acked_seq, 3);
    assert_eq!(append(&db, call, 1, &[at(8)]).await.unwrap().acked_seq, 3);
    assert_eq!(append(&db, call, 1, &[at(4)]).await.unwrap().acked_seq, 6);
    assert_eq!(append(&db, call, 1, &[at(7)]).await.unwrap().acked_seq, 8);

    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    let stored = events::list(&mut tx, call, None, 100).await.unwrap();
    assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(stored[2].payload, Some(json!({"text": "word 3"})));
    assert_eq!((stored[2].call_us, stored[2].durability), (3000, Durability::Soon));
    // Postgres keeps microseconds.
    assert_eq!(stored[2].at.as_microsecond(), (now + SignedDuration::from_millis(3)).as_microsecond());
    let rest = events::list(&mut tx, call, Some(stored[4].cursor()), 2).await.unwrap();
    assert_eq!(rest.iter().map(|event| event.seq).collect::<Vec<_>>(), [6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_race_lose_nothing() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", session, 1).await;
    let mut writers = tokio::task::JoinSet::new();
    for batch in 0..20 {
        let db = db.clone();
        writers.spawn(async move {
            let now = Timestamp::now();
            // Neighbouring batches overlap, as after a reconnect.
            let events: Vec<_> = (batch * 5 + 1..=batch * 5 + 8).map(|seq| event(seq, now)).collect();
            append(&db, call, 1, &events).await.unwrap();
            let mut tx = db.begin(&Scope::platform()).await.unwrap();
            events::record(&mut tx, call, "call.admitted", Durability::Soon, json!({})).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(append(&db, call, 1, &[]).await.unwrap().acked_seq, 103);
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let stored = events::list(&mut tx, call, None, 1000).await.unwrap();
    let mut own: Vec<_> = stored.iter().filter(|event| event.epoch == 0).map(|event| event.seq).collect();
    own.sort_unstable();
    assert_eq!(own, (1..=20).collect::<Vec<_>>());
    assert_eq!(stored.len(), 123);
}

#[tokio::test]
async fn late_events_of_a_lost_owner_are_kept_and_marked() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    let now = Timestamp::now();
    let unknown = append(&db, call, 1, &[event(1, now)]).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { what: "call with this epoch" }), "{unknown:?}");

    place(&db, &tenant, call, "a", session, 1).await;
    assert_eq!(append(&db, call, 1, &[event(1, now)]).await.unwrap(), Appended { acked_seq: 1, late: false });
    place(&db, &tenant, call, "b", session, 2).await;
    let newer = now + SignedDuration::from_secs(2);
    assert_eq!(append(&db, call, 2, &[event(1, newer)]).await.unwrap(), Appended { acked_seq: 1, late: false });
    let late = event(2, now + SignedDuration::from_secs(1));
    assert_eq!(append(&db, call, 1, &[late]).await.unwrap(), Appended { acked_seq: 2, late: true });

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let order: Vec<_> =
        events::list(&mut tx, call, None, 10).await.unwrap().iter().map(|event| (event.epoch, event.seq)).collect();
    assert_eq!(order, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(calls::find_live(&mut tx, call).await.unwrap().unwrap().epoch, 2);
}

#[tokio::test]
async fn events_survive_the_end_of_the_call_until_its_key_is_destroyed() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", session, 1).await;
    let said = |seq, speaker: &str, text: &str| NewEvent {
        r#type: format!("{speaker}.said"),
        payload: json!({"text": text, "utterance": seq}),
        ..event(seq, Timestamp::now())
    };
    append(&db, call, 1, &[said(1, "agent", "Hello"), said(2, "caller", "What are your hours?")]).await.unwrap();

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let live = keys::destroy(&mut tx, call).await.unwrap_err();
    assert!(matches!(live, StoreError::Conflict { .. }), "{live:?}");
    calls::end(&mut tx, call, "goodbye", CallStatus::Completed, Some(1)).await.unwrap();
    let lines = events::transcript(&mut tx, call).await.unwrap();
    let said: Vec<_> = lines.iter().map(|line| (line.speaker, line.text.as_str())).collect();
    assert_eq!(said, [(Speaker::Assistant, "Hello"), (Speaker::User, "What are your hours?")]);
    tx.commit().await.unwrap();

    let mut tx = db.begin(&Scope::tenant(tenant.agency, tenant.tenant)).await.unwrap();
    keys::destroy(&mut tx, call).await.unwrap();
    keys::destroy(&mut tx, call).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let events = events::list(&mut tx, call, None, 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.payload.clone()).collect::<Vec<_>>(), [None, None]);
    assert_eq!(events::transcript(&mut tx, call).await.unwrap(), []);
    let erased = calls::get(&mut tx, call).await.unwrap();
    assert!(erased.erased && erased.number.is_none() && erased.caller.is_none());
    assert_eq!(erased.status, CallStatus::Completed);
    drop(tx);
    let error = append(&db, call, 1, &[event(3, Timestamp::now())]).await.unwrap_err();
    assert!(matches!(error, StoreError::Encryption(EncryptionError::Destroyed)), "{error:?}");
}

#[tokio::test]
async fn a_payload_moved_to_another_place_does_not_open() {
    let (test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    for text in ["yes", "no"] {
        events::record(&mut tx, call, "call.admitted", Durability::Soon, json!({"answer": text})).await.unwrap();
    }
    tx.commit().await.unwrap();
    // The application may not change events at all; whoever can is found out.
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&test.admin_url()).await.unwrap();
    sqlx::raw_sql("UPDATE call_events a SET payload = b.payload FROM call_events b WHERE a.seq = 1 AND b.seq = 2")
        .execute(&mut admin)
        .await
        .unwrap();
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let error = events::list(&mut tx, call, None, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Encryption(EncryptionError::Mismatch)), "{error:?}");
}

#[tokio::test]
async fn a_long_transcript_is_read_whole() {
    let (_test, db, tenant) = one_tenant().await;
    let call = create_call(&db, &tenant).await;
    let session = open_session(&db, &tenant, "a").await;
    place(&db, &tenant, call, "a", session, 1).await;
    let now = Timestamp::now();
    for batch in 0..3 {
        let events: Vec<_> = (1..=800).map(|seq| event(batch * 800 + seq, now)).collect();
        append(&db, call, 1, &events).await.unwrap();
    }
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let lines = events::transcript(&mut tx, call).await.unwrap();
    assert_eq!(lines.len(), 2400);
    assert_eq!(lines[2399].text, "word 2400");
}
