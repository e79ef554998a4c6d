//! Several replicas over one database: a tenant's pods hold their stream to one of them, LiveKit offers to any.

use std::time::Instant;

use voxplane_control::v1::api_message;
use voxplane_store::events;

use super::*;

/// Far below the 4 s after which a sweeper would look.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn how_often(bed: &Testbed, call: CallId, event: &str) -> usize {
    bed.events(call).await.iter().filter(|seen| *seen == event).count()
}

#[tokio::test]
async fn a_call_offered_to_the_wrong_replica_is_placed_by_the_right_one_at_once() {
    let _alone = LIVEKIT.lock().await;
    let offered = Testbed::start(account()).await;
    let owner = offered.beside("api-1", account()).await;
    let mut pod = owner.pod("a").await;
    let caller = dial(NUMBER, false).await;
    let started = Instant::now();
    assert_eq!(offered.placer.place(&caller.room).await, Outcome::Deferred);
    let (start, call) = taken(&mut pod).await;
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert_eq!(start.epoch, 2, "the first replica gave it away under one epoch, the second placed it under the next");
    eventually("the pod has it", async || owner.registry.all()[0].holds(call, 2)).await;
    assert_eq!(only_call(&offered).await.status, CallStatus::Ringing);
    assert_eq!(offered.events(call).await, ["call.created", "call.admitted", "call.placed"], "admitted once");
}

#[tokio::test]
async fn a_refusal_is_spoken_by_the_replica_that_has_a_pod() {
    let _alone = LIVEKIT.lock().await;
    let mut offered = Testbed::start(account()).await;
    let mut owner = offered.beside("api-1", account()).await;
    for bed in [&mut offered, &mut owner] {
        let spec = json!({"suspended": true, "suspendedMessage": "We are closed."});
        bed.fixture.tenant("north", "bakery", bed.tenant.tenant.0, spec);
    }
    let mut pod = owner.pod("a").await;
    let caller = dial(NUMBER, false).await;
    let started = Instant::now();
    assert_eq!(offered.placer.place(&caller.room).await, Outcome::Deferred);
    let (start, call) = taken(&mut pod).await;
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert_eq!(start.refusal_message, "We are closed.");
    assert_eq!(how_often(&offered, call, "call.rejected").await, 1);
}

#[tokio::test]
async fn of_two_replicas_that_could_exactly_one_takes_the_call() {
    let _alone = LIVEKIT.lock().await;
    let offered = Testbed::start(account()).await;
    let (first, second) = (offered.beside("api-1", account()).await, offered.beside("api-2", account()).await);
    let (mut one, mut two) = (first.pod("a").await, second.pod("b").await);
    for round in 0..5 {
        let mut caller = dial(NUMBER, false).await;
        // Both hear the announcement; asking them once more makes the race as tight as it gets.
        assert_eq!(offered.placer.place(&caller.room).await, Outcome::Deferred);
        let mut tx = offered.db.begin(&offered.scope()).await.unwrap();
        let id = calls::find_live_by_room(&mut tx, &caller.room).await.unwrap().unwrap().id;
        drop(tx);
        let (racing, (start, pod, other)) =
            tokio::join!(async { tokio::join!(first.placer.take_over(id), second.placer.take_over(id)) }, async {
                let start = tokio::select! {
                    start = one.start_call() => (start, true),
                    start = two.start_call() => (start, false),
                };
                let (pod, other) = if start.1 { (&mut one, &mut two) } else { (&mut two, &mut one) };
                pod.accept(&start.0).await;
                (start.0, pod, other)
            });
        assert_eq!((start.call_id.clone(), start.epoch), (id.to_string(), 2), "round {round}: {racing:?}");
        let quiet = timeout(Duration::from_millis(200), other.next()).await;
        assert!(quiet.is_err(), "round {round}: the other pod was asked as well: {quiet:?}");
        assert_eq!(how_often(&offered, id, "call.placed").await, 1, "round {round}");
        assert_eq!(how_often(&offered, id, "call.rejected").await, 0, "round {round}");
        pod.finish(id, 2, "goodbye").await;
        caller.removed().await;
        eventually("its slot is free", || free_slots(&offered)).await;
    }
}

#[tokio::test]
async fn replicas_whose_pods_decline_do_not_hand_a_call_to_and_fro() {
    let _alone = LIVEKIT.lock().await;
    let offered = Testbed::start(account()).await;
    let owner = offered.beside("api-1", account()).await;
    // A pod without a recogniser: the database cannot know that it does not fit.
    let mut hello = owner.hello("deaf");
    hello.capabilities.retain(|capability| !capability.starts_with("stt/"));
    let mut deaf = owner.dial(hello).await.unwrap();
    let caller = dial(NUMBER, false).await;
    assert_eq!(offered.placer.place(&caller.room).await, Outcome::Deferred);
    // It can still say that nobody is free.
    let spoken = deaf.start_call().await;
    assert_eq!(spoken.refusal_message, "All our lines are busy. Please call again in a few minutes.");
    deaf.accept(&spoken).await;
    let quiet = timeout(Duration::from_millis(300), deaf.next()).await;
    assert!(!matches!(quiet, Ok(Some(api_message::Body::StartCall(_)))), "{quiet:?}");
    let call = spoken.call_id.parse().unwrap();
    let mut tx = offered.db.begin(&offered.scope()).await.unwrap();
    let ledger = events::list(&mut tx, call, None, 100).await.unwrap();
    let rejected = ledger.iter().find(|event| event.r#type == "call.rejected").unwrap();
    assert_eq!(rejected.payload.as_ref().unwrap()["reason"], "no_capacity");
}
