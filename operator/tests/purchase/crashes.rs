//! Every effect of a purchase and a release, cut off in every way.

use std::sync::atomic::Ordering;

use voxplane_carriers::Simulator;
use voxplane_telephony::CarrierKind;

use super::cut::{CUTS, Cut, Fuse};
use super::world::{Aim, Place, Subject};

/// What the carrier and the market do beside us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The number is delivered at once (Twilio) or after two questions (Telnyx, GoTo Connect).
    Plain,
    /// Somebody else buys the chosen number before us.
    Rival,
    /// The first order is accepted and fails (Telnyx, GoTo Connect).
    Doomed,
    /// The carrier keeps our mark with the order only (Telnyx).
    MarkOnOrder,
    /// The account has orders and numbers of others already (GoTo Connect).
    Busy,
}

async fn subject(place: &Place, kind: CarrierKind, story: Story) -> Subject<'_> {
    let setup = match kind {
        CarrierKind::Twilio => Simulator::twilio(),
        CarrierKind::GotoConnect => Simulator::goto_connect().pending_polls(2),
        _ => Simulator::telnyx().pending_polls(2),
    };
    let setup = if story == Story::MarkOnOrder { setup.references_stay_on_orders() } else { setup };
    let simulator = setup.start().await.unwrap();
    if story == Story::Busy {
        simulator.order_by_hand("404");
        simulator.order_by_hand("212");
    }
    if story == Story::Doomed {
        simulator.doom_next_order();
    }
    let subject = place.subject(kind, simulator).await;
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
    subject.delete(&fuse, Aim::Release).await;
    subject.assert_given_back(&order);
    assert_eq!(subject.stored().await, None, "{}", subject.context);
    fuse.effects()
}

/// Begins to buy, is cut off, and then the PhoneNumber is deleted.
async fn deleted_in_the_middle(place: &Place, kind: CarrierKind, cut: (usize, Cut)) {
    for aim in [Aim::Release, Aim::Keep] {
        let mut subject = subject(place, kind, Story::Plain).await;
        subject.context = format!("{kind:?} cut at {cut:?}, then {aim:?}");
        let fuse = Fuse::new(vec![cut]);
        subject.begin_to_buy(&fuse).await;
        subject.delete(&fuse, aim).await;
        assert_eq!(subject.stored().await, None, "{}", subject.context);
        let (bought, owned) = (subject.simulator.purchases().len(), subject.simulator.owned().len());
        assert!(bought <= 1, "{}: {bought} were bought", subject.context);
        match aim {
            Aim::Release => assert_eq!((owned, subject.simulator.releases().len()), (0, bought), "{}", subject.context),
            _ => {
                assert_eq!(owned, bought, "{}", subject.context);
                // Whoever creates it again has what was kept; what was not bought is bought then.
                let order = subject.buy(&fuse).await;
                subject.assert_bought_once(&order);
                // All carriers here have the same numbers: the next one may have it.
                subject.delete(&fuse, Aim::Release).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_behind_when_it_is_deleted_in_the_middle_of_a_purchase() {
    let place = Place::new().await;
    for kind in [CarrierKind::Twilio, CarrierKind::Telnyx, CarrierKind::GotoConnect] {
        let mut subject = subject(&place, kind, Story::Plain).await;
        let fuse = Fuse::default();
        subject.buy(&fuse).await;
        let effects = fuse.effects();
        subject.delete(&fuse, Aim::Release).await;
        for at in 0..effects {
            for cut in CUTS {
                Box::pin(deleted_in_the_middle(&place, kind, (at, cut))).await;
            }
        }
    }
}

async fn cut_everywhere(kind: CarrierKind, story: Story) {
    let place = Place::new().await;
    let effects = Box::pin(whole_life(&place, kind, story, Vec::new())).await;
    assert!(effects > 8, "{kind:?} {story:?}: only {effects} effects were seen");
    for at in 0..effects {
        for cut in CUTS {
            Box::pin(whole_life(&place, kind, story, vec![(at, cut)])).await;
        }
        // And again right after the restart, at the first thing that is done then.
        for again in 1..=3 {
            let cuts = vec![(at, Cut::After), (at + again, Cut::After)];
            Box::pin(whole_life(&place, kind, story, cuts)).await;
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
async fn one_number_of_goto_connect_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::GotoConnect, Story::Plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_of_goto_connect_beside_orders_of_others_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::GotoConnect, Story::Busy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_somebody_else_was_first_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Twilio, Story::Rival).await;
    cut_everywhere(CarrierKind::Telnyx, Story::Rival).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_an_order_fails_later_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Telnyx, Story::Doomed).await;
    cut_everywhere(CarrierKind::GotoConnect, Story::Doomed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_although_the_mark_stays_on_the_order_wherever_it_is_cut_off() {
    cut_everywhere(CarrierKind::Telnyx, Story::MarkOnOrder).await;
}
