//! Where the carrier sends a number's calls while the platform does not answer it.
//!
//! The carrier keeps no mark of ours on it, so the status says what it was told, and says so before it is told: a process
//! that is cut off in between leaves nothing behind that nobody takes away again. What the status does not know is
//! somebody else's and is left alone, until a PhoneNumber says otherwise.
//!
//! | module | job |
//! | --- | --- |
//! | [`wanted`] | what the PhoneNumber may ask for; pure |
//! | [`decide`] | the next step; pure |
//! | [`memory`] | when what was told is looked at again |
//! | [`act`] | takes the step: the only place that talks to a carrier about it |

pub mod act;
pub mod decide;
pub mod memory;
pub mod wanted;

use std::time::Duration;

use kube::ResourceExt as _;
use uuid::Uuid;
use voxplane_crds::PhoneNumber;
use voxplane_crds::phone_number::FallbackStatus;
use voxplane_store::number_orders::{NumberOrder, OrderState};
use voxplane_telephony::market::OwnedNumber;
use voxplane_telephony::{E164, Market};

use self::act::{Actor, Outcome};
use self::decide::{Step, View, next};
use super::observe::Observed;
use crate::carriers::{self, Measured};
use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;
use crate::status::Problem;
use crate::watch::ObjectKey;

/// How soon an account is tried again that could not be used: no watch tells of a Secret that is made or changed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is known of a number's fallback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FallbackPart {
    /// What the carrier was told, or is being told.
    pub told: Option<FallbackStatus>,
    /// What is in the way.
    pub problem: Option<Problem>,
    /// Why the account cannot be used.
    pub account: Option<Problem>,
    /// When it goes on by itself.
    pub look_again: Option<Duration>,
}

/// Takes the next step towards what the PhoneNumber says about its fallback.
///
/// # Errors
/// When the API server fails. What the carrier says is told on the number.
pub async fn advance(number: &PhoneNumber, seen: &Observed, ctx: &Context) -> Result<FallbackPart, Error> {
    let told = number.status.as_ref().and_then(|status| status.fallback.clone());
    let part = FallbackPart { told, ..FallbackPart::default() };
    let (Ok(home), Some(Identity::Registered(id))) = (&seen.home, &seen.identity) else { return Ok(part) };
    let Some(connection) = home.agency.spec.carriers.iter().find(|one| one.name == number.spec.carrier) else {
        return Ok(part);
    };
    let (wanted, problem) = match wanted::wanted(number, connection, seen.fallback_is_own) {
        Ok(wanted) => (wanted, None),
        // What was allowed yesterday and is not today is taken away.
        Err(problem) => (None, Some(problem)),
    };
    let part = FallbackPart { problem, ..part };
    let key = ObjectKey::of(number);
    let view = View {
        carrier: &connection.name,
        possible: connection.type_.has_fallback(),
        wanted: wanted.as_ref(),
        told: part.told.as_ref(),
        memory: ctx.fallbacks.get(&key, *id, ctx.now()),
        now: ctx.now(),
    };
    let (step, owned) = (next(&view), owned(seen.carrier.order.as_ref(), &connection.name));
    let owned = match (&step, owned) {
        (Step::Rest, _) => return Ok(part),
        (Step::Forget, _) => {
            ctx.fallbacks.forget(&key);
            return Ok(FallbackPart { told: None, ..part });
        }
        (Step::Wait(wait), _) => {
            let problem = part.problem.or(view.memory.problem);
            return Ok(FallbackPart { problem, look_again: Some(*wait), told: part.told, account: None });
        }
        // Its calls do not come here yet, or not any more.
        (_, None) => return Ok(part),
        (Step::Note(told), Some(_)) => {
            ctx.fallbacks.forget(&key);
            return Ok(FallbackPart { told: Some(told.clone()), look_again: Some(Duration::ZERO), ..part });
        }
        (Step::Set(_) | Step::Check(_) | Step::Remove(_), Some(owned)) => owned,
    };
    let secret = carriers::secret_of(&home.agency.name_any(), connection, ctx).await?;
    let market: Market = match ctx.carriers.market(&home.agency, connection, secret.as_ref(), &ctx.client) {
        Ok(market) => market,
        Err(problem) => return Ok(FallbackPart { account: Some(problem), look_again: Some(LOOK_AGAIN), ..part }),
    };
    let market = Measured { market, system: connection.type_.as_str(), metrics: &ctx.metrics };
    let actor = Actor { market: &market, number: &owned, carrier: &connection.name, now: ctx.now() };
    let Outcome { told, memory } = Box::pin(actor.act(step, part.told.clone(), view.memory)).await;
    let look_again = Some(memory.due(ctx.now()));
    let problem = part.problem.or_else(|| memory.problem.clone());
    ctx.fallbacks.put(key, told.as_ref(), memory);
    Ok(FallbackPart { told, problem, account: None, look_again })
}

/// The number in the account over this connection, once its calls come here.
fn owned(order: Option<&NumberOrder>, carrier: &str) -> Option<OwnedNumber> {
    let order = order.filter(|order| order.state == OrderState::Routed && order.carrier == carrier)?;
    Some(OwnedNumber {
        number: E164::parse(order.number.as_deref()?).ok()?,
        carrier_id: order.carrier_number_id.clone()?,
        reference: None,
        route: order.connection.clone(),
    })
}

/// What a moment within a span is for an id: so that not everything is looked at in the same second.
fn spread(id: Uuid, span: Duration) -> Duration {
    let seconds = u128::from(span.as_secs().max(1));
    Duration::from_secs(u64::try_from(id.as_u128() % seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
