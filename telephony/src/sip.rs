//! SIP trunks that send calls to us: any carrier's, or those of carriers whose addresses we know.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;

use crate::carrier::{Carrier, CarrierKind, InboundTrunk, SipLogin};
use crate::e164::E164;

/// Seconds a call may ring. LiveKit gives up by itself after a while; more than 20 s only makes callers hang up.
const RINGING_SECONDS: RangeInclusive<i32> = 5..=20;

/// A SIP trunk whose settings are known to be safe and complete.
#[derive(Debug, Clone)]
pub struct SipCarrier {
    kind: CarrierKind,
    allowed_addresses: Vec<IpNet>,
    login: Option<SipLogin>,
    ringing_timeout: Duration,
}

/// Why the settings of a SIP trunk cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SipError {
    /// Anybody on the Internet could place calls.
    #[error("list the carrier's allowedAddresses or name a Secret with username and password in authSecretRef")]
    Open,
    /// Not an address.
    #[error("allowedAddresses[{index}] is neither an IP address (203.0.113.7) nor a range (203.0.113.0/24)")]
    BadAddress {
        /// Position in the list.
        index: usize,
    },
    /// The whole Internet.
    #[error("allowedAddresses[{index}] is the whole Internet: list the carrier's addresses, or use authSecretRef")]
    EveryAddress {
        /// Position in the list.
        index: usize,
    },
    /// User name or password is empty.
    #[error("the Secret named in authSecretRef needs non-empty username and password")]
    EmptyLogin,
    /// Out of range.
    #[error("ringingTimeoutSeconds is {seconds}: use {} to {}", RINGING_SECONDS.start(), RINGING_SECONDS.end())]
    RingingTimeout {
        /// What was asked for.
        seconds: i32,
    },
}

impl SipCarrier {
    /// Checks the settings of a connection of type `sip`. `login` is the content of the Secret it names, if it names one.
    ///
    /// # Errors
    /// [`SipError`] names the field and the fix.
    pub fn new(
        allowed_addresses: &[String],
        login: Option<SipLogin>,
        ringing_timeout_seconds: i32,
    ) -> Result<Self, SipError> {
        Self::of(CarrierKind::Sip, allowed_addresses, login, ringing_timeout_seconds)
    }

    /// As [`Self::new`], of any type. Without `allowed_addresses` calls may come from those that the carrier publishes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(
        kind: CarrierKind,
        allowed_addresses: &[String],
        login: Option<SipLogin>,
        ringing_timeout_seconds: i32,
    ) -> Result<Self, SipError> {
        let published: Vec<String> = kind.signalling_addresses().iter().map(ToString::to_string).collect();
        let allowed_addresses = if allowed_addresses.is_empty() { published.as_slice() } else { allowed_addresses };
        if !RINGING_SECONDS.contains(&ringing_timeout_seconds) {
            return Err(SipError::RingingTimeout { seconds: ringing_timeout_seconds });
        }
        if login.as_ref().is_some_and(|login| login.username.is_empty() || login.password.expose_secret().is_empty()) {
            return Err(SipError::EmptyLogin);
        }
        let allowed_addresses = allowed_addresses
            .iter()
            .enumerate()
            .map(|(index, text)| match range(text) {
                None => Err(SipError::BadAddress { index }),
                Some(range) if range.prefix_len() == 0 => Err(SipError::EveryAddress { index }),
                Some(range) => Ok(range),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if allowed_addresses.is_empty() && login.is_none() {
            return Err(SipError::Open);
        }
        let ringing_timeout = Duration::from_secs(ringing_timeout_seconds.unsigned_abs().into());
        Ok(Self { kind, allowed_addresses, login, ringing_timeout })
    }
}

/// An address is a range of one. Bits after the prefix are dropped, so that equal ranges are equal texts.
fn range(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>()).ok().map(|range| range.trunc())
}

impl Carrier for SipCarrier {
    fn kind(&self) -> CarrierKind {
        self.kind
    }

    fn inbound_trunk(&self, numbers: &BTreeSet<E164>) -> Option<InboundTrunk> {
        if numbers.is_empty() {
            return None;
        }
        Some(InboundTrunk {
            numbers: numbers.iter().cloned().collect(),
            allowed_addresses: self.allowed_addresses.clone(),
            login: self.login.clone(),
            ringing_timeout: self.ringing_timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(password: &str) -> Option<SipLogin> {
        Some(SipLogin { username: "carrier".to_owned(), password: password.into() })
    }

    fn addresses(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn error(texts: &[&str], login: Option<SipLogin>, seconds: i32) -> SipError {
        SipCarrier::new(&addresses(texts), login, seconds).unwrap_err()
    }

    #[test]
    fn an_unsafe_or_incomplete_trunk_is_refused() {
        assert_eq!(error(&[], None, 20), SipError::Open);
        assert_eq!(error(&["203.0.113.0/24", "carrier.example"], None, 20), SipError::BadAddress { index: 1 });
        assert_eq!(error(&["203.0.113.0/33"], None, 20), SipError::BadAddress { index: 0 });
        assert_eq!(error(&["0.0.0.0/0"], None, 20), SipError::EveryAddress { index: 0 });
        assert_eq!(error(&["::/0"], login("secret"), 20), SipError::EveryAddress { index: 0 });
        assert_eq!(error(&["203.0.113.7"], login(""), 20), SipError::EmptyLogin);
        for seconds in [0, 4, 21, -5] {
            assert_eq!(error(&["203.0.113.7"], None, seconds), SipError::RingingTimeout { seconds });
        }
        let text = error(&[], None, 3).to_string();
        assert_eq!(text, "ringingTimeoutSeconds is 3: use 5 to 20");
    }

    #[test]
    fn a_trunk_exists_only_while_it_has_numbers() {
        let texts = addresses(&["203.0.113.7", "198.51.100.77/24", "2001:db8::/32"]);
        let carrier = SipCarrier::new(&texts, login("secret"), 15).unwrap();
        assert_eq!(carrier.kind().as_str(), "sip");
        assert!(carrier.inbound_trunk(&BTreeSet::new()).is_none());
        let numbers: BTreeSet<E164> =
            ["+15550101", "+15550100"].iter().map(|number| E164::parse(number).unwrap()).collect();
        let trunk = carrier.inbound_trunk(&numbers).unwrap();
        assert_eq!(trunk.numbers.iter().map(E164::as_str).collect::<Vec<_>>(), ["+15550100", "+15550101"]);
        let ranges: Vec<String> = trunk.allowed_addresses.iter().map(ToString::to_string).collect();
        assert_eq!(ranges, ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32"]);
        assert_eq!(trunk.ringing_timeout, Duration::from_secs(15));
        let printed = format!("{trunk:?}");
        assert!(!printed.contains("secret\"") && !printed.contains("5550100"), "{printed}");
    }

    #[test]
    fn a_known_carriers_trunk_is_open_to_its_published_addresses_only() {
        let numbers = BTreeSet::from([E164::parse("+15550100").unwrap()]);
        for (kind, count, one) in
            [(CarrierKind::Twilio, 8, "54.172.60.0/30"), (CarrierKind::Telnyx, 10, "192.76.120.10/32")]
        {
            let carrier = SipCarrier::of(kind, &[], None, 20).unwrap();
            assert_eq!(carrier.kind(), kind);
            let ranges: Vec<_> =
                carrier.inbound_trunk(&numbers).unwrap().allowed_addresses.iter().map(ToString::to_string).collect();
            assert_eq!(ranges.len(), count);
            assert!(ranges.iter().any(|range| range == one), "{ranges:?}");
        }
        let own = SipCarrier::of(CarrierKind::Twilio, &addresses(&["203.0.113.7"]), None, 20).unwrap();
        assert_eq!(own.inbound_trunk(&numbers).unwrap().allowed_addresses.len(), 1, "the agency's list replaces it");
        assert!(CarrierKind::Sip.signalling_addresses().is_empty());
    }

    #[test]
    fn a_login_alone_is_enough() {
        assert!(SipCarrier::new(&[], login("secret"), 20).is_ok());
    }
}
