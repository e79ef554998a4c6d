//! What an order is after a step, by what came of it. Pure.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use voxplane_crds::conditions::reasons;
use voxplane_platform::error_chain::describe;
use voxplane_store::number_orders::{NumberOrder, OrderProblem, OrderState, Verdict};
use voxplane_telephony::E164;
use voxplane_telephony::market::{self, MarketError, Ordered, OwnedNumber, Route};

use crate::status::Problem;

/// A number that was ordered and appears neither in the account nor among the orders for this long was not bought.
/// Longer than a pass may last, so that no request for it can still be under way.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(120);
/// As [`SETTLE`], where the carrier picks the number: ordering again there could buy two, so it is longer.
pub const SETTLE_UNMARKED: SignedDuration = SignedDuration::from_secs(600);
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// The longest wait.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(600);
/// So many numbers in a row may be gone before the next one is waited for.
const PATIENCE: i32 = 3;
/// Longest text of a carrier that is kept.
const LONGEST_MESSAGE: usize = 500;

/// What was seen of a number that may have been ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is in the account, and it is this order's.
    Owned(OwnedNumber),
    /// The carrier works on the order.
    Pending {
        /// The carrier's id of it.
        order_id: String,
    },
    /// It is not there.
    Nothing,
}

/// A number was chosen.
#[must_use]
pub fn chosen(order: NumberOrder, number: &E164) -> NumberOrder {
    NumberOrder { number: Some(number.as_str().to_owned()), ..intended(order) }
}

/// A number of an area is going to be bought, whichever the carrier picks.
#[must_use]
pub fn reserved(order: NumberOrder) -> NumberOrder {
    NumberOrder { number: None, baseline: Some(Vec::new()), ..intended(order) }
}

/// A new beginning: nothing of an earlier number counts any more.
fn intended(order: NumberOrder) -> NumberOrder {
    NumberOrder {
        state: OrderState::Intended,
        attempts: 0,
        attempted_at: None,
        verdict: None,
        carrier_order_id: None,
        problem: None,
        retry_at: None,
        ..order
    }
}

/// It is certain that nothing was bought: the same number is ordered again, or, where the carrier picks it, the choice
/// begins again, so that nobody has to wait for this order.
fn not_bought(order: NumberOrder) -> NumberOrder {
    match order.baseline {
        None => NumberOrder { state: OrderState::Intended, attempts: 0, ..order },
        Some(_) => NumberOrder {
            state: OrderState::Choosing,
            attempts: 0,
            attempted_at: None,
            verdict: None,
            carrier_order_id: None,
            baseline: None,
            ..order
        },
    }
}

/// The request to buy is about to be sent.
#[must_use]
pub fn ordering(order: NumberOrder, now: Timestamp) -> NumberOrder {
    NumberOrder {
        state: OrderState::Ordering,
        attempts: order.attempts.saturating_add(1),
        attempted_at: Some(now),
        carrier_order_id: None,
        problem: None,
        retry_at: None,
        ..order
    }
}

/// The request to buy was sent.
#[must_use]
pub fn ordered(order: NumberOrder, answer: Result<Ordered, MarketError>, now: Timestamp) -> NumberOrder {
    // An earlier order of the same number whose answer was lost may be why the carrier says no.
    let first = order.attempts <= 1;
    match answer {
        Ok(Ordered::Done(number)) => owned(order, &number),
        Ok(Ordered::Pending { order_id }) => pending(order, order_id, now),
        Err(MarketError::Taken { .. }) if first => gone(order, now),
        Err(error @ (MarketError::Refused { .. } | MarketError::NoneForSale)) if first => {
            failed(not_bought(order), &error, now)
        }
        Err(MarketError::Taken { .. }) => doubted(order, Verdict::Taken, None, now),
        Err(error @ (MarketError::Refused { .. } | MarketError::NoneForSale)) => {
            doubted(order, Verdict::Refused, Some(&error), now)
        }
        Err(error) if error.outcome_unknown() => {
            let problem = problem(reasons::ORDERING, &describe(&error));
            NumberOrder { problem: Some(problem), retry_at: Some(later(&order, now)), ..order }
        }
        // This request was certainly not carried out.
        Err(error) => {
            let attempts = order.attempts.saturating_sub(1);
            failed(NumberOrder { state: OrderState::Intended, attempts, ..order }, &error, now)
        }
    }
}

/// The number was looked for.
#[must_use]
pub fn looked(order: NumberOrder, sight: Result<Sight, MarketError>, now: Timestamp) -> NumberOrder {
    match sight {
        Ok(Sight::Owned(number)) => owned(order, &number),
        Ok(Sight::Pending { order_id }) => pending(order, order_id, now),
        Ok(Sight::Nothing) if !settled(&order, now) => NumberOrder { retry_at: Some(later(&order, now)), ..order },
        Ok(Sight::Nothing) => match order.verdict {
            Some(Verdict::Taken) => gone(order, now),
            Some(Verdict::Refused) => {
                let wait = backoff(order.failures);
                NumberOrder {
                    verdict: None,
                    failures: order.failures.saturating_add(1),
                    retry_at: now.checked_add(wait).ok(),
                    ..not_bought(order)
                }
            }
            None => NumberOrder { state: OrderState::Intended, problem: None, retry_at: None, ..order },
        },
        // Not to see is not to know.
        Err(error) => failed(order, &error, now),
    }
}

/// Before another number is chosen, something with our mark came to light.
#[must_use]
pub fn surfaced(order: NumberOrder, sight: Result<Sight, MarketError>, now: Timestamp) -> NumberOrder {
    match sight {
        Ok(Sight::Owned(number)) => owned(order, &number),
        Ok(Sight::Pending { order_id }) => {
            let number = order.tried.last().cloned();
            pending(NumberOrder { state: OrderState::Ordering, number, attempts: 1, ..order }, order_id, now)
        }
        Ok(Sight::Nothing) => order,
        Err(error) => failed(order, &error, now),
    }
}

/// The carrier was asked what became of an accepted order.
#[must_use]
pub fn asked(order: NumberOrder, answer: Result<market::OrderState, MarketError>, now: Timestamp) -> NumberOrder {
    match answer {
        Ok(market::OrderState::Done(number)) => owned(order, &number),
        Ok(market::OrderState::Pending) => NumberOrder { problem: None, retry_at: Some(later(&order, now)), ..order },
        Ok(market::OrderState::Failed { message }) => {
            let problem =
                problem(reasons::CARRIER_REFUSED, &format!("the carrier did not deliver the number: {message}"));
            NumberOrder { problem: Some(problem), ..gone(order, now) }
        }
        // It does not know the order: so it is looked for as if there had been no answer.
        Err(error @ MarketError::Refused { .. }) => {
            failed(NumberOrder { carrier_order_id: None, ..order }, &error, now)
        }
        Err(error) => failed(order, &error, now),
    }
}

/// A number that should be in the account was looked up.
#[must_use]
pub fn found(order: NumberOrder, answer: Result<Option<OwnedNumber>, MarketError>, now: Timestamp) -> NumberOrder {
    match answer {
        Ok(Some(number)) => owned(order, &number),
        Ok(None) => {
            let problem = Problem::new(
                reasons::NUMBER_NOT_IN_ACCOUNT,
                "the number is not in the account of the carrier connection: buy it there, or use spec.search instead \
                 of spec.number to have one bought",
            );
            hindered(order, &problem, now)
        }
        Err(error) => failed(order, &error, now),
    }
}

/// The carrier was told where the number's calls go.
#[must_use]
pub fn routed(order: NumberOrder, route: &Route, answer: Result<(), MarketError>, now: Timestamp) -> NumberOrder {
    match answer {
        Ok(()) => NumberOrder {
            state: OrderState::Routed,
            connection: Some(route.connection.clone()),
            problem: None,
            failures: 0,
            retry_at: None,
            ..order
        },
        // Doing it again changes nothing, so it does not matter whether it was done.
        Err(error) => failed(order, &error, now),
    }
}

/// The number was given back.
#[must_use]
pub fn released(order: NumberOrder, answer: Result<(), MarketError>, now: Timestamp) -> NumberOrder {
    match answer {
        Ok(()) => NumberOrder { state: OrderState::Released, problem: None, failures: 0, retry_at: None, ..order },
        Err(error) => failed(order, &error, now),
    }
}

/// The order is over: a number that it has stays, one that it has not is not bought.
#[must_use]
pub fn closed(order: NumberOrder, now: Timestamp) -> NumberOrder {
    match order.state {
        OrderState::Ordered | OrderState::Routed => {
            NumberOrder { kept_at: Some(now), problem: None, retry_at: None, ..order }
        }
        _ => NumberOrder { state: OrderState::Failed, ..order },
    }
}

/// Something of ours is in the way.
#[must_use]
pub fn hindered(order: NumberOrder, what: &Problem, now: Timestamp) -> NumberOrder {
    let wait = backoff(order.failures);
    NumberOrder {
        problem: Some(problem(what.reason, &what.message)),
        failures: order.failures.saturating_add(1),
        retry_at: now.checked_add(wait).ok(),
        ..order
    }
}

/// The number is this order's.
#[must_use]
pub fn owned(order: NumberOrder, number: &OwnedNumber) -> NumberOrder {
    NumberOrder {
        state: OrderState::Ordered,
        number: Some(number.number.as_str().to_owned()),
        carrier_number_id: Some(number.carrier_id.clone()),
        connection: number.route.clone(),
        verdict: None,
        problem: None,
        failures: 0,
        retry_at: None,
        ..order
    }
}

/// The carrier did not do it.
pub fn failed(order: NumberOrder, error: &MarketError, now: Timestamp) -> NumberOrder {
    let asked = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok()).unwrap_or_default();
    let wait = backoff(order.failures).max(asked);
    NumberOrder {
        problem: Some(problem(reason(error), &describe(error))),
        failures: order.failures.saturating_add(1),
        retry_at: now.checked_add(wait).ok(),
        ..order
    }
}

/// Somebody else has the number: another one is chosen.
fn gone(order: NumberOrder, now: Timestamp) -> NumberOrder {
    let failures = order.failures.saturating_add(1);
    let wait = (failures >= PATIENCE).then(|| backoff(order.failures));
    let mut tried = order.tried.clone();
    tried.extend(order.number.clone());
    NumberOrder {
        state: OrderState::Choosing,
        number: None,
        tried,
        attempts: 0,
        attempted_at: None,
        verdict: None,
        carrier_order_id: None,
        baseline: None,
        problem: Some(problem(reasons::ORDERING, "the chosen number was sold to somebody else, another one is chosen")),
        failures,
        retry_at: wait.and_then(|wait| now.checked_add(wait).ok()),
        ..order
    }
}

/// The carrier says no to a repeated order. It counts only if the number does not appear.
fn doubted(order: NumberOrder, verdict: Verdict, error: Option<&MarketError>, now: Timestamp) -> NumberOrder {
    let problem = error.map(|error| problem(reason(error), &describe(error)));
    NumberOrder { verdict: Some(verdict), problem, retry_at: Some(now), ..order }
}

fn pending(order: NumberOrder, order_id: String, now: Timestamp) -> NumberOrder {
    let retry_at = Some(later(&order, now));
    NumberOrder { carrier_order_id: Some(order_id), verdict: None, problem: None, failures: 0, retry_at, ..order }
}

fn settled(order: &NumberOrder, now: Timestamp) -> bool {
    let settle = if order.baseline.is_some() { SETTLE_UNMARKED } else { SETTLE };
    order.attempted_at.is_none_or(|at| now.duration_since(at) >= settle)
}

/// When to look again at what the carrier works on: rarely, if it takes long.
fn later(order: &NumberOrder, now: Timestamp) -> Timestamp {
    let since = order.attempted_at.map(|at| now.duration_since(at)).unwrap_or_default();
    let wait = (since / 4).clamp(SignedDuration::from_secs(2), SignedDuration::from_secs(30));
    now.checked_add(wait).unwrap_or(now)
}

/// How long to wait after so many failures in a row.
pub(in crate::phone_number) fn backoff(failures: i32) -> SignedDuration {
    let doubled = 2_i32.saturating_pow(failures.clamp(0, 16).unsigned_abs());
    FIRST_WAIT.checked_mul(doubled).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// In one word, for conditions.
pub(in crate::phone_number) fn reason(error: &MarketError) -> &'static str {
    match error {
        MarketError::Refused { .. } | MarketError::ByHand { .. } => reasons::CARRIER_REFUSED,
        MarketError::NoneForSale => reasons::NO_NUMBER_FOUND,
        MarketError::Reauthorize { .. } => reasons::CARRIER_REAUTHORIZATION,
        MarketError::Taken { .. } => reasons::ORDERING,
        MarketError::Credentials { .. } => reasons::CARRIER_CREDENTIALS,
        MarketError::RateLimited { .. } => reasons::CARRIER_RATE_LIMITED,
        MarketError::Unavailable { .. } | MarketError::OutcomeUnknown { .. } | MarketError::Protocol { .. } => {
            reasons::CARRIER_UNAVAILABLE
        }
    }
}

fn problem(reason: &str, message: &str) -> OrderProblem {
    OrderProblem { reason: reason.to_owned(), message: message.chars().take(LONGEST_MESSAGE).collect() }
}
