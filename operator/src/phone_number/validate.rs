//! Whether a phone number can be had. Pure.

use kube::ResourceExt as _;
use voxplane_crds::PhoneNumber;
use voxplane_crds::conditions::reasons;
use voxplane_telephony::E164;

use super::observe::Observed;
use crate::claims::{self, Refusal};
use crate::identity::Identity;
use crate::status::Problem;

/// A number that its tenant has.
#[derive(Clone, Debug)]
pub struct Valid {
    /// The number.
    pub number: E164,
    /// What is wrong at the carrier, if something is: calls that arrive are taken all the same.
    pub carrier: Option<Problem>,
    /// Why the carrier cannot be asked, if it cannot.
    pub account: Option<Problem>,
}

/// Judges a phone number.
///
/// # Errors
/// Why the tenant does not have it.
pub fn check(number: &PhoneNumber, seen: &Observed) -> Result<Valid, Refusal> {
    let home = seen.home.as_ref().map_err(|problem| Refusal::Spec(problem.clone()))?;
    if seen.identity.as_ref().and_then(Identity::id).is_none() {
        let why = seen.identity.as_ref().and_then(Identity::database_problem).unwrap_or_default();
        let message = format!("no id can be given: {why}");
        return Err(Refusal::Spec(Problem::unknown(reasons::DATABASE_UNAVAILABLE, message)));
    }
    claims::connection(number, &home.agency)?;
    if number.number().is_none() {
        return Err(without_number(seen));
    }
    let e164 = claims::granted(number, &home.agency, &home.tenant.name_any())?;
    if !seen.holds {
        // Not a word about who has it: that may be another tenant, or another agency.
        let message = "another PhoneNumber claimed this number first; this one gets it when that one is deleted";
        return Err(Refusal::Spec(Problem::new(reasons::NUMBER_IN_USE, message)));
    }
    let carrier = seen.carrier.refused.clone().or_else(|| seen.carrier.problem());
    Ok(Valid { number: e164, carrier, account: seen.carrier.account.clone() })
}

/// No number was bought yet, or the object does not know it yet.
fn without_number(seen: &Observed) -> Refusal {
    let part = &seen.carrier;
    if let Some(problem) = &part.refused {
        return Refusal::Spec(problem.clone());
    }
    if let Some(problem) = &part.account {
        return Refusal::Reference(problem.clone());
    }
    if let Some(why) = &seen.database_problem {
        let message = format!("nothing is bought while the database is away: {why}");
        return Refusal::Carrier(Problem::unknown(reasons::DATABASE_UNAVAILABLE, message));
    }
    Refusal::Carrier(part.problem().unwrap_or_else(|| {
        let message = "the number is being put on the trunk of its carrier connection";
        Problem::new(reasons::PENDING, message)
    }))
}
