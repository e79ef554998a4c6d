//! Against a real livekit-server and a real Postgres. The caller is a participant of kind SIP, as livekit-sip makes
//! them; the pod speaks the real protocol.

#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value, missing_docs, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use livekit_api::access_token::{AccessToken, Claims, VideoGrants};
use livekit_protocol::{RoomAgentDispatch, RoomConfiguration};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use uuid::Uuid;
use voxplane_control::v1::{CallRefused, StartCall, call_refused, runtime_message};
use voxplane_store::calls::{Call, CallFilter, CallStatus, Limit, Page, list};

use super::*;
use crate::livekit::{Worker, WorkerStatus};
use crate::sweeper::Sweeper;
use crate::testbed::{NAMESPACE, NUMBER, TRUNK, TestPod, Testbed, eventually};

mod handover;

/// All workers are called `voxplane` and a sweeper looks at every room: one test at a time.
static LIVEKIT: Mutex<()> = Mutex::const_new(());

fn account() -> LiveKitAccount {
    let read = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} must name a livekit-server used for tests only"))
    };
    let secret = SecretString::from(read("VOXPLANE_TEST_LIVEKIT_SECRET"));
    LiveKitAccount::new(&read("VOXPLANE_TEST_LIVEKIT_URL"), None, read("VOXPLANE_TEST_LIVEKIT_KEY"), secret).unwrap()
}

/// A SIP leg in a room.
struct TestCaller {
    room: String,
    /// Ends when LiveKit removes the leg.
    leg: JoinHandle<()>,
}

impl Drop for TestCaller {
    fn drop(&mut self) {
        self.leg.abort();
    }
}

impl TestCaller {
    async fn removed(&mut self) {
        timeout(Duration::from_secs(10), &mut self.leg).await.expect("removed within 10 s").unwrap();
    }
}

/// Joins as livekit-sip would, into a room whose dispatch asks for our worker when `dispatched`.
async fn dial(number: &str, dispatched: bool) -> TestCaller {
    let account = account();
    let room = format!("vx-test_{}", Uuid::new_v4().simple());
    let mut token = AccessToken::with_api_key(&account.key, account.secret.expose_secret())
        .with_identity("sip_caller")
        .with_kind("sip")
        .with_attributes([
            ("sip.trunkID", "ST_test"),
            ("sip.trunkPhoneNumber", number),
            ("sip.phoneNumber", "+15559999"),
            ("sip.trunkID", TRUNK),
            ("sip.callStatus", "ringing"),
            ("sip.callIDFull", room.as_str()),
        ])
        .with_grants(VideoGrants { room_join: true, room: room.clone(), ..VideoGrants::default() });
    if dispatched {
        let agents = vec![RoomAgentDispatch { agent_name: "voxplane".into(), ..RoomAgentDispatch::default() }];
        token = token.with_room_config(RoomConfiguration { agents, ..RoomConfiguration::default() });
    }
    let token = token.to_jwt().unwrap();
    let url = format!("{}/rtc?access_token={token}&protocol=15&auto_subscribe=0&sdk=rust", account.ws_url);
    let (mut socket, _) = connect_async(url).await.unwrap();
    // The join response; the leg is listed from here on.
    socket.next().await.unwrap().unwrap();
    let leg = tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    TestCaller { room, leg }
}

/// The worker and the placer's queue, as `serve` runs them.
async fn work(bed: &Testbed) {
    let (offers, offered) = mpsc::channel(8);
    let (reports, reported) = mpsc::channel(8);
    let (worker, mut status) = Worker::new(account(), offers, reported);
    tokio::spawn(worker.run(bed.stop.clone()));
    tokio::spawn(Arc::clone(&bed.placer).run(offered, reports, bed.stop.clone()));
    let registered = status.wait_for(|status| *status == WorkerStatus::Registered);
    timeout(Duration::from_secs(5), registered).await.expect("registered within 5 s").unwrap();
}

async fn only_call(bed: &Testbed) -> Call {
    let mut tx = bed.db.begin(&bed.scope()).await.unwrap();
    let page = list(&mut tx, &CallFilter::default(), Page::Offset { offset: 0, limit: 10 }).await.unwrap();
    assert_eq!(page.calls.len(), 1, "{:?}", page.calls);
    page.calls.into_iter().next().unwrap()
}

async fn free_slots(bed: &Testbed) -> bool {
    let mut tx = bed.db.begin(&Scope::platform()).await.unwrap();
    calls::holding_slots(&mut tx).await.unwrap().is_empty() && calls::live(&mut tx).await.unwrap().is_empty()
}

async fn taken(pod: &mut TestPod) -> (StartCall, CallId) {
    let start = pod.start_call().await;
    pod.accept(&start).await;
    let call = start.call_id.parse().unwrap();
    (start, call)
}

#[tokio::test]
async fn a_call_goes_from_offer_to_pod_to_end_and_frees_its_slot() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    let mut pod = bed.pod("a").await;
    work(&bed).await;
    let dialled = tokio::time::Instant::now();
    let mut caller = dial(NUMBER, true).await;
    let (start, call) = taken(&mut pod).await;
    assert!(dialled.elapsed() < Duration::from_secs(3), "{:?}", dialled.elapsed());
    assert_eq!(start.epoch, 1);
    let access = start.livekit.unwrap();
    assert_eq!(access.room, caller.room);
    assert_eq!(Claims::from_unverified(&access.join_token).unwrap().video.room, caller.room);
    assert_eq!(start.caller.unwrap().participant_identity, "sip_caller");
    let config = start.config.unwrap();
    assert_eq!(config.greeting.unwrap().text, "Hello");
    assert_eq!(config.knowledge.unwrap().knowledge_base_ids, [bed.tenant.knowledge_base.to_string()]);
    let row = only_call(&bed).await;
    assert_eq!((row.id, row.status), (call, CallStatus::Ringing));
    assert_eq!(row.caller.unwrap().expose(), "+15559999");
    pod.report(call, 1, 1, &["call.answered"]).await;
    assert_eq!(pod.acked().await, 1);
    pod.finish(call, 1, "goodbye").await;
    caller.removed().await;
    eventually("the call is over and its slot free", || free_slots(&bed)).await;
    assert_eq!(only_call(&bed).await.status, CallStatus::Completed);
    let events = bed.events(call).await;
    assert_eq!(events, ["call.created", "call.admitted", "call.placed", "call.answered", "call.closed"]);
}

#[tokio::test]
async fn strangers_are_removed_and_leave_no_trace() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    work(&bed).await;
    let mut caller = dial("+15550999", true).await;
    caller.removed().await;
    assert!(free_slots(&bed).await);
}

#[tokio::test]
async fn a_suspended_tenants_caller_hears_why_or_gets_486() {
    let _alone = LIVEKIT.lock().await;
    let mut bed = Testbed::start(account()).await;
    let spec = json!({"suspended": true, "suspendedMessage": "We are closed."});
    bed.fixture.tenant("north", "bakery", bed.tenant.tenant.0, spec);
    let mut caller = dial(NUMBER, false).await;
    // Nobody there to say it.
    assert_eq!(bed.placer.place(&caller.room).await, Outcome::Refused(RefusalReason::TenantSuspended));
    caller.removed().await;
    assert_eq!(only_call(&bed).await.status, CallStatus::Rejected);

    let mut bed = Testbed::start(account()).await;
    let spec = json!({"suspended": true, "suspendedMessage": "We are closed."});
    bed.fixture.tenant("north", "bakery", bed.tenant.tenant.0, spec);
    let mut pod = bed.pod("a").await;
    let mut caller = dial(NUMBER, false).await;
    let room = caller.room.clone();
    let (outcome, (start, call)) = tokio::join!(bed.placer.place(&room), taken(&mut pod));
    assert_eq!(outcome, Outcome::RefusedAloud(RefusalReason::TenantSuspended));
    assert_eq!(start.refusal_message, "We are closed.");
    pod.finish(call, start.epoch, "refused").await;
    caller.removed().await;
    eventually("rejected", async || only_call(&bed).await.status == CallStatus::Rejected).await;
    assert!(bed.events(call).await.contains(&"call.rejected".to_owned()));
}

#[tokio::test]
async fn beyond_the_quota_callers_hear_that_all_lines_are_busy() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    // Three slots, but the tenant's quota is two.
    let mut hello = bed.hello("a");
    hello.slots = 3;
    let mut pod = bed.dial(hello).await.unwrap();
    let mut callers = Vec::new();
    for _ in 0..2 {
        let caller = dial(NUMBER, false).await;
        let (outcome, _) = tokio::join!(bed.placer.place(&caller.room), taken(&mut pod));
        assert_eq!(outcome, Outcome::Placed);
        callers.push(caller);
    }
    let third = dial(NUMBER, false).await;
    let (outcome, (start, call)) = tokio::join!(bed.placer.place(&third.room), taken(&mut pod));
    assert_eq!(outcome, Outcome::RefusedAloud(RefusalReason::LimitReached(Limit::Tenant)));
    assert_eq!(start.refusal_message, "All our lines are busy. Please call again in a few minutes.");
    pod.finish(call, start.epoch, "refused").await;
    eventually("busy", async || bed.call(call).await.status == CallStatus::Busy).await;
}

#[tokio::test]
async fn a_refused_call_goes_to_the_next_pod_and_a_silent_pod_loses_it() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    let (mut first, mut second) = (bed.pod("a").await, bed.pod("b").await);
    let caller = dial(NUMBER, false).await;
    let placing = tokio::spawn({
        let (placer, room) = (Arc::clone(&bed.placer), caller.room.clone());
        async move { placer.place(&room).await }
    });
    // Whoever is asked first refuses, the other says nothing at all; then nobody is left, and nobody speaks either.
    let (refuser, silent, start) = tokio::select! {
        start = first.start_call() => (&mut first, &mut second, start),
        start = second.start_call() => (&mut second, &mut first, start),
    };
    assert_eq!(start.epoch, 1);
    let refused = CallRefused {
        call_id: start.call_id.clone(),
        epoch: 1,
        reason: call_refused::Reason::NoSlot.into(),
        message: String::new(),
    };
    refuser.send(runtime_message::Body::CallRefused(refused)).await;
    assert_eq!(silent.start_call().await.epoch, 2, "a new owner, a new epoch");
    let Some(voxplane_control::v1::api_message::Body::LeaseLost(lost)) = silent.next().await else {
        panic!("the silent pod must be told")
    };
    assert_eq!(lost.epoch, 2);
    let spoken = refuser.start_call().await;
    assert_eq!((spoken.epoch, spoken.refusal_message.is_empty()), (3, false), "then it is a refusal to speak");
    refuser.accept(&spoken).await;
    assert_eq!(placing.await.unwrap(), Outcome::RefusedAloud(RefusalReason::NoCapacity));
}

#[tokio::test]
async fn a_repeated_invite_and_a_second_offer_do_not_make_a_second_call() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    let mut pod = bed.pod("a").await;
    let caller = dial(NUMBER, false).await;
    let (outcome, _) = tokio::join!(bed.placer.place(&caller.room), taken(&mut pod));
    assert_eq!(outcome, Outcome::Placed);
    assert_eq!(bed.placer.place(&caller.room).await, Outcome::Duplicate);
    only_call(&bed).await;
}

#[tokio::test]
async fn the_sweeper_finds_callers_whose_offer_was_lost_and_ends_what_nobody_has() {
    let _alone = LIVEKIT.lock().await;
    let bed = Testbed::start(account()).await;
    let mut pod = bed.pod("a").await;
    let caller = dial(NUMBER, false).await;
    let sweeper = Sweeper {
        db: bed.db.clone(),
        rooms: Arc::clone(&bed.rooms),
        placer: Arc::clone(&bed.placer),
        lifecycle: Arc::clone(&bed.lifecycle),
        registry: Arc::clone(&bed.registry),
        metrics: bed.metrics.clone(),
    };
    tokio::spawn(sweeper.run(bed.stop.clone()));
    let (_, call) = taken(&mut pod).await;
    // The caller goes without anybody saying so, and the pod dies.
    drop(caller);
    drop(pod);
    eventually("the call is ended", async || bed.call(call).await.ended_at.is_some()).await;
    eventually("its slot is free", || free_slots(&bed)).await;
}

#[tokio::test]
async fn an_agent_that_is_re_pointed_answers_the_next_call() {
    let _alone = LIVEKIT.lock().await;
    let mut bed = Testbed::start(account()).await;
    bed.fixture.agent(NAMESPACE, "agent", bed.tenant.agent.0, json!({"greeting": {"text": "Good evening"}}));
    let mut pod = bed.pod("a").await;
    let caller = dial(NUMBER, false).await;
    let (outcome, (start, _)) = tokio::join!(bed.placer.place(&caller.room), taken(&mut pod));
    assert_eq!(outcome, Outcome::Placed);
    assert_eq!(start.config.unwrap().greeting.unwrap().text, "Good evening");
}
