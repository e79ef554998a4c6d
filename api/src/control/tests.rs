#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::time::Duration;

use jiff::Timestamp;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use voxplane_control::v1::{
    CommandResult, CredentialRenewal, DrainStarted, SearchKnowledgeRequest, api_message, command, command_result,
    hello, runtime_message,
};
use voxplane_control::version;
use voxplane_store::calls::{self, CallStatus};
use voxplane_store::commands::{self, CommandState, NewCommand};
use voxplane_store::events::{self, Durability};
use voxplane_store::{CommandId, knowledge, sessions};

use crate::testbed::{POOL, Testbed, eventually, live, no_livekit};

#[tokio::test]
async fn a_pod_is_welcomed_with_version_and_credential_and_counted() {
    let bed = Testbed::start(no_livekit()).await;
    let pod = bed.pod("a").await;
    assert_eq!((pod.welcome.version, pod.welcome.heartbeat_interval_ms), (version::MAX, 300));
    let credential = pod.welcome.credential.clone().unwrap();
    assert_eq!(bed.tokens.verify_session(&credential.token).unwrap(), bed.identity("a"));
    assert!(credential.expires_at_unix_ms > Timestamp::now().as_millisecond());
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let stats = sessions::pool_stats(&mut tx, POOL).await.unwrap();
    assert_eq!((stats.sessions, stats.slots), (1, 2));
}

#[tokio::test]
async fn strangers_old_versions_and_forged_credentials_are_turned_away() {
    let bed = Testbed::start(no_livekit()).await;
    let mut old = bed.hello("a");
    (old.min_version, old.max_version) = (7, 9);
    let status = bed.dial(old).await.err().unwrap();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("RuntimeVersionUnsupported"), "{status}");

    let mut nobody = bed.hello("a");
    nobody.credential = None;
    assert_eq!(bed.dial(nobody).await.err().unwrap().code(), Code::Unauthenticated);

    // A person's access token is no session credential, however valid.
    let mut forged = bed.hello("a");
    let token = crate::rest::test_token();
    forged.credential = Some(hello::Credential::SessionCredential(token));
    assert_eq!(bed.dial(forged).await.err().unwrap().code(), Code::Unauthenticated);

    let mut elsewhere = bed.identity("a");
    elsewhere.pool = "kube-system/voxplane-runtime".into();
    let mut hello = bed.hello("a");
    hello.credential = Some(hello::Credential::SessionCredential(bed.credential(&elsewhere)));
    assert_eq!(bed.dial(hello).await.err().unwrap().code(), Code::PermissionDenied);
    assert!(bed.registry.is_empty());
}

#[tokio::test]
async fn events_are_stored_in_order_once_and_acknowledged() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    pod.report(call, 1, 1, &["call.joined", "call.answered"]).await;
    assert_eq!(pod.acked().await, 2);
    assert_eq!(bed.call(call).await.status, CallStatus::InProgress);
    // A gap is stored but not acknowledged; filling it acknowledges everything.
    pod.report(call, 1, 4, &["agent.said"]).await;
    assert_eq!(pod.acked().await, 2);
    pod.report(call, 1, 2, &["call.answered", "caller.said"]).await;
    assert_eq!(pod.acked().await, 4);
    let mut stored = bed.events(call).await;
    stored.sort();
    assert_eq!(stored, ["agent.said", "call.answered", "call.joined", "caller.said"]);
}

#[tokio::test]
async fn a_finished_call_is_closed_and_its_lease_gone() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    pod.report(call, 1, 1, &["call.answered", "call.ended"]).await;
    assert_eq!(pod.acked().await, 2);
    pod.finish(call, 1, "goodbye").await;
    let ended = bed.call(call).await;
    assert_eq!((ended.status, ended.end_reason.as_deref()), (CallStatus::Completed, Some("goodbye")));
    let events = bed.events(call).await;
    assert!(events.contains(&"call.closed".to_owned()));

    // A pod that lost the acknowledgement with its connection says it again.
    pod.finish(call, 1, "goodbye").await;
    assert_eq!(bed.events(call).await, events);
}

#[tokio::test]
async fn a_refused_call_stays_refused_whoever_hears_of_its_end() {
    use crate::placement::RefusalReason::{NoCapacity, TenantSuspended};
    let bed = Testbed::start(no_livekit()).await;
    for (room, reason, expected) in [
        ("vx-r1", Some(NoCapacity), CallStatus::Busy),
        ("vx-r2", Some(TenantSuspended), CallStatus::Rejected),
        ("vx-r3", None, CallStatus::Completed),
    ] {
        let pod = bed.pod("a").await;
        let call = bed.placed_call(&pod, room).await;
        let mut placed = serde_json::json!({"epoch": 1});
        if let Some(reason) = reason {
            crate::refusal::note(&mut placed, reason);
        }
        let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
        events::record(&mut tx, call, crate::refusal::PLACED, Durability::Soon, placed).await.unwrap();
        // The caller heard it, so the call was answered.
        calls::answered(&mut tx, call, 1).await.unwrap();
        tx.commit().await.unwrap();
        // The pod's first word of its end was lost with its connection; the new session never offered it the call.
        let mut again = bed.hello("a");
        again.live_calls = vec![live(call, 1)];
        let mut back = bed.dial(again).await.unwrap();
        back.finish(call, 1, "goodbye").await;
        assert_eq!(bed.call(call).await.status, expected, "{reason:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_placed_again_after_a_refusal_is_no_longer_refused() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let mut refused = serde_json::json!({"epoch": 0});
    crate::refusal::note(&mut refused, crate::placement::RefusalReason::NoCapacity);
    for placed in [refused, serde_json::json!({"epoch": 1})] {
        events::record(&mut tx, call, crate::refusal::PLACED, Durability::Soon, placed).await.unwrap();
    }
    calls::answered(&mut tx, call, 1).await.unwrap();
    tx.commit().await.unwrap();
    pod.finish(call, 1, "goodbye").await;
    assert_eq!(bed.call(call).await.status, CallStatus::Completed);
}

#[tokio::test]
async fn a_pod_cannot_write_or_end_what_is_another_tenants() {
    let bed = Testbed::start(no_livekit()).await;
    let pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    // A pod of another tenant, with a valid credential of its own.
    let mut stranger = bed.identity("x");
    stranger.pool = "vx-acme--dental/voxplane-runtime".into();
    let other = bed.test.tenant(&bed.db, "acme", "dental").await.unwrap();
    let mut bed = bed;
    bed.fixture.agency("acme", other.agency.0, serde_json::json!({}));
    bed.fixture.tenant("acme", "dental", other.tenant.0, serde_json::json!({}));
    let mut hello = bed.hello("x");
    hello.credential = Some(hello::Credential::SessionCredential(bed.credential(&stranger)));
    hello.live_calls = vec![live(call, 1)];
    let mut intruder = bed.dial(hello).await.unwrap();
    assert_eq!(intruder.welcome.lost_calls, [live(call, 1)], "claiming a foreign call does not make it one's own");
    intruder.report(call, 1, 1, &["caller.said"]).await;
    // Told to forget it, and nothing was stored.
    assert_eq!(intruder.acked().await, 1);
    intruder.finish(call, 1, "goodbye").await;
    intruder.report(call, 1, 2, &["caller.said"]).await;
    assert_eq!(intruder.acked().await, 2);
    assert_eq!(bed.events(call).await, Vec::<String>::new());
    assert_eq!(bed.call(call).await.status, CallStatus::Ringing);
}

#[tokio::test]
async fn three_missed_heartbeats_end_the_session_and_the_loss_is_written_down() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    bed.connected(&pod).resume(call, 1);
    pod.stop_beating();
    let silent_since = tokio::time::Instant::now();
    while pod.next().await.is_some() {}
    let noticed = silent_since.elapsed();
    assert!(noticed > Duration::from_millis(800) && noticed < Duration::from_secs(3), "{noticed:?}");
    assert!(bed.registry.is_empty());
    eventually("the loss is in the ledger", async || bed.events(call).await == ["call.lease_lost"]).await;
}

#[tokio::test]
async fn a_pod_that_comes_back_keeps_its_calls_and_one_that_was_replaced_does_not() {
    let bed = Testbed::start(no_livekit()).await;
    let pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    let replaced = bed.placed_call(&pod, "vx-r2").await;
    bed.connected(&pod).resume(call, 1);
    drop(pod);
    let mut again = bed.hello("a");
    again.live_calls = vec![live(call, 1), live(replaced, 9)];
    let back = bed.dial(again).await.unwrap();
    assert_eq!(back.welcome.lost_calls, [live(replaced, 9)], "another epoch is another owner's");
    assert!(bed.connected(&back).holds(call, 1));
    // The grace of the first session passes without an alarm.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(bed.events(call).await, Vec::<String>::new());
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let live_call = calls::find_live(&mut tx, call).await.unwrap().unwrap();
    assert!(live_call.leased);
    assert_eq!(live_call.owner.unwrap().session.to_string(), back.welcome.session_id);
}

#[tokio::test]
async fn a_lease_taken_by_another_is_told_to_the_former_owner() {
    let bed = Testbed::start(no_livekit()).await;
    let mut first = bed.pod("a").await;
    let second = bed.pod("b").await;
    let call = bed.placed_call(&first, "vx-r1").await;
    bed.connected(&first).resume(call, 1);
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let placement =
        calls::Placement { owner: bed.connected(&second).info.owner(), epoch: 2, lease: Duration::from_secs(5) };
    calls::place(&mut tx, call, &placement).await.unwrap();
    tx.commit().await.unwrap();
    let Some(api_message::Body::LeaseLost(lost)) = first.next().await else { panic!("no LeaseLost") };
    assert_eq!((lost.call_id, lost.epoch), (call.to_string(), 1));
    // Its late events are history: kept, acknowledged, without effect.
    first.report(call, 1, 1, &["call.answered"]).await;
    assert_eq!(first.acked().await, 1);
    assert_eq!(bed.call(call).await.status, CallStatus::Ringing);
    first.finish(call, 1, "goodbye").await;
    first.report(call, 1, 2, &["caller.said"]).await;
    assert_eq!(first.acked().await, 2);
    assert_eq!(bed.call(call).await.ended_at, None, "an old owner cannot end the call");
}

#[tokio::test]
async fn commands_reach_the_pod_and_its_answer_the_database() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    bed.connected(&pod).resume(call, 1);
    let id = CommandId::new();
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let hang_up = NewCommand {
        id,
        call,
        kind: super::HANG_UP.into(),
        payload: serde_json::json!({"reason": "command"}),
        expires_in: Duration::from_secs(30),
    };
    commands::enqueue(&mut tx, &hang_up).await.unwrap();
    tx.commit().await.unwrap();
    let Some(api_message::Body::Command(command)) = pod.next().await else { panic!("no command") };
    assert_eq!((command.id.as_str(), command.epoch), (id.to_string().as_str(), 1));
    assert!(matches!(command.action, Some(command::Action::HangUp(_))));
    let result =
        CommandResult { id: command.id, outcome: command_result::Outcome::Done.into(), message: String::new() };
    pod.send(runtime_message::Body::CommandResult(result)).await;
    eventually("the command is done", async || {
        let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
        commands::get(&mut tx, id).await.unwrap().state == CommandState::Done
    })
    .await;
}

#[tokio::test]
async fn a_command_whose_announcement_was_missed_is_found_however_many_others_are_announced() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    let (call, other) = (bed.placed_call(&pod, "vx-r1").await, bed.placed_call(&pod, "vx-r2").await);
    let (db, scope) = (bed.db.clone(), bed.scope());
    let ask = async move |call| {
        let (id, kind, payload) = (CommandId::new(), super::HANG_UP.to_owned(), serde_json::json!({}));
        let mut tx = db.begin(&scope).await.unwrap();
        let command = NewCommand { id, call, kind, payload, expires_in: Duration::from_secs(30) };
        commands::enqueue(&mut tx, &command).await.unwrap();
        tx.commit().await.unwrap();
        id
    };
    // Announced before the call is known to be on this replica's pod.
    let id = ask(call).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.connected(&pod).resume(call, 1);
    let others = async {
        loop {
            ask(other).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let sent = async {
        loop {
            match pod.next().await {
                Some(api_message::Body::Command(command)) if command.id == id.to_string() => break,
                Some(_) => {}
                None => panic!("the session ended"),
            }
        }
    };
    tokio::select! {
        () = others => {}
        () = sent => {}
    }
}

#[tokio::test]
async fn a_replica_that_stood_still_does_not_blame_its_pods() {
    let bed = Testbed::start(no_livekit()).await;
    let pod = bed.pod("a").await;
    let session = bed.connected(&pod);
    // As a busy node or an exhausted processor quota does.
    std::thread::sleep(Duration::from_millis(1_500));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!session.ended.is_cancelled());
}

#[tokio::test]
async fn passages_are_for_the_owner_of_the_call() {
    let bed = Testbed::start(no_livekit()).await;
    let pod = bed.pod("a").await;
    let call = bed.placed_call(&pod, "vx-r1").await;
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let chunk = |text: &str| knowledge::Chunk { text: text.into(), hash: text.into() };
    let chunks = [chunk("We bake bread from five in the morning."), chunk("Cakes are made to order.")];
    knowledge::replace_source(&mut tx, bed.tenant.knowledge_base, "faq", "h", &chunks).await.unwrap();
    tx.commit().await.unwrap();

    let ask = async |credential: Option<String>, epoch| {
        let question = SearchKnowledgeRequest {
            call_id: call.to_string(),
            epoch,
            query: "when is the bread baked".into(),
            limit: 3,
        };
        let mut request = Request::new(question);
        if let Some(credential) = credential {
            let value: MetadataValue<_> = format!("Bearer {credential}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        bed.client().await.search_knowledge(request).await
    };
    let own = bed.credential(&bed.identity("a"));
    let found = ask(Some(own.clone()), 1).await.unwrap().into_inner();
    assert!(found.passages[0].text.contains("five in the morning"), "{found:?}");
    assert_eq!(ask(None, 1).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(ask(Some(own), 2).await.unwrap_err().code(), Code::NotFound, "another epoch");
    let sibling = bed.credential(&bed.identity("b"));
    assert_eq!(ask(Some(sibling), 1).await.unwrap_err().code(), Code::NotFound, "a sibling pod");
}

#[tokio::test]
async fn a_draining_pod_gets_nothing_new_and_a_fresh_credential_when_it_asks() {
    let bed = Testbed::start(no_livekit()).await;
    let mut pod = bed.pod("a").await;
    pod.send(runtime_message::Body::DrainStarted(DrainStarted {})).await;
    pod.send(runtime_message::Body::CredentialRenewal(CredentialRenewal {})).await;
    let Some(api_message::Body::SessionCredential(fresh)) = pod.next().await else { panic!("no credential") };
    assert_eq!(bed.tokens.verify_session(&fresh.token).unwrap(), bed.identity("a"));
    assert!(bed.connected(&pod).is_draining());
    eventually("the operator can see it", async || {
        let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
        sessions::pool_stats(&mut tx, POOL).await.unwrap().draining == 1
    })
    .await;
}
