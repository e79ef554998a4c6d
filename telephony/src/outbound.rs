//! Where a carrier takes the calls that we place.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use crate::carrier::{CarrierKind, SipLogin};

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In datagrams.
    Udp,
    /// In a connection.
    Tcp,
    /// In an encrypted connection.
    Tls,
}

/// Whether media is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEncryption {
    /// Never.
    Disabled,
    /// If the carrier wants it.
    Allowed,
    /// Always.
    Required,
}

/// An outbound trunk as it is described, before anything is checked.
#[derive(Debug, Clone)]
pub struct OutboundSettings {
    /// Host that takes calls; none: the carrier's own.
    pub address: Option<String>,
    /// How the signalling travels.
    pub transport: Transport,
    /// Whether the media is encrypted.
    pub media_encryption: MediaEncryption,
    /// What the carrier asks for.
    pub login: Option<SipLogin>,
    /// Headers of every call.
    pub headers: BTreeMap<String, String>,
}

/// An outbound trunk whose settings are complete.
#[derive(Debug, Clone)]
pub struct OutboundTrunk {
    address: String,
    settings: OutboundSettings,
}

/// Why the settings of an outbound trunk cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The carrier publishes no host for everybody.
    #[error("address is needed: {} has no host that takes the calls of all its customers", .kind.as_str())]
    NoAddress {
        /// The carrier.
        kind: CarrierKind,
    },
    /// A URI, or something else.
    #[error("address must be a host name or IPv4 address, with a port if need be, and no URI")]
    BadAddress,
    /// User name or password is empty.
    #[error("the Secret named in authSecretRef needs non-empty username and password")]
    EmptyLogin,
    /// Keys would be readable.
    #[error("mediaEncryption needs transport TLS: the keys of the media stand in the signalling")]
    OpenKeys,
    /// Not one of ours to set.
    #[error("a name in headers does not begin with X-")]
    BadHeader,
}

impl OutboundTrunk {
    /// Checks the settings of an outbound trunk. What the carrier is known to want is added: its host, and at Telnyx the
    /// header by which it finds the connection whose user name it is.
    ///
    /// # Errors
    /// [`OutboundError`] names the field and the fix.
    pub fn new(kind: CarrierKind, mut settings: OutboundSettings) -> Result<Self, OutboundError> {
        let published = kind.termination_host().map(str::to_owned);
        let address = settings.address.clone().or(published).ok_or(OutboundError::NoAddress { kind })?;
        let (host, port) = address.split_once(':').map_or((address.as_str(), None), |(host, port)| (host, Some(port)));
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if host.is_empty() || !host.bytes().all(is_host) || !is_port {
            return Err(OutboundError::BadAddress);
        }
        if settings.media_encryption != MediaEncryption::Disabled && settings.transport != Transport::Tls {
            return Err(OutboundError::OpenKeys);
        }
        if settings.headers.keys().any(|name| !name.starts_with("X-")) {
            return Err(OutboundError::BadHeader);
        }
        if let Some(login) = &settings.login {
            if login.username.is_empty() || login.password.expose_secret().is_empty() {
                return Err(OutboundError::EmptyLogin);
            }
            if let Some(header) = kind.username_header() {
                settings.headers.entry(header.to_owned()).or_insert_with(|| login.username.clone());
            }
        }
        Ok(Self { address, settings })
    }

    /// Host that takes the calls, with a port if it is not the usual one.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How the signalling travels.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.settings.transport
    }

    /// Whether the media is encrypted.
    #[must_use]
    pub const fn media_encryption(&self) -> MediaEncryption {
        self.settings.media_encryption
    }

    /// What the carrier asks for.
    #[must_use]
    pub const fn login(&self) -> Option<&SipLogin> {
        self.settings.login.as_ref()
    }

    /// Headers of every call.
    #[must_use]
    pub const fn headers(&self) -> &BTreeMap<String, String> {
        &self.settings.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OutboundSettings {
        OutboundSettings {
            address: Some("sip.example.com:5080".to_owned()),
            transport: Transport::Udp,
            media_encryption: MediaEncryption::Disabled,
            login: None,
            headers: BTreeMap::new(),
        }
    }

    fn login(username: &str, password: &str) -> Option<SipLogin> {
        Some(SipLogin { username: username.to_owned(), password: password.into() })
    }

    fn error(kind: CarrierKind, change: impl FnOnce(&mut OutboundSettings)) -> OutboundError {
        let mut settings = settings();
        change(&mut settings);
        OutboundTrunk::new(kind, settings).unwrap_err()
    }

    #[test]
    fn what_cannot_work_or_is_not_safe_is_refused() {
        for kind in [CarrierKind::Sip, CarrierKind::Twilio, CarrierKind::GotoConnect] {
            assert_eq!(error(kind, |settings| settings.address = None), OutboundError::NoAddress { kind });
        }
        for address in ["", "sip:host", "user@host", "host:0", "host:70000", "host:", "host;transport=tcp", "a b"] {
            let refused = error(CarrierKind::Sip, |settings| settings.address = Some(address.to_owned()));
            assert_eq!(refused, OutboundError::BadAddress, "{address}");
        }
        let sip = CarrierKind::Sip;
        assert_eq!(error(sip, |settings| settings.login = login("", "p")), OutboundError::EmptyLogin);
        assert_eq!(error(sip, |settings| settings.login = login("u", "")), OutboundError::EmptyLogin);
        assert_eq!(
            error(sip, |settings| settings.media_encryption = MediaEncryption::Required),
            OutboundError::OpenKeys
        );
        let header = BTreeMap::from([("From".to_owned(), "+15550100".to_owned())]);
        assert_eq!(error(sip, |settings| settings.headers = header), OutboundError::BadHeader);
    }

    #[test]
    fn telnyx_has_one_host_and_finds_the_connection_by_its_user_name() {
        let own = OutboundSettings { address: None, login: login("office", "hush"), ..settings() };
        let trunk = OutboundTrunk::new(CarrierKind::Telnyx, own.clone()).unwrap();
        assert_eq!(trunk.address(), "sip.telnyx.com");
        assert_eq!(trunk.headers()["X-Telnyx-Username"], "office");
        assert!(!format!("{trunk:?}").contains("hush"));
        let named = BTreeMap::from([("X-Telnyx-Username".to_owned(), "other".to_owned())]);
        let trunk = OutboundTrunk::new(CarrierKind::Telnyx, OutboundSettings { headers: named, ..own }).unwrap();
        assert_eq!(trunk.headers()["X-Telnyx-Username"], "other", "what is written counts");
        let other = OutboundSettings { login: login("office", "hush"), ..settings() };
        assert!(OutboundTrunk::new(CarrierKind::Sip, other).unwrap().headers().is_empty());
    }
}
