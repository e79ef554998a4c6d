//! What a PhoneNumber may ask for as its fallback. Pure.

use voxplane_crds::PhoneNumber;
use voxplane_crds::agency::{CarrierConnection, CarrierType};
use voxplane_crds::conditions::reasons;
use voxplane_telephony::E164;

use crate::status::Problem;

/// The number that its calls are to go to while the platform does not answer; none: nowhere. `is_own`: the tenant has that
/// number here.
///
/// # Errors
/// A problem for `Programmed`: calls to the number are taken all the same.
pub fn wanted(number: &PhoneNumber, connection: &CarrierConnection, is_own: bool) -> Result<Option<E164>, Problem> {
    let Some(text) = &number.spec.fallback_number else { return Ok(None) };
    let invalid = |what: String| Problem::new(reasons::INVALID, format!("spec.fallbackNumber: {what}"));
    let to = E164::parse(text).map_err(|error| invalid(error.to_string()))?;
    if let Some(by_hand) = by_hand(connection.type_) {
        let message = format!(
            "spec.fallbackNumber: a carrier of type {} cannot be told through its API: {by_hand}",
            connection.type_.as_str()
        );
        return Err(Problem::new(reasons::FALLBACK_NOT_POSSIBLE, message));
    }
    if is_own {
        return Err(invalid(
            "a PhoneNumber of this tenant has that number, which is not answered at the same time: name a telephone that \
             is answered elsewhere"
                .to_owned(),
        ));
    }
    if !connection.allows_destination(to.as_str()) {
        let message = format!(
            "spec.fallbackNumber: calls to that number are not among what carrier connection {:?} may pay: the agency \
             adds it, or a beginning of it, under spec.carriers[].allowedDestinations",
            connection.name
        );
        return Err(Problem::new(reasons::DESTINATION_NOT_ALLOWED, message));
    }
    Ok(Some(to))
}

/// What somebody has to do where we can do nothing.
const fn by_hand(carrier: CarrierType) -> Option<&'static str> {
    match carrier {
        CarrierType::Telnyx => None,
        CarrierType::Twilio => Some(
            "Twilio fetches a TwiML document, for a whole trunk. Set the trunk's disaster recovery URL in Twilio's console \
             to one that you host outside of this cluster, and leave fallbackNumber out",
        ),
        CarrierType::GotoConnect => Some(
            "GoTo publishes no request for it. Set it in GoTo's dial plan of the line, or at what passes the line's calls \
             on, and leave fallbackNumber out",
        ),
        CarrierType::Sip => {
            Some("set it in your carrier's portal, or at your own SIP server, and leave fallbackNumber out")
        }
    }
}
