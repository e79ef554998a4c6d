//! Whether an agency can be as it says. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use uuid::Uuid;
use voxplane_crds::agency::{CarrierConnection, SipConnection};
use voxplane_crds::conditions::reasons;
use voxplane_crds::{Agency, labels, names};
use voxplane_telephony::{SipCarrier, SipLogin};

use super::observe::Observed;
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
    /// Whether the namespace exists and is ours; else it must be made.
    pub namespace_exists: bool,
    /// Tenants it may have.
    pub max_tenants: i32,
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
    let namespace_exists = match namespaces::claim(seen.namespace.as_ref(), agency_id) {
        Claim::Missing => false,
        Claim::Ours => true,
        Claim::Problem(problem) => return Err(problem),
    };
    let mut connections = Vec::new();
    let mut problems = BTreeMap::new();
    for carrier in &agency.spec.carriers {
        let access = access(carrier, seen).unwrap_or_else(|problem| {
            problems.insert(carrier.name.clone(), problem);
            Access::AsFound
        });
        connections.push(Wanted {
            carrier: carrier.name.clone(),
            access,
            numbers: seen.numbers.get(&carrier.name).cloned().unwrap_or_default(),
        });
    }
    Ok(Valid {
        holder: Holder { agency_id, agency: name },
        namespace,
        namespace_exists,
        max_tenants: agency.spec.quotas.max_tenants,
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
    };
    Some((holder, agency.spec.carriers.iter().map(connection).collect()))
}

fn access(carrier: &CarrierConnection, seen: &Observed) -> Result<Access, Problem> {
    let field = format!("spec.carriers[{}].sip", carrier.name);
    let Some(sip) = &carrier.sip else {
        return Err(Problem::new(reasons::INVALID, format!("{field}: is missing: a connection of type sip needs it")));
    };
    let login = login(sip, &field, &seen.secrets)?;
    // The schema refuses what this refuses; a trunk that anybody may use must not depend on the schema alone.
    SipCarrier::new(&sip.allowed_addresses, login, sip.ringing_timeout_seconds)
        .map(Access::Known)
        .map_err(|error| Problem::new(reasons::INVALID, format!("{field}: {error}")))
}

fn login(sip: &SipConnection, field: &str, secrets: &BTreeMap<String, Secret>) -> Result<Option<SipLogin>, Problem> {
    let Some(reference) = &sip.auth_secret_ref else { return Ok(None) };
    let name = &reference.name;
    let Some(secret) = secrets.get(name) else {
        let message = format!("{field}.authSecretRef: there is no Secret {name:?} in the agency's namespace");
        return Err(Problem::new(reasons::REF_NOT_FOUND, message));
    };
    let refused = |what: String| Problem::new(reasons::REF_NOT_PERMITTED, format!("{field}.authSecretRef: {what}"));
    if secret.type_.as_deref() != Some(labels::CREDENTIALS_SECRET_TYPE) {
        return Err(refused(format!("Secret {name:?} is not of type {}", labels::CREDENTIALS_SECRET_TYPE)));
    }
    let provider = secret.labels().get(labels::PROVIDER).map(String::as_str);
    if provider != Some("sip") {
        return Err(refused(format!("Secret {name:?} needs the label {}=sip", labels::PROVIDER)));
    }
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty());
        text.ok_or_else(|| refused(format!("Secret {name:?} needs the key {key:?} with text in it")))
    };
    Ok(Some(SipLogin { username: text("username")?, password: text("password")?.into() }))
}

/// The namespace, as far as it is known to be the agency's. For clean-up.
#[must_use]
pub fn owned_namespace(namespace: Option<&Namespace>, id: Option<Uuid>) -> Option<&Namespace> {
    namespace.filter(|namespace| id.is_some_and(|id| namespaces::is_ours(namespace, id)))
}
