//! Everything that is read for a phone number: its tenant, its rivals, its agent, its trunk.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use voxplane_crds::PhoneNumber;
use voxplane_store::resources::ResourceKind;
use voxplane_telephony::E164;

use super::answers::Named;
use super::fallback::FallbackPart;
use super::order::CarrierPart;
use crate::caller_ids;
use crate::context::Context;
use crate::error::Error;
use crate::home::{self, Home};
use crate::identity::{Identity, identify};
use crate::livekit::Connection;
use crate::status::Problem;
use crate::watch::ObjectKey;

/// What was seen.
#[derive(Debug)]
pub struct Observed {
    /// Its tenant, or why it has none.
    pub home: Result<Home, Problem>,
    /// Its id; `None` while its tenant is not accepted.
    pub identity: Option<Identity>,
    /// Whether this object has the number.
    pub holds: bool,
    /// The numbers that other objects have.
    pub claimed: BTreeSet<E164>,
    /// How far the carrier is.
    pub carrier: CarrierPart,
    /// What the carrier was told about its fallback.
    pub fallback: FallbackPart,
    /// Whether its fallback number is one that the tenant has here.
    pub fallback_is_own: bool,
    /// The number that those who are called see, or why there is none; `None`: no calls are placed with it.
    pub caller_id: Option<Result<E164, Problem>>,
    /// The agents it names, as far as they exist.
    pub agents: Named,
    /// Its carrier connection in LiveKit; `None`: nothing is known yet.
    pub connection: Option<Connection>,
    /// Whether a LiveKit is configured.
    pub livekit: bool,
    /// Why the database cannot be used, if it cannot.
    pub database_problem: Option<String>,
}

/// Reads everything but the carrier's part, see [`super::order::advance`] and [`super::fallback::advance`].
///
/// # Errors
/// When the database fails.
pub async fn read(number: &PhoneNumber, ctx: &Context) -> Result<Observed, Error> {
    let home = home::find(ctx.stores(), &number.metadata);
    let identity = match &home {
        Ok(home) => {
            let (agency, tenant) = (Some(home.agency_id), Some(home.tenant_id));
            Some(identify(ctx, number, ResourceKind::PhoneNumber, agency, tenant).await?)
        }
        Err(_) => None,
    };
    let connection =
        home.as_ref().ok().and_then(|home| ctx.programmed.get(&home.agency.name_any(), &number.spec.carrier));
    let claims = ctx.router.court.judgement(ctx.stores());
    let (own, e164) = (ObjectKey::of(number), number.number().and_then(|number| E164::parse(number).ok()));
    Ok(Observed {
        home,
        identity,
        caller_id: e164.as_ref().and_then(|e164| caller_ids::caller_id(number, e164, &claims)),
        fallback: FallbackPart::default(),
        fallback_is_own: number.spec.fallback_number.as_deref().is_some_and(|fallback| {
            let holder = E164::parse(fallback).ok().and_then(|fallback| claims.holder(&fallback));
            holder.is_some_and(|holder| holder.namespace == own.namespace)
        }),
        holds: e164.is_some_and(|e164| claims.holder(&e164) == Some(&own)),
        claimed: claims.of_others(&own),
        carrier: CarrierPart::default(),
        agents: named(number, ctx),
        connection,
        livekit: ctx.livekit.is_some(),
        database_problem: ctx.database.available().err(),
    })
}

fn named(number: &PhoneNumber, ctx: &Context) -> Named {
    let namespace = number.namespace().unwrap_or_default();
    let find = |name: &str| Some((name.to_owned(), ctx.stores().agent(&namespace, name)?));
    number.spec.agents().filter_map(|(_, name)| find(name)).collect()
}
