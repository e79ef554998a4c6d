//! How an agency's connections place calls. Pure.

use voxplane_crds::agency::{CarrierConnection, CarrierType, MediaEncryption as Wished, Outbound, SipTransport};
use voxplane_crds::conditions::reasons;
use voxplane_telephony::outbound::{MediaEncryption, OutboundSettings, Transport};
use voxplane_telephony::{CarrierKind, OutboundTrunk, SipLogin};

use super::observe::Observed;
use super::validate::login_of;
use crate::carriers;
use crate::livekit::outbound::{Calling, Exit};
use crate::status::Problem;

/// The calls that a connection places, and what is wrong with them. With something wrong, where they go stays as it is in
/// LiveKit; which numbers are shown does not.
pub fn calling(carrier: &CarrierConnection, seen: &Observed) -> (Option<Calling>, Option<Problem>) {
    let Some(outbound) = &carrier.outbound else { return (None, None) };
    let caller_ids = seen.caller_ids.get(&carrier.name).cloned().unwrap_or_default();
    match exit(carrier, outbound, seen) {
        Ok(trunk) => (Some(Calling { exit: Exit::Known(trunk), caller_ids }), None),
        Err(problem) => (Some(Calling { exit: Exit::AsFound, caller_ids }), Some(problem)),
    }
}

/// As [`calling`], of an agency that is not accepted.
pub fn as_found(carrier: &CarrierConnection, seen: &Observed) -> Option<Calling> {
    carrier.outbound.as_ref()?;
    Some(Calling { exit: Exit::AsFound, caller_ids: seen.caller_ids.get(&carrier.name).cloned().unwrap_or_default() })
}

fn exit(carrier: &CarrierConnection, outbound: &Outbound, seen: &Observed) -> Result<OutboundTrunk, Problem> {
    let field = format!("spec.carriers[{}].outbound", carrier.name);
    // The schema refuses it, too; a trunk that may call anybody must not depend on the schema alone.
    if carrier.allowed_destinations.is_empty() {
        let message = format!("{field}: allowedDestinations beside it is empty: list what may be called (+49*)");
        return Err(Problem::new(reasons::INVALID, message));
    }
    let settings = OutboundSettings {
        address: outbound.address.clone(),
        transport: match outbound.transport {
            SipTransport::Udp => Transport::Udp,
            SipTransport::Tcp => Transport::Tcp,
            SipTransport::Tls => Transport::Tls,
        },
        media_encryption: match outbound.media_encryption {
            Wished::Disabled => MediaEncryption::Disabled,
            Wished::Allowed => MediaEncryption::Allowed,
            Wished::Required => MediaEncryption::Required,
        },
        login: login(carrier, seen)?,
        headers: outbound.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
    };
    let kind = match carrier.type_ {
        CarrierType::Sip => CarrierKind::Sip,
        CarrierType::Twilio => CarrierKind::Twilio,
        CarrierType::Telnyx => CarrierKind::Telnyx,
        CarrierType::GotoConnect => CarrierKind::GotoConnect,
    };
    OutboundTrunk::new(kind, settings).map_err(|error| Problem::new(reasons::INVALID, format!("{field}: {error}")))
}

fn login(carrier: &CarrierConnection, seen: &Observed) -> Result<Option<SipLogin>, Problem> {
    let Some((field, reference, provider)) = carrier.outbound_secret_ref() else { return Ok(None) };
    let field = format!("spec.carriers[{}].{field}", carrier.name);
    let secret = carriers::permitted(&field, &reference.name, provider, seen.secrets.get(&reference.name))?;
    login_of(&field, secret).map(Some)
}
