//! What is programmed for an agency stands in a real LiveKit as it was wanted: the next look finds nothing to do, somebody's
//! hand is noticed, and at the end nothing is left.
//!
//! `cargo test -p voxplane-operator --features test-livekit --test livekit` with `VOXPLANE_TEST_LIVEKIT_URL`, `…_KEY` and
//! `…_SECRET` of a server used for tests only.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};

use livekit_api::services::sip::SIPClient;
use livekit_protocol::{ListUpdate, SipOutboundTrunkUpdate};
use prometheus_client::registry::Registry;
use uuid::Uuid;
use voxplane_operator::config::LiveKitSettings;
use voxplane_operator::livekit::desired::{Access, Holder, Wanted};
use voxplane_operator::livekit::drift::drifted;
use voxplane_operator::livekit::outbound::{Calling, Exit};
use voxplane_operator::livekit::{Connection, Goal, LiveKit};
use voxplane_operator::metrics::Metrics;
use voxplane_telephony::outbound::{MediaEncryption, OutboundSettings, Transport};
use voxplane_telephony::{CarrierKind, E164, OutboundTrunk, SipCarrier, SipLogin};

fn settings() -> LiveKitSettings {
    let read = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    LiveKitSettings {
        url: read("VOXPLANE_TEST_LIVEKIT_URL"),
        key: read("VOXPLANE_TEST_LIVEKIT_KEY"),
        secret: read("VOXPLANE_TEST_LIVEKIT_SECRET").into(),
    }
}

/// A connection whose trunks say everything that can be said.
fn wanted(numbers: &[&str], encryption: MediaEncryption) -> Wanted {
    let numbers: BTreeSet<E164> = numbers.iter().map(|number| E164::parse(number).unwrap()).collect();
    let outbound = OutboundSettings {
        address: Some("sip.example.com:5081".to_owned()),
        transport: Transport::Tls,
        media_encryption: encryption,
        login: Some(SipLogin { username: "office".to_owned(), password: "correct-horse".into() }),
        headers: BTreeMap::from([("X-Account".to_owned(), "7".to_owned())]),
    };
    let login = SipLogin { username: "exchange".to_owned(), password: "battery-staple".into() };
    Wanted {
        carrier: "main".to_owned(),
        access: Access::Known(SipCarrier::new(&["192.0.2.10".to_owned()], Some(login), 15).unwrap()),
        outbound: Some(Calling {
            exit: Exit::Known(OutboundTrunk::new(CarrierKind::Sip, outbound).unwrap()),
            caller_ids: numbers.clone(),
        }),
        numbers,
    }
}

async fn converge(livekit: &LiveKit, holder: &Holder, wanted: &[Wanted]) -> Vec<Connection> {
    let outcome = livekit.converge(holder, wanted).await.unwrap();
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    outcome.connections
}

async fn is_settled(livekit: &LiveKit, holder: &Holder, wanted: &[Wanted]) -> bool {
    let goal = Goal { holder: holder.clone(), wanted: wanted.to_vec() };
    drifted(&[goal], &livekit.look().await.unwrap()).is_empty()
}

#[tokio::test]
async fn what_is_programmed_is_as_it_was_wanted_and_goes_without_a_trace() {
    let settings = settings();
    let livekit = LiveKit::new(&settings, Metrics::register(&mut Registry::default()));
    let holder = Holder { agency_id: Uuid::now_v7(), agency: "component-test".to_owned() };
    for encryption in [MediaEncryption::Disabled, MediaEncryption::Allowed, MediaEncryption::Required] {
        let wanted = [wanted(&["+15559015001", "+15559015002"], encryption)];
        let made = converge(&livekit, &holder, &wanted).await;
        assert!(is_settled(&livekit, &holder, &wanted).await, "LiveKit has something else than was written");
        assert_eq!(converge(&livekit, &holder, &wanted).await, made, "and nothing is made twice");
    }

    // Fewer numbers, and somebody's hand.
    let wanted = [wanted(&["+15559015002"], MediaEncryption::Disabled)];
    let made = converge(&livekit, &holder, &wanted).await;
    let trunk = made[0].outbound.clone().unwrap();
    assert_eq!(trunk.caller_ids.len(), 1);
    let by_hand =
        SIPClient::with_api_key(&settings.url, &settings.key, secrecy::ExposeSecret::expose_secret(&settings.secret));
    let numbers = Some(ListUpdate { set: vec!["+15559015009".to_owned()], ..ListUpdate::default() });
    let change = SipOutboundTrunkUpdate { numbers, ..SipOutboundTrunkUpdate::default() };
    by_hand.update_sip_outbound_trunk(trunk.trunk_id.clone(), change).await.unwrap();
    assert!(!is_settled(&livekit, &holder, &wanted).await, "a number that nobody may show");
    assert_eq!(converge(&livekit, &holder, &wanted).await, made, "the trunk keeps its id");
    assert!(is_settled(&livekit, &holder, &wanted).await);

    assert!(converge(&livekit, &holder, &[]).await.is_empty());
    let left = livekit.look().await.unwrap();
    let prefix = holder.prefix();
    assert!(!left.trunks.iter().any(|trunk| trunk.name.starts_with(&prefix)));
    assert!(!left.outbound.iter().any(|trunk| trunk.name.starts_with(&prefix)));
    assert!(!left.rules.iter().any(|rule| rule.name.starts_with(&prefix)));
}
