//! Cuts a process off at chosen effects: each request to the carrier and each commit is one.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use uuid::Uuid;
use voxplane_operator::database::Database;
use voxplane_operator::error::Error;
use voxplane_operator::phone_number::purchase::journal::{Intent, Journal};
use voxplane_store::number_orders::{NewNumberOrder, NumberOrder};
use voxplane_telephony::market::{
    AvailableNumber, MarketError, NumberMarket, NumberSearch, OrderState, Ordered, OwnedNumber, PlacedOrder, Reference,
    Route,
};
use voxplane_telephony::{E164, Market};

/// How an effect is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The process ends right before it.
    Before,
    /// It happens, and the process ends before it learns so.
    After,
    /// It happens, the process lives on and is told that it may have failed.
    AnswerLost,
}

pub const CUTS: [Cut; 3] = [Cut::Before, Cut::After, Cut::AnswerLost];

/// Counts effects over all lives of the process and cuts the chosen ones.
#[derive(Debug, Default)]
pub struct Fuse {
    cuts: Vec<(usize, Cut)>,
    effects: AtomicUsize,
    ended: Notify,
}

impl Fuse {
    pub fn new(cuts: Vec<(usize, Cut)>) -> Self {
        Self { cuts, ..Self::default() }
    }

    /// Effects so far.
    pub fn effects(&self) -> usize {
        self.effects.load(Ordering::SeqCst)
    }

    /// Whether all cuts have been made.
    pub fn is_blown(&self) -> bool {
        self.cuts.iter().all(|(at, _)| *at < self.effects())
    }

    /// Returns when the process has ended.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    async fn around<T>(&self, effect: impl Future<Output = T>, lost: impl FnOnce() -> T) -> T {
        let index = self.effects.fetch_add(1, Ordering::SeqCst);
        match self.cuts.iter().find(|(at, _)| *at == index).map(|(_, cut)| *cut) {
            None => effect.await,
            Some(Cut::Before) => self.end().await,
            Some(Cut::After) => {
                effect.await;
                self.end().await
            }
            Some(Cut::AnswerLost) => {
                effect.await;
                lost()
            }
        }
    }

    async fn end<T>(&self) -> T {
        self.ended.notify_one();
        std::future::pending().await
    }
}

/// A carrier's account that is cut off. `rival` buys the first number that is ordered before the order arrives; where the
/// carrier picks the number, it buys nothing.
pub struct CutMarket<'a, R> {
    pub market: &'a Market,
    pub fuse: &'a Fuse,
    pub rival: R,
}

fn read<T>() -> Result<T, MarketError> {
    Err(MarketError::Unavailable { source: "cut".into() })
}

fn written<T>() -> Result<T, MarketError> {
    Err(MarketError::OutcomeUnknown { source: "cut".into() })
}

impl<R: Fn(&E164) + Send + Sync> NumberMarket for CutMarket<'_, R> {
    fn picks_numbers(&self) -> bool {
        self.market.picks_numbers()
    }

    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        self.fuse.around(self.market.search(wanted, limit), read).await
    }

    async fn order(&self, number: &E164, reference: &Reference) -> Result<Ordered, MarketError> {
        (self.rival)(number);
        self.fuse.around(self.market.order(number, reference), written).await
    }

    async fn order_in(&self, wanted: &NumberSearch) -> Result<Ordered, MarketError> {
        self.fuse.around(self.market.order_in(wanted), written).await
    }

    async fn orders(&self) -> Result<Vec<PlacedOrder>, MarketError> {
        self.fuse.around(self.market.orders(), read).await
    }

    async fn order_state(&self, order_id: &str) -> Result<OrderState, MarketError> {
        self.fuse.around(self.market.order_state(order_id), read).await
    }

    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        self.fuse.around(self.market.order_by_reference(reference), read).await
    }

    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        self.fuse.around(self.market.find(number), read).await
    }

    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        self.fuse.around(self.market.find_by_reference(reference), read).await
    }

    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        self.fuse.around(self.market.route(number, route), written).await
    }

    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        self.fuse.around(self.market.release(number), written).await
    }
}

/// A database that is cut off.
pub struct CutJournal<'a> {
    pub database: &'a Database,
    pub fuse: &'a Fuse,
}

fn away<T>() -> Result<T, Error> {
    Err(Error::DatabaseAway { reason: "cut".to_owned() })
}

impl Journal for CutJournal<'_> {
    async fn open(&self, new: &NewNumberOrder) -> Result<NumberOrder, Error> {
        self.fuse.around(self.database.open(new), away).await
    }

    async fn find(&self, resource: Uuid) -> Result<Option<NumberOrder>, Error> {
        self.fuse.around(self.database.find(resource), away).await
    }

    async fn save(&self, order: &NumberOrder) -> Result<NumberOrder, Error> {
        self.fuse.around(self.database.save(order), away).await
    }

    async fn intend(&self, order: &NumberOrder, limit: i64) -> Result<Intent, Error> {
        self.fuse.around(self.database.intend(order, limit), away).await
    }
}
