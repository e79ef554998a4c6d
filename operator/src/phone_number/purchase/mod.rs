//! A number at a carrier: bought once, routed to us, and given back or kept when its PhoneNumber goes.
//!
//! Every step is decided from the stored order alone ([`decide`]), has one effect outside ([`act`]), and what came of it is
//! stored ([`learn`]) before the next step is decided. Nothing is remembered between passes. So a process may be cut off
//! anywhere:
//!
//! - The number is chosen and stored before it is ordered, and that it may have been ordered is stored before the
//!   request is sent.
//! - While it is not known whether an order was carried out, the number is looked for in the account and among the
//!   orders with our reference, and nothing else is ordered. If it does not appear for [`learn::SETTLE`], the order was not
//!   carried out, and the same number is ordered again: a number can be bought once only, so even a mistake here would
//!   not buy two. Another number is chosen only when it is certain that the first is not ours.
//! - Two processes that work on one order exclude each other by its fence.

pub mod act;
pub mod choose;
pub mod decide;
pub mod journal;
pub mod learn;

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::agency::NumberGrant;
use voxplane_store::number_orders::{NewNumberOrder, NumberOrder, OrderState};
use voxplane_telephony::E164;
use voxplane_telephony::market::{NumberMarket, NumberSearch, Route};

use self::act::Actor;
use self::decide::{Step, next};
use self::journal::Journal;
use crate::error::Error;
use crate::status::Problem;

/// Steps of one pass. The rest follows in the next one, so that a status is written in between.
const STEPS: usize = 8;

/// What a PhoneNumber wants to have.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Whose it is and what it asks for, as it is stored.
    pub new: NewNumberOrder,
    /// What is looked for, to buy it; `None`: the number is in the account.
    pub search: Option<NumberSearch>,
    /// Where its calls must go.
    pub route: Route,
    /// Name of the tenant.
    pub tenant: String,
    /// What the connection grants.
    pub grants: Vec<NumberGrant>,
    /// Numbers that other PhoneNumbers claim.
    pub claimed: BTreeSet<E164>,
    /// How many numbers may be bought over the connection, or why none.
    pub limit: Result<i64, Problem>,
}

/// What is to become of an order.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'a> {
    /// A number whose calls come to us.
    Have(&'a Wish),
    /// The PhoneNumber goes, the number stays in the account.
    Keep,
    /// The PhoneNumber goes, the number is given back.
    Release,
}

/// How far an order is after a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The order.
    pub order: NumberOrder,
    /// How it goes on.
    pub then: Then,
}

/// How an order goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// There is nothing to do.
    Rest,
    /// Nothing until somebody changes something.
    Stop(Problem),
    /// By itself, after this time.
    LookAgain(Duration),
    /// The carrier must be asked, and no account was given.
    AskCarrier,
}

impl Progress {
    /// Whether the order is over: no number, or one that is kept or given back.
    #[must_use]
    pub fn is_over(&self) -> bool {
        is_over(&self.order)
    }
}

/// Whether an order is over: no number, or one that is kept or given back.
#[must_use]
pub fn is_over(order: &NumberOrder) -> bool {
    order.kept_at.is_some() || matches!(order.state, OrderState::Released | OrderState::Failed)
}

/// Takes steps towards the goal until it is reached, something must be waited for, or the carrier must be asked and
/// `market` is none.
///
/// # Errors
/// When the database fails, or somebody else works on the order. What the carrier says is stored with the order.
pub async fn pursue<M: NumberMarket, J: Journal>(
    goal: Goal<'_>,
    mut order: NumberOrder,
    market: Option<&M>,
    journal: &J,
    now: Timestamp,
) -> Result<Progress, Error> {
    for _ in 0..STEPS {
        let then = match (next(&order, goal, now), market) {
            (Step::Rest, _) => Then::Rest,
            (Step::Stop(problem), _) => Then::Stop(problem),
            (Step::Wait(until), _) => Then::LookAgain(wait(now, until)),
            (Step::Close, _) => {
                order = journal.save(&learn::closed(order, now)).await?;
                continue;
            }
            (Step::Ask(_), None) => Then::AskCarrier,
            (Step::Ask(request), Some(market)) => {
                order = Actor { market, journal, now }.act(request, goal, order).await?;
                // The choice is shown before the money is spent.
                if order.state != OrderState::Intended || order.attempts > 0 || order.problem.is_some() {
                    continue;
                }
                Then::LookAgain(Duration::ZERO)
            }
        };
        return Ok(Progress { order, then });
    }
    Ok(Progress { order, then: Then::LookAgain(Duration::ZERO) })
}

fn wait(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
