//! Whether an agency can be as it says. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use uuid::Uuid;
use voxplane_crds::agency::{CarrierConnection, CarrierType};
use voxplane_crds::conditions::reasons;
use voxplane_crds::members::Member;
use voxplane_crds::{Agency, names};
use voxplane_telephony::{CarrierKind, SipCarrier, SipLogin};

use super::observe::Observed;
use super::outbound;
use crate::carriers;
use crate::livekit::desired::{Access, Holder, Wanted};
use crate::namespaces::{self, Claim};
use crate::status::Problem;

/// An agency that can be made.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Its name and id.
    pub holder: Holder,
    /// Its namespace.
    pub namespace: String,
    /// Tenants it may have.
    pub max_tenants: i32,
    /// Who may work with its tenants.
    pub members: Vec<Member>,
    /// The namespace of the platform, where the operator's ServiceAccount lives.
    pub system_namespace: String,
    /// Its connections, as LiveKit should have them.
    pub connections: Vec<Wanted>,
    /// What is wrong with single connections, by name. In LiveKit their access stays as it is.
    pub problems: BTreeMap<String, Problem>,
}

/// Judges an agency.
///
/// # Errors
/// A problem for `Accepted`.
pub fn check(agency: &Agency, seen: &Observed) -> Result<Valid, Problem> {
    let name = agency.name_any();
    let Some(agency_id) = seen.identity.id() else {
        let why = seen.identity.database_problem().unwrap_or_default();
        return Err(Problem::unknown(reasons::DATABASE_UNAVAILABLE, format!("no id can be given: {why}")));
    };
    let namespace = names::agency_namespace(&name);
    if let Claim::Problem(problem) = namespaces::claim(seen.namespace.as_ref(), agency_id) {
        return Err(problem);
    }
    let mut connections = Vec::new();
    let mut problems = BTreeMap::new();
    for carrier in &agency.spec.carriers {
        let access = access(carrier, seen).unwrap_or_else(|problem| {
            problems.insert(carrier.name.clone(), problem);
            Access::AsFound
        });
        if let Err(problem) = account(carrier, seen) {
            problems.entry(carrier.name.clone()).or_insert(problem);
        }
        let (calling, problem) = outbound::calling(carrier, seen);
        if let Some(problem) = problem {
            problems.entry(carrier.name.clone()).or_insert(problem);
        }
        connections.push(Wanted {
            carrier: carrier.name.clone(),
            access,
            numbers: seen.numbers.get(&carrier.name).cloned().unwrap_or_default(),
            outbound: calling,
        });
    }
    Ok(Valid {
        holder: Holder { agency_id, agency: name },
        namespace,
        max_tenants: agency.spec.quotas.max_tenants,
        members: agency.spec.members.clone(),
        system_namespace: seen.system_namespace.clone(),
        connections,
        problems,
    })
}

/// The connections of an agency that is not accepted, with the access that LiveKit has for them.
#[must_use]
pub fn as_found(agency: &Agency, seen: &Observed) -> Option<(Holder, Vec<Wanted>)> {
    let holder = Holder { agency_id: seen.identity.id()?, agency: agency.name_any() };
    let connection = |carrier: &CarrierConnection| Wanted {
        carrier: carrier.name.clone(),
        access: Access::AsFound,
        numbers: seen.numbers.get(&carrier.name).cloned().unwrap_or_default(),
        outbound: outbound::as_found(carrier, seen),
    };
    Some((holder, agency.spec.carriers.iter().map(connection).collect()))
}

fn access(carrier: &CarrierConnection, seen: &Observed) -> Result<Access, Problem> {
    let field = format!("spec.carriers[{}].{}", carrier.name, carrier.type_.as_str());
    // The schema refuses what this refuses; a trunk that anybody may use must not depend on the schema alone.
    let missing = || {
        let message = format!("{field}: is missing: a connection of type {} needs it", carrier.type_.as_str());
        Problem::new(reasons::INVALID, message)
    };
    let known = match carrier.type_ {
        CarrierType::Sip => {
            let sip = carrier.sip.as_ref().ok_or_else(missing)?;
            let login = login(carrier, seen)?;
            SipCarrier::new(&sip.allowed_addresses, login, sip.ringing_timeout_seconds)
        }
        CarrierType::Twilio => {
            let twilio = carrier.twilio.as_ref().ok_or_else(missing)?;
            SipCarrier::of(CarrierKind::Twilio, &twilio.allowed_addresses, None, twilio.ringing_timeout_seconds)
        }
        CarrierType::Telnyx => {
            let telnyx = carrier.telnyx.as_ref().ok_or_else(missing)?;
            SipCarrier::of(CarrierKind::Telnyx, &telnyx.allowed_addresses, None, telnyx.ringing_timeout_seconds)
        }
        CarrierType::GotoConnect => {
            let goto = carrier.goto_connect.as_ref().ok_or_else(missing)?;
            SipCarrier::of(CarrierKind::GotoConnect, &goto.allowed_addresses, None, goto.ringing_timeout_seconds)
        }
    };
    known.map(Access::Known).map_err(|error| Problem::new(reasons::INVALID, format!("{field}: {error}")))
}

/// Whether the account of a connection can be used: needed for its numbers, not for calls.
fn account(carrier: &CarrierConnection, seen: &Observed) -> Result<(), Problem> {
    match (carrier.type_, carrier.secret_ref()) {
        (CarrierType::Sip, _) | (_, None) => Ok(()),
        (_, Some(_)) => secret(carrier, seen).map(drop),
    }
}

fn secret<'a>(carrier: &CarrierConnection, seen: &'a Observed) -> Result<Option<&'a Secret>, Problem> {
    let Some((field, reference, provider)) = carrier.secret_ref() else { return Ok(None) };
    let field = format!("spec.carriers[{}].{field}", carrier.name);
    carriers::permitted(&field, &reference.name, provider, seen.secrets.get(&reference.name)).map(Some)
}

fn login(carrier: &CarrierConnection, seen: &Observed) -> Result<Option<SipLogin>, Problem> {
    let Some(secret) = secret(carrier, seen)? else { return Ok(None) };
    login_of(&format!("spec.carriers[{}].sip.authSecretRef", carrier.name), secret).map(Some)
}

/// The login in a Secret that `field` names.
pub(super) fn login_of(field: &str, secret: &Secret) -> Result<SipLogin, Problem> {
    let text = |key: &str| {
        carriers::text(secret, key).ok_or_else(|| {
            let message = format!("{field}: Secret {:?} needs the key {key:?} with text in it", secret.name_any());
            Problem::new(reasons::REF_NOT_PERMITTED, message)
        })
    };
    Ok(SipLogin { username: text("username")?, password: text("password")?.into() })
}

/// The namespace, as far as it is known to be the agency's. For clean-up.
#[must_use]
pub fn owned_namespace(namespace: Option<&Namespace>, id: Option<Uuid>) -> Option<&Namespace> {
    namespace.filter(|namespace| id.is_some_and(|id| namespaces::is_ours(namespace, id)))
}
