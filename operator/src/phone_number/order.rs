//! The carrier's part of a phone number: buys, routes, keeps or gives back, where the connection is one to an account
//! that we can talk to.

use std::time::Duration;

use kube::ResourceExt as _;
use uuid::Uuid;
use voxplane_crds::agency::{CarrierConnection, CarrierType};
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::phone_number::{DeletionPolicy, NumberSearch};
use voxplane_crds::{Agency, PhoneNumber};
use voxplane_store::number_orders::{self, NewNumberOrder, NumberOrder, OrderState};
use voxplane_store::resources::{self, ResourceKind};
use voxplane_telephony::market::{self, Route};
use voxplane_telephony::{E164, Market};

use super::observe::Observed;
use super::purchase::journal::Journal as _;
use super::purchase::{Goal, Progress, Then, Wish, pursue};
use crate::carriers::{self, Measured};
use crate::claims::{self, Claims};
use crate::context::Context;
use crate::database::DatabaseAway;
use crate::error::Error;
use crate::home::Home;
use crate::identity::Identity;
use crate::kind::Cleanup;
use crate::status::Problem;

/// How soon something is looked at again that waits for somebody's hand.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is known of the carrier's part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierPart {
    /// The order.
    pub order: Option<NumberOrder>,
    /// Why it may not go on: what the spec asks for is impossible or not allowed.
    pub refused: Option<Problem>,
    /// Why the account cannot be used.
    pub account: Option<Problem>,
    /// When it goes on by itself.
    pub look_again: Option<Duration>,
}

impl CarrierPart {
    /// What the carrier has not done yet, and why, if something is in the way.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let order = self.order.as_ref()?;
        // Where the carrier picks the number, it is not known before.
        let number = order.number.as_deref().unwrap_or("a number");
        let (reason, doing) = match order.state {
            OrderState::Routed if order.problem.is_none() => return None,
            OrderState::Released | OrderState::Failed => return None,
            OrderState::Choosing if order.buys() => (reasons::PENDING, "looking for a number".to_owned()),
            OrderState::Choosing => (reasons::PENDING, "looking for the number in the carrier's account".to_owned()),
            OrderState::Intended if order.number.is_none() => {
                (reasons::ORDERING, "a number of the area is going to be ordered".to_owned())
            }
            OrderState::Intended => (reasons::ORDERING, format!("{number} was chosen and is going to be ordered")),
            OrderState::Ordering => (reasons::ORDERING, format!("ordering {number}, waiting for the carrier")),
            OrderState::Ordered | OrderState::Routed => {
                (reasons::PENDING, format!("the calls of {number} are being sent here"))
            }
        };
        Some(match &order.problem {
            None => Problem::new(reason, doing),
            Some(problem) => Problem::new(known(&problem.reason), format!("{doing}: {}", problem.message)),
        })
    }
}

/// Reasons come back from the database as text; conditions have one of ours.
fn known(reason: &str) -> &'static str {
    [
        reasons::CARRIER_REFUSED,
        reasons::CARRIER_CREDENTIALS,
        reasons::CARRIER_REAUTHORIZATION,
        reasons::CARRIER_RATE_LIMITED,
        reasons::CARRIER_UNAVAILABLE,
        reasons::NO_NUMBER_FOUND,
        reasons::NUMBER_NOT_GRANTED,
        reasons::NUMBER_NOT_IN_ACCOUNT,
        reasons::QUOTA_EXCEEDED,
        reasons::ORDERING,
    ]
    .into_iter()
    .find(|known| *known == reason)
    .unwrap_or(reasons::PENDING)
}

/// Takes the next steps towards a number whose calls come to us.
///
/// # Errors
/// When the API server or the database fails.
pub async fn advance(number: &PhoneNumber, seen: &Observed, ctx: &Context) -> Result<CarrierPart, Error> {
    let (Ok(home), Some(Identity::Registered(id))) = (&seen.home, &seen.identity) else {
        return Ok(CarrierPart::default());
    };
    let wish = match wish(number, home, *id, seen) {
        Ok(Some(wish)) => wish,
        Ok(None) => return Ok(CarrierPart::default()),
        Err(problem) => return Ok(CarrierPart { refused: Some(problem), ..CarrierPart::default() }),
    };
    let order = ctx.database.open(&wish.new).await?;
    let (progress, account) = run(Goal::Have(&wish), order, &home.agency, &wish.new.carrier, ctx).await?;
    // What is over is so because the wish is another now: the next pass begins an order for it.
    let (refused, look_again) = match progress.then {
        _ if progress.is_over() => (None, Some(Duration::ZERO)),
        Then::Stop(problem) => (Some(problem), None),
        Then::LookAgain(wait) => (None, Some(wait)),
        // No watch tells of a Secret that is made or changed.
        Then::AskCarrier => (None, Some(LOOK_AGAIN)),
        Then::Rest => (None, None),
    };
    Ok(CarrierPart { order: Some(progress.order), refused, account, look_again })
}

/// What the PhoneNumber wants of the carrier; none: the carrier has no part in it, or not yet.
fn wish(number: &PhoneNumber, home: &Home, id: Uuid, seen: &Observed) -> Result<Option<Wish>, Problem> {
    let (spec, tenant) = (&number.spec, home.tenant.name_any());
    let Some(connection) = connection_of(&home.agency, &spec.carrier) else { return Ok(None) };
    let route = match connection.route() {
        Some(route) => route.to_owned(),
        None => {
            return match spec.search {
                Some(_) => Err(Problem::new(
                    reasons::INVALID,
                    format!(
                        "spec.search: carrier connection {:?} is of type sip, over which nothing can be bought: give \
                         spec.number",
                        spec.carrier
                    ),
                )),
                None => Ok(None),
            };
        }
    };
    if let (Some(search), CarrierType::GotoConnect) = (&spec.search, connection.type_) {
        by_area(search)?;
    }
    if spec.search.is_none() && (!seen.holds || claims::granted(number, &home.agency, &tenant).is_err()) {
        // Not this object's number: it is not routed for it.
        return Ok(None);
    }
    let new = NewNumberOrder {
        agency: home.agency_id,
        tenant: home.tenant_id,
        resource: id,
        carrier: spec.carrier.clone(),
        search: spec.search.as_ref().and_then(|search| serde_json::to_value(search).ok()),
        number: spec.number.as_deref().and_then(|number| E164::parse(number).ok()).map(|e164| e164.as_str().to_owned()),
    };
    Ok(Some(Wish {
        new,
        search: spec.search.as_ref().map(search).transpose()?,
        route: Route { connection: route },
        grants: connection.numbers.clone(),
        claimed: seen.claimed.clone(),
        limit: limit(connection, home),
        tenant,
    }))
}

fn search(search: &NumberSearch) -> Result<market::NumberSearch, Problem> {
    let NumberSearch { country, area_code, contains, region } = search;
    market::NumberSearch::new(country, area_code.as_deref(), contains.as_deref(), region.as_deref())
        .map_err(|error| Problem::new(reasons::INVALID, format!("spec.search: {error}")))
}

/// GoTo orders by area code, and by nothing else.
pub(super) fn by_area(search: &NumberSearch) -> Result<(), Problem> {
    let wrong = match search {
        NumberSearch { country, .. } if !matches!(country.as_str(), "US" | "CA") => "country must be US or CA",
        NumberSearch { area_code: None, .. } => "areaCode is needed",
        NumberSearch { contains: Some(_), .. } => "contains cannot be asked for",
        NumberSearch { region: Some(_), .. } => "region cannot be asked for",
        _ => return Ok(()),
    };
    let message = format!("spec.search: {wrong}: a carrier of type gotoConnect sells numbers of an area code it picks");
    Err(Problem::new(reasons::INVALID, message))
}

/// How many numbers may be bought over a connection.
fn limit(connection: &CarrierConnection, home: &Home) -> Result<i64, Problem> {
    if let Some(problem) = home.suspension() {
        return Err(Problem { message: format!("nothing is bought: {}", problem.message), ..problem });
    }
    match connection.purchases() {
        Some(purchases) if purchases.enabled => Ok(purchases.max_numbers.into()),
        _ => Err(Problem::new(
            reasons::PURCHASE_NOT_ALLOWED,
            format!(
                "carrier connection {:?} allows no purchases: the agency sets purchases.enabled there, or give \
                 spec.number",
                connection.name
            ),
        )),
    }
}

/// Whether the number can go, as far as the carrier is concerned.
///
/// # Errors
/// When the API server or the database fails.
pub async fn finish(number: &PhoneNumber, ctx: &Context) -> Result<Option<Cleanup>, Error> {
    let Some(order) = order_of(number, ctx).await? else { return Ok(None) };
    let namespace = number.namespace().unwrap_or_default();
    let owner = match names::owner_of_namespace(&namespace) {
        Some(NamespaceOwner::Tenant { agency, .. }) => ctx.stores().agency(&agency),
        _ => None,
    };
    let Some(agency) = owner else {
        tracing::warn!(order = %order.id, state = %order.state, "the agency is gone: its carrier cannot be asked any more");
        return Ok(None);
    };
    let goal = match number.spec.deletion_policy {
        DeletionPolicy::Release if !is_wanted_by_sibling(&order, &agency, ctx) => Goal::Release,
        _ => Goal::Keep,
    };
    let carrier = order.carrier.clone();
    let (progress, account) = run(goal, order, &agency, &carrier, ctx).await?;
    if progress.is_over() {
        return Ok(None);
    }
    let (reason, why) = match (&account, &progress.order.problem) {
        (Some(problem), _) => (problem.reason, Some(&problem.message)),
        (None, Some(said)) => (known(&said.reason), Some(&said.message)),
        (None, None) => (reasons::TERMINATING, None),
    };
    let message = waiting(&progress.order, goal, why);
    let look_again = match progress.then {
        Then::LookAgain(wait) => wait,
        _ => LOOK_AGAIN,
    };
    Ok(Some(Cleanup::Waiting { reason, message, look_again }))
}

fn waiting(order: &NumberOrder, goal: Goal<'_>, why: Option<&String>) -> String {
    let what = match (order.state, goal) {
        (OrderState::Ordering, _) => "waiting to learn from the carrier whether the number was bought",
        (_, Goal::Release) => "waiting for the carrier to take the number back (spec.deletionPolicy: Retain keeps it)",
        _ => "waiting for the carrier",
    };
    match why {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}

/// The order of an object that goes; it may have been deleted before its id was written into its status.
async fn order_of(number: &PhoneNumber, ctx: &Context) -> Result<Option<NumberOrder>, Error> {
    let mut tx = match ctx.database.begin().await {
        Ok(tx) => tx,
        // Nothing can have been ordered by this installation.
        Err(DatabaseAway::NotConfigured(_)) => return Ok(None),
        Err(away) => return Err(away.into()),
    };
    let known = number.status.as_ref().and_then(|status| status.id.as_deref()).and_then(|id| id.parse::<Uuid>().ok());
    let id = match known {
        Some(id) => Some(id),
        None => {
            let (namespace, name) = (number.namespace().unwrap_or_default(), number.name_any());
            let found = resources::find(&mut tx, ResourceKind::PhoneNumber, &namespace, &name).await?;
            found.map(|resource| resource.id)
        }
    };
    let order = match id {
        Some(id) => number_orders::find(&mut tx, id).await?,
        None => None,
    };
    tx.rollback().await?;
    Ok(order)
}

/// Whether another PhoneNumber of the agency claims the number over the same connection: then it is not given back.
fn is_wanted_by_sibling(order: &NumberOrder, agency: &Agency, ctx: &Context) -> bool {
    let Some(e164) = order.number.as_deref().and_then(|number| E164::parse(number).ok()) else { return false };
    let numbers = ctx.stores().numbers.state();
    let claims = Claims::judge(&numbers, &ctx.stores().agencies.state());
    claims.of_carrier(&numbers, &agency.name_any(), &order.carrier).contains(&e164)
}

/// Takes steps, and reads the agency's Secret only if one of them asks the carrier. The second part says why the account
/// cannot be used.
async fn run(
    goal: Goal<'_>,
    order: NumberOrder,
    agency: &Agency,
    carrier: &str,
    ctx: &Context,
) -> Result<(Progress, Option<Problem>), Error> {
    let now = ctx.now();
    let progress = Box::pin(pursue::<Market, _>(goal, order, None, &ctx.database, now)).await?;
    if progress.then != Then::AskCarrier {
        return Ok((progress, None));
    }
    let Some(connection) = connection_of(agency, carrier) else {
        let message = format!("agency {:?} has no carrier connection {carrier:?} any more", agency.name_any());
        return Ok((progress, Some(Problem::new(reasons::REF_NOT_FOUND, message))));
    };
    let secret = carriers::secret_of(&agency.name_any(), connection, ctx).await?;
    match ctx.carriers.market(agency, connection, secret.as_ref(), &ctx.client) {
        Err(problem) => Ok((progress, Some(problem))),
        Ok(market) => {
            let market = Measured { market, system: connection.type_.as_str(), metrics: &ctx.metrics };
            let progress = Box::pin(pursue(goal, progress.order, Some(&market), &ctx.database, now)).await?;
            Ok((progress, None))
        }
    }
}

fn connection_of<'a>(agency: &'a Agency, carrier: &str) -> Option<&'a CarrierConnection> {
    agency.spec.carriers.iter().find(|connection| connection.name == carrier)
}
