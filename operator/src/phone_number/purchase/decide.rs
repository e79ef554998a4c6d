//! What to do next about an order. Pure: the order and the goal decide, nothing else.

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::conditions::reasons;
use voxplane_store::number_orders::{NumberOrder, OrderState};

use super::{Goal, Wish, is_over};
use crate::status::Problem;

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the carrier for something.
    Ask(Request),
    /// Store that the order is over: the number stays, or there is none.
    Close,
    /// Nothing before this time.
    Wait(Timestamp),
    /// Nothing: the goal is reached.
    Rest,
    /// Nothing until somebody changes something.
    Stop(Problem),
}

/// What the carrier is asked for. Each changes one thing there, at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// See what is for sale, choose a number and store the intent to buy it.
    Choose,
    /// Store that the number is being ordered, then order it.
    Order,
    /// Look for the number in the account and among our orders.
    Look,
    /// See what became of an accepted order.
    State {
        /// The carrier's id of the order.
        order_id: String,
    },
    /// Look up a number that is in the account already.
    Find,
    /// Send the number's calls to us.
    Route,
    /// Give the number back.
    Release,
}

/// Decides.
#[must_use]
pub fn next(order: &NumberOrder, goal: Goal<'_>, now: Timestamp) -> Step {
    if is_over(order) {
        return Step::Rest;
    }
    let goal = match goal {
        // Its carrier is another now: what it had is left in the account, and what it wants is another order.
        Goal::Have(wish) if !is_for(order, wish) && !order.buys() => Goal::Keep,
        goal => goal,
    };
    match (order.state, goal) {
        // Whatever is wanted: first it must be known whether the number was bought.
        (OrderState::Ordering, _) => after_wait(order, now, || match &order.carrier_order_id {
            Some(order_id) => Request::State { order_id: order_id.clone() },
            None => Request::Look,
        }),
        (OrderState::Choosing | OrderState::Intended, Goal::Keep | Goal::Release) => Step::Close,
        // The definition's rules allow no such change. Rather than to buy a second number, nothing is done.
        (_, Goal::Have(wish)) if !is_for(order, wish) => Step::Stop(other_wish()),
        (OrderState::Choosing, Goal::Have(_)) if !order.buys() => after_wait(order, now, || Request::Find),
        // Nothing was ordered, and others wait to order over the connection. The next order begins with the choice.
        (OrderState::Intended, Goal::Have(Wish { limit: Err(_), .. }))
            if order.baseline.is_some() && order.attempts == 0 =>
        {
            Step::Close
        }
        (OrderState::Choosing | OrderState::Intended, Goal::Have(Wish { limit: Err(problem), .. })) => {
            Step::Stop(problem.clone())
        }
        (OrderState::Choosing, Goal::Have(_)) => after_wait(order, now, || Request::Choose),
        (OrderState::Intended, Goal::Have(_)) => after_wait(order, now, || Request::Order),
        (OrderState::Ordered, Goal::Have(_)) => after_wait(order, now, || Request::Route),
        (OrderState::Routed, Goal::Have(wish)) => match &order.connection {
            Some(connection) if *connection == wish.route.connection => Step::Rest,
            _ => after_wait(order, now, || Request::Route),
        },
        (OrderState::Ordered | OrderState::Routed, Goal::Keep) => Step::Close,
        (OrderState::Ordered | OrderState::Routed, Goal::Release) => after_wait(order, now, || Request::Release),
        (OrderState::Released | OrderState::Failed, _) => Step::Rest,
    }
}

/// Whether the order is one for this wish.
fn is_for(order: &NumberOrder, wish: &Wish) -> bool {
    let new = &wish.new;
    order.carrier == new.carrier && order.search == new.search && (order.buys() || order.number == new.number)
}

fn other_wish() -> Problem {
    Problem::new(
        reasons::INVALID,
        "a number was bought for an earlier object of this name that asked for something else: delete this object, and \
         create it again for what it asks for now",
    )
}

fn after_wait(order: &NumberOrder, now: Timestamp, request: impl FnOnce() -> Request) -> Step {
    match order.retry_at {
        Some(at) if at > now => Step::Wait(at),
        _ => Step::Ask(request()),
    }
}
