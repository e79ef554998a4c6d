//! A fallback through its whole life, against the carrier's stand-in, with the passes that the operator would take.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use voxplane_carriers::{Fault, Forwarding, Simulator};
use voxplane_crds::PhoneNumber;
use voxplane_crds::agency::CarrierConnection;
use voxplane_crds::conditions::reasons;
use voxplane_crds::phone_number::{FallbackState, FallbackStatus};
use voxplane_telephony::market::{Http, NumberSearch, Ordered, OwnedNumber, Reference};
use voxplane_telephony::{CarrierKind, E164, Market, NumberMarket as _};

use super::act::Actor;
use super::decide::{Step, View, next};
use super::memory::{CHECK_EVERY, Fallbacks, Memory};
use super::{spread, wanted::wanted};
use crate::status::Problem;
use crate::testing::{now, object};
use crate::watch::ObjectKey;

const NUMBER: &str = "+14045550100";
const HOME: &str = "+14045550199";
const MOBILE: &str = "+442079460999";

/// A number in an account, and what the operator knows of its fallback.
struct Subject {
    carrier: Simulator,
    market: Market,
    owned: OwnedNumber,
    told: Option<FallbackStatus>,
    memory: Memory,
    now: Timestamp,
}

impl Subject {
    async fn new() -> Self {
        let carrier = Simulator::telnyx().start().await.unwrap();
        let secret = carrier.secret();
        let http = Http::new(Duration::from_secs(5)).unwrap();
        let market = Market::from_secret(CarrierKind::Telnyx, &http, |key| secret.get(key).cloned()).unwrap();
        let search = NumberSearch::new("US", Some("404"), None, None).unwrap();
        market.search(&search, 10).await.unwrap();
        let number = E164::parse(NUMBER).unwrap();
        let Ordered::Pending { order_id } = market.order(&number, &Reference::new(Uuid::nil())).await.unwrap() else {
            panic!("Telnyx delivers later")
        };
        market.order_state(&order_id).await.unwrap();
        let owned = market.find(&number).await.unwrap().unwrap();
        Self { carrier, market, owned, told: None, memory: Memory::default(), now: now() }
    }

    /// One pass; returns the step it took.
    async fn pass(&mut self, wanted: Option<&str>) -> Step {
        let wanted = wanted.map(|number| E164::parse(number).unwrap());
        let step = next(&View {
            carrier: "main",
            possible: true,
            wanted: wanted.as_ref(),
            told: self.told.as_ref(),
            memory: self.memory.clone(),
            now: self.now,
        });
        match step.clone() {
            Step::Note(told) => (self.told, self.memory) = (Some(told), Memory::default()),
            Step::Set(_) | Step::Check(_) | Step::Remove(_) => {
                let actor = Actor { market: &self.market, number: &self.owned, carrier: "main", now: self.now };
                let outcome = actor.act(step.clone(), self.told.take(), self.memory.clone()).await;
                (self.told, self.memory) = (outcome.told, outcome.memory);
            }
            Step::Rest | Step::Wait(_) | Step::Forget => {}
        }
        step
    }

    /// Passes until there is nothing to do.
    async fn settle(&mut self, wanted: Option<&str>) {
        while !matches!(self.pass(wanted).await, Step::Rest | Step::Wait(_)) {}
    }

    fn later(&mut self, wait: Duration) {
        self.now = self.now.checked_add(SignedDuration::try_from(wait).unwrap()).unwrap();
    }

    fn at_carrier(&self) -> Option<String> {
        self.carrier.fallback_of(NUMBER)
    }

    fn requests(&self) -> usize {
        self.carrier.requests().len()
    }
}

fn forwarding(to: &str) -> Forwarding {
    Forwarding { enabled: Some(true), forwards_to: Some(to.to_owned()), forwarding_type: Some("on-failure".to_owned()) }
}

#[tokio::test]
async fn it_is_noted_before_the_carrier_is_told_and_set_changed_and_taken_away() {
    let mut subject = Subject::new().await;
    let before = subject.requests();
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Note(_)));
    assert_eq!((subject.requests(), subject.at_carrier()), (before, None), "first the status says it");
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Set(_)));
    assert_eq!(subject.at_carrier().as_deref(), Some(HOME));
    assert_eq!(subject.told.as_ref().unwrap().state, FallbackState::Set);

    let asked = subject.requests();
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Wait(wait) if wait == CHECK_EVERY));
    assert_eq!(subject.requests(), asked, "what is as it should be is not asked about at every pass");

    subject.settle(Some(MOBILE)).await;
    assert_eq!(subject.at_carrier().as_deref(), Some(MOBILE), "another number, at once");
    subject.settle(None).await;
    assert_eq!((subject.at_carrier(), subject.told.clone()), (None, None));
    let asked = subject.requests();
    assert_eq!(subject.pass(None).await, Step::Rest);
    assert_eq!(subject.requests(), asked);
}

#[tokio::test]
async fn what_somebody_changes_is_repaired_and_what_was_never_ours_is_left_alone() {
    let mut subject = Subject::new().await;
    subject.carrier.forward_by_hand(NUMBER, forwarding(MOBILE));
    subject.settle(None).await;
    assert_eq!(subject.at_carrier().as_deref(), Some(MOBILE), "nobody here has said anything about it");

    subject.settle(Some(HOME)).await;
    assert_eq!(subject.at_carrier().as_deref(), Some(HOME));
    subject.carrier.forward_by_hand(NUMBER, Forwarding::default());
    subject.later(CHECK_EVERY);
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Check(_)));
    assert_eq!(subject.at_carrier().as_deref(), Some(HOME), "set again");

    // Somebody set another one by hand, and the PhoneNumber's is taken out: theirs stays.
    subject.carrier.forward_by_hand(NUMBER, forwarding(MOBILE));
    subject.settle(None).await;
    assert_eq!((subject.at_carrier().as_deref(), subject.told.clone()), (Some(MOBILE), None));
}

#[tokio::test]
async fn a_process_that_ends_in_between_leaves_nothing_that_nobody_takes_away() {
    let mut subject = Subject::new().await;
    subject.pass(Some(HOME)).await;
    // The carrier is told, and the process ends before the status says so.
    let noted = subject.told.clone();
    subject.pass(Some(HOME)).await;
    (subject.told, subject.memory) = (noted, Memory::default());
    assert_eq!(subject.at_carrier().as_deref(), Some(HOME));
    subject.settle(None).await;
    assert_eq!((subject.at_carrier(), subject.told.clone()), (None, None));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_carriers_words_and_tried_again_later_and_later() {
    let mut subject = Subject::new().await;
    for _ in 0..2 {
        subject.carrier.fail(Fault::on("PATCH", "/voice").answer(422));
    }
    subject.pass(Some(HOME)).await;
    subject.pass(Some(HOME)).await;
    let Problem { reason, message, .. } = subject.memory.problem.clone().unwrap();
    assert_eq!(reason, reasons::CARRIER_REFUSED);
    assert!(message.starts_with("the carrier is being told the fallback number: the carrier refused"), "{message}");
    assert!(message.contains("Simulated") && !message.contains("555"), "{message}");
    let Step::Wait(first) = subject.pass(Some(HOME)).await else { panic!("it waits") };
    subject.later(first);
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Set(_)));
    let Step::Wait(second) = subject.pass(Some(HOME)).await else { panic!("it waits") };
    assert!(second > first);
    assert_eq!(subject.told.as_ref().unwrap().state, FallbackState::Setting);
    subject.later(second);
    subject.settle(Some(HOME)).await;
    assert_eq!((subject.at_carrier().as_deref(), subject.memory.problem.clone()), (Some(HOME), None));

    // A carrier that cannot be looked at for a while is nobody's concern; keys that are not accepted any more are.
    subject.later(CHECK_EVERY);
    subject.carrier.fail(Fault::on("GET", "/voice").answer(503));
    assert!(matches!(subject.pass(Some(HOME)).await, Step::Check(_)));
    assert_eq!((subject.memory.problem.clone(), subject.memory.failures), (None, 1));
    subject.later(subject.memory.due(subject.now));
    subject.carrier.fail(Fault::on("GET", "/voice").answer(401));
    subject.pass(Some(HOME)).await;
    assert_eq!(subject.memory.problem.as_ref().unwrap().reason, reasons::CARRIER_CREDENTIALS);
}

#[test]
fn another_connection_is_told_and_the_old_one_is_left_as_it_is() {
    let told = FallbackStatus { number: HOME.to_owned(), carrier: "old".to_owned(), state: FallbackState::Set };
    let home = E164::parse(HOME).unwrap();
    let mut view = View {
        carrier: "main",
        possible: true,
        wanted: Some(&home),
        told: Some(&told),
        memory: Memory::default(),
        now: now(),
    };
    assert!(matches!(next(&view), Step::Note(noted) if noted.carrier == "main"));
    view.wanted = None;
    assert_eq!(next(&view), Step::Forget);
    (view.carrier, view.possible) = ("old", false);
    assert_eq!(next(&view), Step::Forget, "its carrier cannot be told anything any more");
}

#[test]
fn after_a_start_what_was_told_is_looked_at_within_a_while_and_not_all_at_once() {
    let fallbacks = Fallbacks::default();
    let key = ObjectKey::namespaced("vx-a--t", "main");
    let waits: Vec<_> = (0..4).map(|id| fallbacks.get(&key, Uuid::from_u128(id * 7_919), now()).due(now())).collect();
    assert!(waits.iter().all(|wait| *wait < CHECK_EVERY) && waits.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(spread(Uuid::max(), CHECK_EVERY) < CHECK_EVERY);
    let told = FallbackStatus::default();
    fallbacks.put(key.clone(), Some(&told), Memory::well(now()));
    assert_eq!(fallbacks.get(&key, Uuid::nil(), now()).due(now()), CHECK_EVERY);
    fallbacks.put(key.clone(), None, Memory::well(now()));
    assert_eq!(fallbacks.get(&key, Uuid::nil(), now()).due(now()), Duration::ZERO);
}

fn connection(type_: &str, allowed: &str) -> CarrierConnection {
    serde_json::from_value(serde_json::json!({
        "name": "main", "type": type_, "allowedDestinations": [allowed],
    }))
    .unwrap()
}

#[test]
fn what_cannot_be_is_told_with_what_to_do_and_without_the_number() {
    let number: PhoneNumber = object(&format!(
        "{{metadata: {{name: main, namespace: vx-a--t}}, spec: {{number: '{NUMBER}', carrier: main, \
         fallbackNumber: '{MOBILE}', agentRef: {{name: clerk}}}}}}"
    ));
    assert_eq!(wanted(&number, &connection("telnyx", "+44*"), false).unwrap().unwrap().as_str(), MOBILE);
    for (connection, is_own, reason, words) in [
        (connection("telnyx", "+1*"), false, reasons::DESTINATION_NOT_ALLOWED, "allowedDestinations"),
        (connection("telnyx", "+44*"), true, reasons::INVALID, "answered elsewhere"),
        (connection("twilio", "+44*"), false, reasons::FALLBACK_NOT_POSSIBLE, "disaster recovery URL"),
        (connection("gotoConnect", "+44*"), false, reasons::FALLBACK_NOT_POSSIBLE, "dial plan"),
        (connection("sip", "+44*"), false, reasons::FALLBACK_NOT_POSSIBLE, "your carrier's portal"),
    ] {
        let problem = wanted(&number, &connection, is_own).unwrap_err();
        assert_eq!(problem.reason, reason);
        assert!(problem.message.starts_with("spec.fallbackNumber: "), "{}", problem.message);
        assert!(problem.message.contains(words) && !problem.message.contains("7946"), "{}", problem.message);
    }
    let mut without = number;
    without.spec.fallback_number = None;
    assert_eq!(wanted(&without, &connection("sip", "+44*"), false), Ok(None));
}

#[test]
fn the_carriers_that_can_be_told_are_those_that_are_known_to() {
    use voxplane_crds::agency::CarrierType::{GotoConnect, Sip, Telnyx, Twilio};
    let number: PhoneNumber = object(&format!(
        "{{metadata: {{name: main, namespace: vx-a--t}}, spec: {{number: '{NUMBER}', carrier: main, \
         fallbackNumber: '{MOBILE}', agentRef: {{name: clerk}}}}}}"
    ));
    for type_ in [Sip, Twilio, Telnyx, GotoConnect] {
        let can = wanted(&number, &connection(type_.as_str(), "+44*"), false).is_ok();
        assert_eq!(can, type_.has_fallback(), "{type_:?}");
    }
}
