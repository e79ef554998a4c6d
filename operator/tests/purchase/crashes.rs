//! Every effect of a purchase and a release, cut off in every way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use voxplane_carriers::Simulator;
use voxplane_telephony::CarrierKind;

use super::cut::{CUTS, Cut, Fuse};
use super::world::{Place, Subject};

/// What the carrier and the market do beside us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The number is delivered at once (Twilio) or after two questions (Telnyx).
    Plain,
    /// Somebody else buys the chosen number before us.
    Rival,
    /// The first order is accepted and fails (Telnyx).
    Doomed,
    /// The carrier keeps our mark with the order only (Telnyx).
    MarkOnOrder,
}

const TIMEOUT: Duration = Duration::from_secs(10);

async fn subject(place: &Place, kind: CarrierKind, story: Story) -> Subject<'_> {
    let setup = match kind {
        CarrierKind::Twilio => Simulator::twilio(),
        _ => Simulator::telnyx().pending_polls(2),
    };
    let setup = if story == Story::MarkOnOrder { setup.references_stay_on_orders() } else { setup };
    let simulator = setup.start().await.unwrap();
    if story == Story::Doomed {
        simulator.doom_next_order();
    }
    let subject = place.subject(kind, simulator, TIMEOUT).await;
    subject.rival.store(story == Story::Rival, Ordering::SeqCst);
    subject
}

/// Buys and gives back; returns how many effects there were.
async fn whole_life(place: &Place, kind: CarrierKind, story: Story, cuts: Vec<(usize, Cut)>) -> usize {
    let mut subject = subject(place, kind, story).await;
    subject.context = format!("{kind:?} {story:?} cut at {cuts:?}");
    let fuse = Fuse::new(cuts);
    let order = subject.buy(&fuse).await;
    subject.assert_bought_once(&order);
    subject.release(&fuse).await;
    subject.assert_given_back(&order);
    assert_eq!(subject.stored().await, None, "{}", subject.context);
    fuse.effects()
}

async fn cut_everywhere(kind: CarrierKind, story: Story) {
    let place = Place::new().await;
    let effects = whole_life(&place, kind, story, Vec::new()).await;
    assert!(effects > 8, "{kind:?} {story:?}: only {effects} effects were seen");
    for at in 0..effects {
        for cut in CUTS {
            whole_life(&place, kind, story, vec![(at, cut)]).await;
        }
        // And again right after the restart, at the first thing that is done then.
        for again in 1..=3 {
            whole_life(&place, kind, story, vec![(at, Cut::After), (at + again, Cut::After)]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_of_twilio_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Twilio, Story::Plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_of_telnyx_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Telnyx, Story::Plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_somebody_else_was_first_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Twilio, Story::Rival).await;
    cut_everywhere(CarrierKind::Telnyx, Story::Rival).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_an_order_fails_later_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Telnyx, Story::Doomed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_the_mark_stays_on_the_order_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Telnyx, Story::MarkOnOrder).await;
}
