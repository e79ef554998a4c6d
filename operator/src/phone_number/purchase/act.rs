//! Takes one step: the only place that talks to a carrier about an order.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::reasons;
use voxplane_store::number_orders::NumberOrder;
use voxplane_telephony::E164;
use voxplane_telephony::market::{MarketError, NumberMarket, Ordered, OwnedNumber, Reference};

use super::choose::candidates;
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
            (Request::Order, _) => {
                let Some(number) = number_of(&order) else { return self.without_number(order).await };
                // Before the request: whoever reads this later knows that it may have been sent.
                let order = self.journal.save(&learn::ordering(order, now)).await?;
                tracing::info!(order = %order.id, carrier = order.carrier, attempt = order.attempts, "buying a number");
                let answer = self.market.order(&number, &Reference::new(order.id)).await;
                learn::ordered(order, answer, now)
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
