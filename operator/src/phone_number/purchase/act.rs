//! Takes one step: the only place that talks to a carrier about an order.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::reasons;
use voxplane_store::number_orders::NumberOrder;
use voxplane_telephony::E164;
use voxplane_telephony::market::{MarketError, NumberMarket, NumberSearch, Ordered, OwnedNumber, Reference};

use super::choose::{self, candidates};
use super::decide::Request;
use super::journal::{Intent, Journal};
use super::learn::{self, Sight};
use super::{Goal, Wish};
use crate::error::Error;
use crate::status::Problem;

/// How many numbers are looked at to choose one.
const OFFERS: u32 = 30;

/// Takes steps.
#[derive(Debug)]
pub struct Actor<'a, M, J> {
    /// The carrier.
    pub market: &'a M,
    /// Where orders are stored.
    pub journal: &'a J,
    /// The time of the pass.
    pub now: Timestamp,
}

impl<M: NumberMarket, J: Journal> Actor<'_, M, J> {
    /// Asks the carrier and stores what came of it.
    ///
    /// # Errors
    /// When the database fails, or somebody else works on the order.
    pub async fn act(&self, request: Request, goal: Goal<'_>, order: NumberOrder) -> Result<NumberOrder, Error> {
        let now = self.now;
        let after = match (request, goal) {
            (Request::Choose, Goal::Have(wish)) => return self.choose(wish, order).await,
            (Request::Order, Goal::Have(wish)) if order.baseline.is_some() => return self.order_in(wish, order).await,
            (Request::Order, _) => {
                let Some(number) = number_of(&order) else { return self.without_number(order).await };
                // Before the request: whoever reads this later knows that it may have been sent.
                let order = self.journal.save(&learn::ordering(order, now)).await?;
                tracing::info!(order = %order.id, carrier = order.carrier, attempt = order.attempts, "buying a number");
                let answer = self.market.order(&number, &Reference::new(order.id)).await;
                learn::ordered(order, answer, now)
            }
            (Request::Look, _) if order.baseline.is_some() => {
                let sight = self.look_for_new(&order).await;
                learn::looked(order, sight, now)
            }
            (Request::Look, _) => {
                let Some(number) = number_of(&order) else { return self.without_number(order).await };
                let sight = self.look(&number, &Reference::new(order.id)).await;
                learn::looked(order, sight, now)
            }
            (Request::State { order_id }, _) => {
                let answer = self.market.order_state(&order_id).await;
                learn::asked(order, answer, now)
            }
            (Request::Find, _) => {
                let Some(number) = number_of(&order) else { return self.without_number(order).await };
                let answer = self.market.find(&number).await;
                learn::found(order, answer, now)
            }
            (Request::Route, Goal::Have(wish)) => {
                let Some(number) = owned_number(&order) else { return self.without_number(order).await };
                let answer = self.market.route(&number, &wish.route).await;
                learn::routed(order, &wish.route, answer, now)
            }
            (Request::Release, _) => {
                let Some(number) = owned_number(&order) else { return self.without_number(order).await };
                tracing::info!(order = %order.id, carrier = order.carrier, "giving a number back");
                let answer = self.market.release(&number).await;
                learn::released(order, answer, now)
            }
            (Request::Choose | Request::Route, Goal::Keep | Goal::Release) => return Ok(order),
        };
        self.journal.save(&after).await
    }

    async fn choose(&self, wish: &Wish, order: NumberOrder) -> Result<NumberOrder, Error> {
        let (now, reference) = (self.now, Reference::new(order.id));
        let Some(search) = &wish.search else { return self.without_number(order).await };
        if self.market.picks_numbers() {
            return self.choose_area(search, wish, order).await;
        }
        if !order.tried.is_empty() {
            // A number that was given up as sold, and is ours after all, costs money.
            match self.look_by_reference(&reference).await {
                Ok(Sight::Nothing) => {}
                sight => return self.journal.save(&learn::surfaced(order, sight, now)).await,
            }
        }
        let offers = match self.market.search(search, OFFERS).await {
            Ok(offers) => offers,
            Err(error) => return self.journal.save(&learn::failed(order, &error, now)).await,
        };
        let limit = wish.limit.clone().unwrap_or_default();
        let mut problem = Problem::new(reasons::NO_NUMBER_FOUND, "all numbers like spec.search are being bought");
        match candidates(&offers, wish, &order.tried) {
            Err(none) => problem = none,
            Ok(numbers) => {
                for number in numbers {
                    match self.journal.intend(&learn::chosen(order.clone(), &number), limit).await? {
                        Intent::Stored(order) => return Ok(*order),
                        Intent::Wanted => {}
                        Intent::LimitReached => {
                            problem = limit_reached(&order.carrier, limit);
                            break;
                        }
                    }
                }
            }
        }
        self.journal.save(&learn::hindered(order, &problem, now)).await
    }

    /// As [`Self::choose`], where the carrier picks the number.
    async fn choose_area(&self, search: &NumberSearch, wish: &Wish, order: NumberOrder) -> Result<NumberOrder, Error> {
        let now = self.now;
        if let Err(problem) = choose::area(&search.prefix(), wish) {
            return self.journal.save(&learn::hindered(order, &problem, now)).await;
        }
        match self.market.search(search, 1).await {
            Ok(offers) if offers.is_empty() => {
                return self.journal.save(&learn::failed(order, &MarketError::NoneForSale, now)).await;
            }
            // Without a list of what is for sale the order itself tells.
            Ok(_) | Err(MarketError::Refused { status: 404, .. }) => {}
            Err(error) => return self.journal.save(&learn::failed(order, &error, now)).await,
        }
        let limit = wish.limit.clone().unwrap_or_default();
        let problem = match self.journal.intend(&learn::reserved(order.clone()), limit).await? {
            Intent::Stored(order) => return Ok(*order),
            Intent::Wanted => Problem::new(
                reasons::ORDERING,
                "another number is being ordered over this carrier connection, which orders one at a time",
            ),
            Intent::LimitReached => limit_reached(&order.carrier, limit),
        };
        self.journal.save(&learn::hindered(order, &problem, now)).await
    }

    /// Orders a number of an area. What the carrier's list has before is stored with the fact that it is being ordered;
    /// an earlier attempt that was not seen yet must not get into it.
    async fn order_in(&self, wish: &Wish, order: NumberOrder) -> Result<NumberOrder, Error> {
        let now = self.now;
        let Some(search) = &wish.search else { return self.without_number(order).await };
        let order = if order.attempts > 0 {
            order
        } else {
            match self.market.orders().await {
                Ok(orders) => {
                    NumberOrder { baseline: Some(orders.into_iter().map(|order| order.id).collect()), ..order }
                }
                Err(error) => return self.journal.save(&learn::failed(order, &error, now)).await,
            }
        };
        let order = self.journal.save(&learn::ordering(order, now)).await?;
        tracing::info!(order = %order.id, carrier = order.carrier, attempt = order.attempts, "buying a number");
        let answer = self.market.order_in(search).await;
        self.journal.save(&learn::ordered(order, answer, now)).await
    }

    /// What is new in the carrier's list of orders, and of our area.
    async fn look_for_new(&self, order: &NumberOrder) -> Result<Sight, MarketError> {
        let known = order.baseline.as_deref().unwrap_or_default();
        let area = order.search.as_ref().and_then(|search| search.get("areaCode")?.as_str());
        let mut new: Vec<_> = self.market.orders().await?;
        new.retain(|placed| {
            let ours = placed.area_code.as_deref().is_none_or(|code| area == Some(code));
            ours && !known.contains(&placed.id)
        });
        if new.len() > 1 {
            // Somebody else orders in this account. Every one of them is a number like the one that is wanted.
            tracing::warn!(order = %order.id, carrier = order.carrier, new = new.len(), "several new orders; taking one");
        }
        let first = new.into_iter().map(|placed| placed.id).min();
        Ok(first.map_or(Sight::Nothing, |order_id| Sight::Pending { order_id }))
    }

    /// First in the account, then by our mark: a carrier may keep the mark with the order only.
    async fn look(&self, number: &E164, reference: &Reference) -> Result<Sight, MarketError> {
        match self.market.find(number).await? {
            Some(found) if found.carries(reference) => Ok(Sight::Owned(found)),
            _ => self.look_by_reference(reference).await,
        }
    }

    /// Among the orders, where a number is before it is in the account; then in the account, should the order be lost.
    async fn look_by_reference(&self, reference: &Reference) -> Result<Sight, MarketError> {
        match self.market.order_by_reference(reference).await? {
            Some(Ordered::Done(number)) => return Ok(Sight::Owned(number)),
            Some(Ordered::Pending { order_id }) => return Ok(Sight::Pending { order_id }),
            None => {}
        }
        let ours = self.market.find_by_reference(reference).await?;
        Ok(ours.into_iter().next().map_or(Sight::Nothing, Sight::Owned))
    }

    /// The database refuses such an order, so this is a row that somebody else wrote.
    async fn without_number(&self, order: NumberOrder) -> Result<NumberOrder, Error> {
        let problem = Problem::new(reasons::INVALID, "the stored order lacks its number");
        self.journal.save(&learn::hindered(order, &problem, self.now)).await
    }
}

fn limit_reached(carrier: &str, limit: i64) -> Problem {
    Problem::new(
        reasons::QUOTA_EXCEEDED,
        format!(
            "{limit} numbers were bought over carrier connection {carrier:?}, and its purchases.maxNumbers allows no \
             more; numbers that were kept when their PhoneNumber was deleted count too"
        ),
    )
}

fn number_of(order: &NumberOrder) -> Option<E164> {
    E164::parse(order.number.as_deref()?).ok()
}

fn owned_number(order: &NumberOrder) -> Option<OwnedNumber> {
    Some(OwnedNumber {
        number: number_of(order)?,
        carrier_id: order.carrier_number_id.clone()?,
        reference: order.buys().then(|| Reference::new(order.id).as_str().to_owned()),
        route: order.connection.clone(),
    })
}
