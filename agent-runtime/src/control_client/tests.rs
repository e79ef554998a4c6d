//! The client against an API that speaks the real protocol over a real socket.

mod world;

use tonic::Status;
use voxplane_control::v1::{
    ApiHeartbeat, CallAccepted, CallFinishedAck, EventAck, LeaseLost, Welcome, api_message, hello,
    runtime_message::Body,
};

use self::world::{Authority, Host, SOON, World, key, seqs, until, welcome};
use super::*;

#[tokio::test]
async fn hello_says_who_and_what_the_pod_is_and_heartbeats_follow() {
    let live = vec![LiveCall { call_id: key().call_id, epoch: 1 }];
    let mut world = World::with(None, Host { live, ..Host::default() }).await;
    let mut peer = world.session().await;
    assert!(!world.health.is_ready());
    let hello = &peer.hello;
    assert_eq!(hello.credential, Some(hello::Credential::ServiceAccountToken("projected".into())));
    assert_eq!((hello.min_version, hello.max_version, hello.slots), (1, 2, 3));
    assert_eq!((hello.capabilities[0].as_str(), hello.credentials_hash.as_str()), ("tts/flite", "h1"));
    assert_eq!(hello.live_calls[0].call_id, key().call_id);
    peer.welcome(Welcome { lost_calls: vec![LiveCall { call_id: "c".into(), epoch: 2 }], ..welcome() }).await;
    let beat = peer.find(|body| if let Body::Heartbeat(beat) = body { Some(beat) } else { None }).await;
    assert_eq!((beat.busy_slots, beat.credentials_hash.as_str()), (0, "h1"));
    assert!(world.health.is_ready());
    assert_eq!(*world.host.lost.lock().unwrap(), [CallKey { call_id: "c".into(), epoch: 2 }]);
}

#[tokio::test]
async fn messages_reach_the_calls_and_answers_the_api() {
    let mut world = World::new().await;
    let mut peer = world.welcomed().await;
    peer.send(api_message::Body::StartCall(StartCall { call_id: "c".into(), ..StartCall::default() })).await;
    peer.send(api_message::Body::LeaseLost(LeaseLost { call_id: "d".into(), epoch: 4 })).await;
    until("the call", || world.host.started.lock().unwrap().len() == 1).await;
    until("the loss", || world.host.lost.lock().unwrap().len() == 1).await;
    let accepted = CallAccepted { call_id: "c".into(), epoch: 1 };
    world.outgoing.send(Body::CallAccepted(accepted.clone())).await.unwrap();
    assert_eq!(peer.next().await, Body::CallAccepted(accepted));
}

#[tokio::test]
async fn events_are_sent_until_acknowledged_also_over_a_new_connection() {
    let mut world = World::new().await;
    let mut peer = world.welcomed().await;
    world.append("{}");
    world.append("{}");
    let mut received = Vec::new();
    while received.len() < 2 {
        let Body::Events(batch) = peer.next().await else { panic!("events expected") };
        received.extend(seqs(&batch.events));
    }
    assert_eq!(received, [1, 2]);
    peer.send(api_message::Body::EventAck(EventAck { call_id: key().call_id, epoch: 1, seq: 1 })).await;
    assert!(world.spool.acknowledged(&key(), 1, SOON).await);

    drop(peer);
    world.append("{}");
    world.spool.finish(&key(), "goodbye");
    let mut peer = world.welcomed().await;
    assert_eq!(peer.hello.credential, Some(hello::Credential::SessionCredential("issued".into())));
    let mut received = Vec::new();
    let finished = loop {
        match peer.next().await {
            Body::Events(batch) => received.extend(seqs(&batch.events)),
            Body::CallFinished(finished) => break finished,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(received, [2, 3], "what was not acknowledged comes again, then the rest");
    assert_eq!((finished.reason.as_str(), finished.last_seq), ("goodbye", 3));
    peer.send(api_message::Body::EventAck(EventAck { call_id: key().call_id, epoch: 1, seq: 3 })).await;
    assert!(world.spool.acknowledged(&key(), 3, SOON).await);

    // The end may be lost with the connection as events may.
    drop(peer);
    let mut peer = world.welcomed().await;
    assert_eq!(peer.next().await, Body::CallFinished(finished));
    peer.send(api_message::Body::CallFinishedAck(CallFinishedAck { call_id: key().call_id, epoch: 1 })).await;
    assert!(world.spool.flushed(SOON).await);
}

#[tokio::test]
async fn an_api_that_acknowledges_no_ends_is_told_of_each_once() {
    let mut world = World::new().await;
    let mut peer = world.session().await;
    peer.welcome(Welcome { version: 1, ..welcome() }).await;
    world.append("{}");
    world.spool.finish(&key(), "goodbye");
    peer.find(|body| if let Body::CallFinished(finished) = body { Some(finished) } else { None }).await;
    peer.send(api_message::Body::EventAck(EventAck { call_id: key().call_id, epoch: 1, seq: 1 })).await;
    assert!(world.spool.flushed(SOON).await);
}

#[tokio::test]
async fn a_lost_connection_is_replaced_within_the_time_leases_survive() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    until("connected", || world.health.is_ready()).await;
    let lost = Instant::now();
    drop(peer);
    world.session().await;
    assert!(lost.elapsed() < Duration::from_millis(700), "took {:?}", lost.elapsed());
    assert!(world.health.is_ready(), "a pod without the API still carries its calls");
}

#[tokio::test]
async fn an_api_that_falls_silent_is_left() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    let silent_since = Instant::now();
    // It stays connected and says nothing.
    let _second = world.session().await;
    assert!((900..4_000).contains(&silent_since.elapsed().as_millis()), "{:?}", silent_since.elapsed());
    drop(peer);
}

#[tokio::test]
async fn an_api_that_reads_no_more_is_left_however_much_waits_for_it() {
    let mut world = World::new().await;
    let stuck = world.welcomed().await;
    until("connected", || world.health.is_ready()).await;
    // More than HTTP/2 lets pass unread, and more answers than there are places behind it.
    world.append(&"x".repeat(4_000_000));
    for _ in 0..200 {
        world.outgoing.send(Body::CallAccepted(CallAccepted::default())).await.unwrap();
    }
    let stuck_since = Instant::now();
    let _second = world.session().await;
    assert!(stuck_since.elapsed() < Duration::from_secs(4), "{:?}", stuck_since.elapsed());
    drop(stuck);
}

#[tokio::test]
async fn heartbeats_keep_the_connection() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    for _ in 0..8 {
        peer.send(api_message::Body::Heartbeat(ApiHeartbeat {})).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(world.sessions.try_recv().is_err(), "no second connection");
}

#[tokio::test]
async fn a_refused_session_credential_falls_back_to_the_token() {
    let mut world = World::new().await;
    let peer = world.welcomed().await;
    until("the credential", || world.health.is_ready()).await;
    world.api.refusals.lock().unwrap().push(Status::unauthenticated("signed by an old key"));
    drop(peer);
    let refused = world.session().await;
    assert!(matches!(refused.hello.credential, Some(hello::Credential::SessionCredential(_))));
    let again = world.session().await;
    assert!(matches!(again.hello.credential, Some(hello::Credential::ServiceAccountToken(_))));
}

#[tokio::test]
async fn a_version_we_do_not_speak_is_named() {
    let mut world = World::new().await;
    let peer = world.session().await;
    peer.welcome(Welcome { version: 9, ..welcome() }).await;
    until("the reason", || world.health.report().to_string().contains("the API chose version 9")).await;
    assert!(!world.health.is_ready());
}

#[tokio::test]
async fn knowledge_is_searched_with_the_session_credential() {
    let mut world = World::new().await;
    let error = world.knowledge.search(&key(), "hours".into(), 3).await.unwrap_err();
    assert!(matches!(error, KnowledgeError::NotConnected));
    let _peer = world.welcomed().await;
    until("connected", || world.health.is_ready()).await;
    let key = key();
    let (found, search) = tokio::join!(world.knowledge.search(&key, "hours".into(), 3), world.searches.recv());
    let (bearer, request) = search.unwrap();
    assert_eq!(bearer, "Bearer issued");
    assert_eq!((request.call_id, request.query.as_str(), request.limit), (key.call_id, "hours", 3));
    assert_eq!(found.unwrap()[0].text, "We open at nine.");
}

#[tokio::test]
async fn the_connection_is_encrypted_and_the_authority_checked() {
    voxplane_platform::tls::install_crypto_provider();
    let authority = Authority::new();
    let mut world = World::with(Some((authority.pem.clone(), authority.server())), Host::default()).await;
    world.welcomed().await;
    until("connected", || world.health.is_ready()).await;

    let stranger = Authority::new();
    let world = World::with(Some((stranger.pem.clone(), authority.server())), Host::default()).await;
    until("the refusal", || world.health.report().to_string().contains("cannot reach the API")).await;
    assert!(!world.health.is_ready());
}
