//! What every carrier is to the rest of the platform.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::e164::E164;
use crate::{telnyx, twilio};

/// The kinds of carriers that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CarrierKind {
    /// Any SIP trunk: numbers are ordered elsewhere.
    Sip,
    /// Twilio Elastic SIP Trunking; numbers are ordered through Twilio's API.
    Twilio,
    /// Telnyx SIP Trunking; numbers are ordered through Telnyx's API.
    Telnyx,
    /// GoTo Connect; numbers are ordered through its Voice Admin API and forwarded by a line.
    GotoConnect,
}

impl CarrierKind {
    /// The name used in manifests and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Twilio => "twilio",
            Self::Telnyx => "telnyx",
            Self::GotoConnect => "gotoConnect",
        }
    }

    /// Whether numbers can be ordered through us.
    #[must_use]
    pub const fn sells_numbers(self) -> bool {
        matches!(self, Self::Twilio | Self::Telnyx | Self::GotoConnect)
    }

    /// Where the carrier's calls come from, as it publishes; none for a trunk of which we know nothing. Many customers
    /// of a carrier share these addresses, so they say which carrier calls, not for whom.
    #[must_use]
    pub const fn signalling_addresses(self) -> &'static [&'static str] {
        match self {
            // GoTo publishes none: its calls come through what forwards them.
            Self::Sip | Self::GotoConnect => &[],
            Self::Twilio => &twilio::SIGNALLING,
            Self::Telnyx => &telnyx::SIGNALLING,
        }
    }

    /// The host that takes calls of all customers of the carrier, as it publishes. Twilio's customers have one each, GoTo
    /// takes none from others.
    #[must_use]
    pub const fn termination_host(self) -> Option<&'static str> {
        match self {
            Self::Telnyx => Some(telnyx::TERMINATION),
            Self::Sip | Self::Twilio | Self::GotoConnect => None,
        }
    }

    /// The header that carries the user name once more, where the carrier finds the customer by it.
    #[must_use]
    pub const fn username_header(self) -> Option<&'static str> {
        match self {
            Self::Telnyx => Some(telnyx::USERNAME_HEADER),
            Self::Sip | Self::Twilio | Self::GotoConnect => None,
        }
    }
}

/// One connection of an agency to a carrier.
pub trait Carrier: Send + Sync {
    /// Which carrier.
    fn kind(&self) -> CarrierKind;

    /// The inbound trunk that LiveKit SIP needs for calls to these numbers to be accepted; none without numbers,
    /// because a trunk without numbers would accept calls to every number.
    fn inbound_trunk(&self, numbers: &BTreeSet<E164>) -> Option<InboundTrunk>;
}

/// What LiveKit SIP must know to accept a carrier's calls.
#[derive(Debug, Clone)]
pub struct InboundTrunk {
    /// Numbers that may be called, sorted.
    pub numbers: Vec<E164>,
    /// Where calls may come from; empty: from anywhere, with a login.
    pub allowed_addresses: Vec<IpNet>,
    /// What the carrier must present.
    pub login: Option<SipLogin>,
    /// How long the caller hears ringing before the call is given up.
    pub ringing_timeout: Duration,
}

/// User name and password of a SIP trunk.
#[derive(Debug, Clone)]
pub struct SipLogin {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}
