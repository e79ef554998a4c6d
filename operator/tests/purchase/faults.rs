//! What goes wrong on the wire: requests that are carried out and whose answers are lost, and refusals.

use std::time::Duration;

use voxplane_carriers::{Fault, Setup, Simulator};
use voxplane_crds::conditions::reasons;
use voxplane_operator::phone_number::purchase::journal::Journal as _;
use voxplane_operator::phone_number::purchase::{Goal, Then, pursue};
use voxplane_store::number_orders::OrderState;
use voxplane_telephony::market::Http;
use voxplane_telephony::{CarrierKind, NumberMarket as _};

use super::cut::Fuse;
use super::world::{Aim, Place};

/// The requests that change something: order, route, release.
const CHANGES: [(CarrierKind, [(&str, &str); 3]); 3] = [
    (
        CarrierKind::Twilio,
        [
            ("POST", "/IncomingPhoneNumbers.json"),
            ("POST", "/IncomingPhoneNumbers/"),
            ("DELETE", "/IncomingPhoneNumbers/"),
        ],
    ),
    (
        CarrierKind::Telnyx,
        [("POST", "/v2/number_orders"), ("PATCH", "/v2/phone_numbers/"), ("DELETE", "/v2/phone_numbers/")],
    ),
    (
        // The token is fetched before everything else; numbers are given back by hand.
        CarrierKind::GotoConnect,
        [("POST", "/phone-number-orders"), ("PATCH", "/phone-numbers/"), ("POST", "/oauth/token")],
    ),
];

type Break = fn(Fault) -> Fault;

fn setup(kind: CarrierKind) -> Setup {
    match kind {
        CarrierKind::Twilio => Simulator::twilio(),
        CarrierKind::GotoConnect => Simulator::goto_connect(),
        _ => Simulator::telnyx(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_or_unreadable_buys_nothing_twice() {
    let breaks: [(&str, Break); 6] = [
        ("cut", Fault::cut),
        ("cut after", Fault::cut_after),
        ("500 after", |fault| fault.answer_after(500)),
        ("truncated after", Fault::truncate_after),
        ("malformed after", Fault::malformed_after),
        ("429", |fault| fault.slow_down(2)),
    ];
    let place = Place::new().await;
    for (kind, changes) in CHANGES {
        for (method, path) in changes {
            for (name, broken) in breaks {
                let setup = setup(kind).pending_polls(1);
                let simulator = setup.start().await.unwrap();
                simulator.fail(broken(Fault::on(method, path)));
                let mut subject = place.subject(kind, simulator).await;
                subject.context = format!("{kind:?} {method} {path} {name}");
                let fuse = Fuse::default();
                let order = subject.buy(&fuse).await;
                subject.assert_bought_once(&order);
                subject.delete(&fuse, Aim::Release).await;
                subject.assert_given_back(&order);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_that_never_answers_is_given_up_and_then_looked_at() {
    for (kind, [(method, path), ..]) in CHANGES {
        for hang in [Fault::hang as Break, Fault::hang_after] {
            // All stand-ins have the same numbers, and one of them picks.
            let place = Place::new().await;
            let simulator = setup(kind).start().await.unwrap();
            simulator.fail(hang(Fault::on(method, path)));
            let mut subject = place.subject(kind, simulator).await;
            subject.http = Http::new(Duration::from_millis(500)).unwrap();
            subject.context = format!("{kind:?} hangs");
            let order = subject.buy(&Fuse::default()).await;
            subject.assert_bought_once(&order);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_in_the_carriers_words_and_tried_again_later() {
    for (kind, [(method, path), ..]) in CHANGES {
        let place = Place::new().await;
        let simulator = setup(kind).start().await.unwrap();
        simulator.fail(Fault::on(method, path).answer(402));
        let mut subject = place.subject(kind, simulator).await;
        subject.context = format!("{kind:?} refuses");
        let market = subject.market();
        let database = &place.database;
        let mut order = database.open(&subject.wish.new).await.unwrap();
        // The first pass chooses, the second orders.
        for _ in 0..2 {
            let goal = Goal::Have(&subject.wish);
            let progress = pursue(goal, order, Some(&market), database, subject.now).await.unwrap();
            assert!(matches!(progress.then, Then::LookAgain(_)), "{progress:?}");
            order = progress.order;
        }
        // Where the carrier picks the number, nothing is chosen any more, and nobody has to wait for this order.
        let state = if market.picks_numbers() { OrderState::Choosing } else { OrderState::Intended };
        assert_eq!((order.state, order.attempts), (state, 0), "{}", subject.context);
        let problem = order.problem.clone().unwrap();
        assert_eq!(problem.reason, reasons::CARRIER_REFUSED);
        assert!(problem.message.contains("the carrier refused (status 402"), "{}", problem.message);
        for secret in subject.simulator.secret().values().filter(|value| !value.starts_with("http")) {
            assert!(!problem.message.contains(secret), "{}", problem.message);
        }
        assert!(order.retry_at.is_some_and(|at| at > subject.now));
        assert_eq!(subject.simulator.purchases(), []);
        // Its number is still the one that was chosen.
        let bought = subject.buy(&Fuse::default()).await;
        assert!(order.number.is_none() == market.picks_numbers());
        assert!(order.number.is_none_or(|number| bought.number == Some(number)), "{}", subject.context);
        subject.assert_bought_once(&bought);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_holds_and_counts_what_was_kept() {
    let place = Place::new().await;
    let simulator = Simulator::twilio().start().await.unwrap();
    let mut first = place.subject(CarrierKind::Twilio, simulator).await;
    let order = first.buy(&Fuse::default()).await;
    let database = &place.database;
    let market = first.market();
    let kept = pursue(Goal::Keep, order, Some(&market), database, first.now).await.unwrap();
    assert!(kept.is_over() && first.simulator.releases().is_empty());

    let other = Simulator::twilio().start().await.unwrap();
    let mut second = place.subject(CarrierKind::Twilio, other).await;
    second.wish.new.carrier = first.wish.new.carrier.clone();
    let order = database.open(&second.wish.new).await.unwrap();
    let market = second.market();
    let goal = Goal::Have(&second.wish);
    let progress = pursue(goal, order, Some(&market), database, second.now).await.unwrap();
    let problem = progress.order.problem.unwrap();
    assert_eq!(problem.reason, reasons::QUOTA_EXCEEDED, "{}", problem.message);
    assert_eq!(second.simulator.purchases(), []);

    // The same PhoneNumber comes back: it gets the number that was kept, and nothing is bought.
    let again = first.buy(&Fuse::default()).await;
    first.assert_bought_once(&again);
}
