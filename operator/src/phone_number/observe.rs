//! Everything that is read for a phone number: its tenant, its rivals, its agent, its trunk.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use voxplane_crds::PhoneNumber;
use voxplane_store::resources::ResourceKind;
use voxplane_telephony::E164;

use super::answers::Named;
use super::order::CarrierPart;
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
    /// The agents it names, as far as they exist.
    pub agents: Named,
    /// Its carrier connection in LiveKit; `None`: nothing is known yet.
    pub connection: Option<Connection>,
    /// Whether a LiveKit is configured.
    pub livekit: bool,
    /// Why the database cannot be used, if it cannot.
    pub database_problem: Option<String>,
}

/// Reads everything but the carrier's part, see [`super::order::advance`].
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
