//! The participant against a real livekit-server.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code, helpers included")]

mod server;

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;
use voxplane_media::inbound::{Chunk, Inbound};
use voxplane_media::pacer::{PlayoutEvent, UtteranceId};
use voxplane_media::{
    Destinations, DisconnectReason, JoinError, JoinOptions, Room, RoomError, RoomEvent, RoomEvents, Speaker,
};

use crate::server::Server;

const SPEECH: UtteranceId = UtteranceId(1);

async fn join(server: &Server, identity: &str) -> (Room, RoomEvents) {
    let started = Instant::now();
    let joined = Room::join(JoinOptions::new(server.url(), server.token("room", identity))).await;
    println!("{identity} joined in {:?}", started.elapsed());
    joined.unwrap_or_else(|error| panic!("{identity}: {error:?}\n{}", server.log()))
}

/// Waits for the event that `pick` takes; the others are dropped.
async fn expect<T>(events: &mut RoomEvents, what: &str, mut pick: impl FnMut(&RoomEvent) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = events.recv().await.unwrap_or_else(|| panic!("the events ended before {what}"));
            if let Some(found) = pick(&event) {
                return found;
            }
            assert!(!matches!(event, RoomEvent::Disconnected { .. }), "{event:?} before {what}");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search).await.unwrap_or_else(|_| panic!("no {what}"))
}

async fn expect_participant(events: &mut RoomEvents, identity: &str) {
    expect(events, "the other participant", |event| {
        matches!(event, RoomEvent::ParticipantJoined(participant) if participant.identity == identity).then_some(())
    })
    .await;
}

async fn expect_end(events: &mut RoomEvents) -> DisconnectReason {
    let drain = async {
        loop {
            match events.recv().await {
                Some(RoomEvent::Disconnected { reason }) => return reason,
                Some(_) => {}
                None => panic!("the events ended without a reason"),
            }
        }
    };
    let reason = tokio::time::timeout(Duration::from_secs(10), drain).await.expect("the room does not end");
    assert!(events.recv().await.is_none(), "nothing follows the end");
    reason
}

fn tone(hz: f64, seconds: f64) -> Vec<i16> {
    (0..(48_000.0 * seconds) as usize).map(|n| (8000.0 * (TAU * hz * n as f64 / 48_000.0).sin()) as i16).collect()
}

fn rms(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64).sqrt()
}

/// Frequency by counting upward zero crossings.
fn frequency(pcm: &[i16]) -> f64 {
    let crossings = pcm.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    crossings as f64 * 16_000.0 / pcm.len() as f64
}

/// Says a tone of `seconds` and collects everything the other side hears, in order, until it has been silent.
async fn hear_tone(speaker: &Speaker, listener: &Room, events: &mut RoomEvents, hz: f64, seconds: f64) -> Vec<Chunk> {
    let mut inbound = Inbound::new(listener.clock()).unwrap();
    speaker.enqueue(SPEECH, &tone(hz, seconds)).unwrap();
    speaker.finish(SPEECH);
    let mut heard = Vec::new();
    let end = tokio::time::Instant::now() + Duration::from_secs_f64(seconds + 1.0);
    while let Ok(Some(event)) = tokio::time::timeout_at(end, events.recv()).await {
        if let RoomEvent::Audio(packet) = event {
            inbound.push(&packet);
            heard.extend(std::iter::from_fn(|| inbound.poll(Instant::now())));
        }
    }
    assert_eq!(inbound.stats().lost, 0, "loopback loses nothing");
    heard
}

fn assert_is_tone(heard: &[Chunk], hz: f64, seconds: f64) {
    let pcm: Vec<i16> = heard.iter().flat_map(|chunk| chunk.pcm.iter().copied()).collect();
    // Only the part with sound: silence opens the track and follows speech.
    let first = pcm.iter().position(|sample| sample.abs() > 2_000).expect("nothing was heard");
    let last = pcm.iter().rposition(|sample| sample.abs() > 2_000).unwrap();
    let speech = &pcm[first..=last];
    let length = speech.len() as f64 / 16_000.0;
    assert!((length - seconds).abs() < 0.05, "heard {length} s of {seconds} s");
    let (level, pitch) = (rms(speech), frequency(speech));
    assert!((4_500.0..6_500.0).contains(&level), "8000 peak is 5657 RMS, heard {level}");
    assert!((pitch - hz).abs() < 8.0, "heard {pitch} Hz of {hz} Hz");
}

#[tokio::test]
async fn two_participants_hear_each_other() {
    let server = Server::start().await;
    let (alice, mut alice_events) = join(&server, "alice").await;
    let (bob, mut bob_events) = join(&server, "bob").await;
    assert_eq!(bob.local().identity, "bob");
    assert_eq!(bob.name(), "room");

    // Participants learn of each other, whoever came first.
    expect_participant(&mut alice_events, "bob").await;
    expect_participant(&mut bob_events, "alice").await;

    // Publishing alone, without a word said, makes the track known and subscribed.
    let alice_speaks = alice.publish_audio("agent").await.unwrap();
    let subscribed = |event: &RoomEvent| match event {
        RoomEvent::TrackSubscribed { participant, track } => Some((participant.clone(), track.clone())),
        _ => None,
    };
    let (publisher, track) = expect(&mut bob_events, "alice's track", subscribed).await;
    assert_eq!((publisher.as_str(), track.as_ref()), ("alice", alice_speaks.track()));
    expect(&mut alice_events, "the news that somebody listens", |event| {
        matches!(event, RoomEvent::LocalTrackSubscribed { track } if track == alice_speaks.track()).then_some(())
    })
    .await;
    let again = alice.publish_audio("agent").await;
    assert!(matches!(again, Err(RoomError::AlreadyPublished)), "{again:?}");

    let heard = hear_tone(&alice_speaks, &bob, &mut bob_events, 440.0, 1.0).await;
    assert_is_tone(&heard, 440.0, 1.0);

    // The other way, to the participant that joined first.
    let bob_speaks = bob.publish_audio("caller").await.unwrap();
    let (publisher, _) = expect(&mut alice_events, "bob's track", subscribed).await;
    assert_eq!(publisher, "bob");
    let heard = hear_tone(&bob_speaks, &alice, &mut alice_events, 700.0, 1.0).await;
    assert_is_tone(&heard, 700.0, 1.0);

    // The pacer's account agrees with the clock: one second of speech took one second.
    let (mut started, mut finished) = (None, None);
    while finished.is_none() {
        expect(&mut bob_events, "playout", |event| match event {
            RoomEvent::Playout(PlayoutEvent::Started { utterance: SPEECH, at }) => {
                started = Some(*at);
                Some(())
            }
            RoomEvent::Playout(PlayoutEvent::Finished { utterance: SPEECH, at }) => {
                finished = Some(*at);
                Some(())
            }
            _ => None,
        })
        .await;
    }
    let took = finished.unwrap() - started.unwrap();
    // A busy machine moves speech later, never closer together.
    assert!((48_000..54_000).contains(&took), "one second took {took} samples");

    // A clean leave is seen at once.
    let left = Instant::now();
    alice.leave().await;
    assert_eq!(expect_end(&mut alice_events).await, DisconnectReason::Left);
    expect(&mut bob_events, "alice's leaving", |event| {
        matches!(event, RoomEvent::ParticipantLeft(participant) if participant.identity == "alice").then_some(())
    })
    .await;
    assert!(left.elapsed() < Duration::from_secs(2), "took {:?}", left.elapsed());
    bob.leave().await;
}

#[tokio::test]
async fn data_digits_and_attributes_reach_the_others() {
    let server = Server::start().await;
    let (alice, mut alice_events) = join(&server, "alice").await;
    let (bob, mut bob_events) = join(&server, "bob").await;
    let (_carol, mut carol_events) = join(&server, "carol").await;
    // The server gathers news for a moment; without this wait the attribute below would come with the joining.
    expect_participant(&mut alice_events, "bob").await;

    alice.send_data("greeting", Bytes::from_static(b"hello"), Destinations::Everyone).await.unwrap();
    let data = |event: &RoomEvent| match event {
        RoomEvent::Data { participant, topic, payload } => Some((participant.clone(), topic.clone(), payload.clone())),
        _ => None,
    };
    for events in [&mut bob_events, &mut carol_events] {
        let (participant, topic, payload) = expect(events, "the message", data).await;
        assert_eq!(participant.as_deref(), Some("alice"));
        assert_eq!((topic.as_str(), payload.as_ref()), ("greeting", &b"hello"[..]));
    }

    // Digits go to one participant only; the message after them shows that carol got none.
    alice.send_dtmf("1#", Destinations::one("bob")).await.unwrap();
    for expected in [('1', 1), ('#', 11)] {
        let digit = expect(&mut bob_events, "a digit", |event| match event {
            RoomEvent::Dtmf { participant, digit, code } if participant == "alice" => Some((*digit, *code)),
            _ => None,
        })
        .await;
        assert_eq!(digit, expected);
    }
    let large = Bytes::from(vec![7; 50_000]);
    alice.send_data("large", large.clone(), Destinations::one("carol")).await.unwrap();
    let mut digits = 0;
    let (_, _, payload) = expect(&mut carol_events, "the large message", |event| {
        digits += usize::from(matches!(event, RoomEvent::Dtmf { .. }));
        data(event)
    })
    .await;
    assert_eq!((payload, digits), (large, 0));

    bob.set_attributes(vec![("agent.state".into(), "listening".into())]).await.unwrap();
    expect(&mut alice_events, "bob's attribute", |event| match event {
        RoomEvent::AttributesChanged { participant, changed } if participant.identity == "bob" => {
            assert_eq!(changed, &["agent.state"]);
            assert_eq!(participant.attributes["agent.state"], "listening");
            Some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn more_than_the_data_channel_holds_goes_out_as_it_empties() {
    let server = Server::start().await;
    let (alice, mut alice_events) = join(&server, "alice").await;
    let (_bob, mut bob_events) = join(&server, "bob").await;
    expect_participant(&mut alice_events, "bob").await;
    let alice = Arc::new(alice);
    let mut sending = JoinSet::new();
    for n in 0..12 {
        let alice = alice.clone();
        sending.spawn(async move {
            alice.send_data("part", Bytes::from(vec![n; 50_000]), Destinations::Everyone).await.unwrap();
        });
    }
    sending.join_all().await;
    for n in 0..12 {
        expect(&mut bob_events, &format!("message {n}"), |event| matches!(event, RoomEvent::Data { .. }).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn what_the_token_does_not_grant_is_refused() {
    let server = Server::start().await;
    let joined = Room::join(JoinOptions::new(server.url(), server.listener_token("room", "alice"))).await;
    let (alice, _events) = joined.unwrap();
    let published = alice.publish_audio("agent").await;
    assert!(matches!(published, Err(RoomError::Refused { .. })), "{published:?}");
    let set = alice.set_attributes(vec![("a".into(), "b".into())]).await;
    assert!(matches!(set, Err(RoomError::Refused { .. })), "{set:?}");
}

#[tokio::test]
async fn a_second_participant_with_our_identity_evicts_us() {
    let server = Server::start().await;
    let (_first, mut first_events) = join(&server, "agent").await;
    let (second, mut second_events) = join(&server, "agent").await;
    assert_eq!(expect_end(&mut first_events).await, DisconnectReason::DuplicateIdentity);

    // The winner works.
    let (_caller, mut caller_events) = join(&server, "caller").await;
    let speaker = second.publish_audio("agent").await.unwrap();
    // What is said before anybody listens is lost: the answer gate waits for this event too.
    expect(&mut second_events, "a listener", |event| {
        matches!(event, RoomEvent::LocalTrackSubscribed { .. }).then_some(())
    })
    .await;
    let heard = hear_tone(&speaker, &_caller, &mut caller_events, 300.0, 0.5).await;
    assert_is_tone(&heard, 300.0, 0.5);
    drop(second);
    assert_eq!(expect_end(&mut second_events).await, DisconnectReason::Left);
}

#[tokio::test]
async fn removal_and_deletion_are_told_apart() {
    let server = Server::start().await;
    let (_alice, mut alice_events) = join(&server, "alice").await;
    let (_bob, mut bob_events) = join(&server, "bob").await;
    server.rooms().remove_participant("room", "bob").await.unwrap();
    assert_eq!(expect_end(&mut bob_events).await, DisconnectReason::ParticipantRemoved);
    server.rooms().delete_room("room").await.unwrap();
    assert_eq!(expect_end(&mut alice_events).await, DisconnectReason::RoomDeleted);
}

#[tokio::test]
async fn a_dead_server_is_a_lost_transport() {
    let server = Server::start().await;
    let (room, mut events) = join(&server, "alice").await;
    server.kill().await;
    assert_eq!(expect_end(&mut events).await, DisconnectReason::TransportLost);
    let late = room.send_data("t", Bytes::new(), Destinations::Everyone).await;
    assert!(matches!(late, Err(RoomError::Closed)), "{late:?}");
    tokio::time::timeout(Duration::from_secs(4), room.leave()).await.expect("leaving is bounded");
}

#[tokio::test]
async fn a_short_interruption_is_survived_and_a_cut_cable_is_noticed() {
    let server = Server::start().await;
    let (alice, mut alice_events) = join(&server, "alice").await;
    let (_bob, mut bob_events) = join(&server, "bob").await;

    server.freeze().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.thaw().await;
    alice.send_data("t", Bytes::from_static(b"still here"), Destinations::Everyone).await.unwrap();
    expect(&mut bob_events, "the message after the interruption", |event| {
        matches!(event, RoomEvent::Data { payload, .. } if payload == "still here").then_some(())
    })
    .await;

    server.freeze().await;
    let cut = Instant::now();
    assert_eq!(expect_end(&mut alice_events).await, DisconnectReason::TransportLost);
    println!("the loss was noticed after {:?}", cut.elapsed());
    tokio::time::timeout(Duration::from_secs(4), alice.leave()).await.expect("leaving is bounded");
}

#[tokio::test]
async fn tracks_come_and_go_on_reused_sections() {
    let server = Server::start().await;
    let (alice, mut alice_events) = join(&server, "alice").await;
    for round in 0..3 {
        let identity = format!("visitor-{round}");
        let (visitor, _visitor_events) = join(&server, &identity).await;
        let speaker = visitor.publish_audio("audio").await.unwrap();
        let track = expect(&mut alice_events, "the visitor's track", |event| match event {
            RoomEvent::TrackSubscribed { participant, track } if *participant == identity => Some(track.clone()),
            _ => None,
        })
        .await;
        assert_eq!(track.as_ref(), speaker.track());
        let hz = 400.0 + 100.0 * f64::from(round);
        let heard = hear_tone(&speaker, &alice, &mut alice_events, hz, 0.4).await;
        assert_is_tone(&heard, hz, 0.4);
        visitor.leave().await;
        expect(&mut alice_events, "the end of the track", |event| {
            matches!(event, RoomEvent::TrackUnsubscribed { track: gone } if *gone == track).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_reasons_for_not_joining_are_told_apart() {
    let server = Server::start().await;
    let attempt = |url: String, token: String| async move {
        let mut options = JoinOptions::new(url, token);
        options.timeout = Duration::from_secs(3);
        Room::join(options).await.map(|_| ()).unwrap_err()
    };

    let forged = server.token("room", "mallory") + "x";
    let error = attempt(server.url(), forged).await;
    assert!(matches!(error, JoinError::TokenRejected { status: 401, .. }), "{error:?}");

    let astray = Server::start_offering("192.0.2.1").await;
    let error = attempt(astray.url(), astray.token("room", "alice")).await;
    assert!(matches!(error, JoinError::MediaBlocked { .. }), "{error:?}");
    assert!(error.to_string().contains("offered no UDP address"), "{error}");

    let error = attempt("ws://127.0.0.1:1".into(), server.token("room", "alice")).await;
    assert!(matches!(error, JoinError::Unreachable { .. }), "{error:?}");

    let error = attempt("ftp://127.0.0.1".into(), server.token("room", "alice")).await;
    assert!(matches!(error, JoinError::InvalidUrl { .. }), "{error:?}");
}
