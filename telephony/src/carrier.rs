//! What every carrier is to the rest of the platform.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::e164::E164;

/// The kinds of carriers that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CarrierKind {
    /// Any SIP trunk: numbers are ordered elsewhere.
    Sip,
}

impl CarrierKind {
    /// The name used in manifests and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sip => "sip",
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
