//! A carrier whose every answer is counted and timed.

use voxplane_telephony::E164;
use voxplane_telephony::market::{
    AvailableNumber, Fallback, MarketError, NumberMarket, NumberSearch, OrderState, Ordered, OwnedNumber, PlacedOrder,
    Reference, Route,
};

use crate::metrics::Metrics;

/// A carrier that does what it did before, and tells the metrics.
#[derive(Debug)]
pub struct Measured<'a, M> {
    /// The carrier.
    pub market: M,
    /// Its type, the label `system`.
    pub system: &'static str,
    /// Where it is told.
    pub metrics: &'a Metrics,
}

impl<M: NumberMarket> Measured<'_, M> {
    async fn ask<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, MarketError>> + Send,
    ) -> Result<T, MarketError> {
        let asked = self.metrics.asks(self.system, operation);
        let answer = request.await;
        asked.answered(answer.as_ref().map_or_else(MarketError::reason, |_| "ok"));
        answer
    }
}

// Everything is passed on, also what the trait has an answer for: carriers differ in exactly that.
impl<M: NumberMarket> NumberMarket for Measured<'_, M> {
    fn picks_numbers(&self) -> bool {
        self.market.picks_numbers()
    }

    async fn order_in(&self, wanted: &NumberSearch) -> Result<Ordered, MarketError> {
        self.ask("order_in", self.market.order_in(wanted)).await
    }

    async fn orders(&self) -> Result<Vec<PlacedOrder>, MarketError> {
        self.ask("orders", self.market.orders()).await
    }

    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        self.ask("search", self.market.search(wanted, limit)).await
    }

    async fn order(&self, number: &E164, reference: &Reference) -> Result<Ordered, MarketError> {
        self.ask("order", self.market.order(number, reference)).await
    }

    async fn order_state(&self, order_id: &str) -> Result<OrderState, MarketError> {
        self.ask("order_state", self.market.order_state(order_id)).await
    }

    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        self.ask("order_by_reference", self.market.order_by_reference(reference)).await
    }

    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        self.ask("find", self.market.find(number)).await
    }

    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        self.ask("find_by_reference", self.market.find_by_reference(reference)).await
    }

    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        self.ask("route", self.market.route(number, route)).await
    }

    async fn fallback(&self, number: &OwnedNumber) -> Result<Fallback, MarketError> {
        self.ask("fallback", self.market.fallback(number)).await
    }

    async fn set_fallback(&self, number: &OwnedNumber, to: Option<&E164>) -> Result<(), MarketError> {
        self.ask("set_fallback", self.market.set_fallback(number, to)).await
    }

    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        self.ask("release", self.market.release(number)).await
    }
}
