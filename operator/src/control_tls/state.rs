//! What is stored about authorities and the server's certificate, and what to do about it. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an authority is valid.
pub const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// An authority gets a successor when it has less than this left.
const AUTHORITY_SUCCESSION: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long an authority is published before it signs: kubelets refresh mounted ConfigMaps within minutes.
const PUBLISHED_BEFORE_USE: SignedDuration = SignedDuration::from_hours(24);
/// How long the server's certificate is valid.
pub const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// The server's certificate is renewed when it has less than this left.
const SERVER_RENEWAL: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A certificate authority with its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// Tells authorities apart; part of the certificate's subject.
    pub serial: String,
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    pub key: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it expires.
    pub not_after: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("serial", &self.serial)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// What is known about the server's certificate without parsing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerFacts {
    /// Serial of the authority that signed it.
    pub signed_by: String,
    /// When it expires.
    pub not_after: Timestamp,
    /// The names it is valid for.
    pub names: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Make a new authority.
    pub new_authority: bool,
    /// Authorities that are still valid, by serial; the others are dropped.
    pub keep: Vec<String>,
    /// Make a new server certificate, signed by the authority with this serial (`None`: the new one).
    pub new_server: Option<Option<String>>,
}

/// Decides from what is stored. `server` is `None` when the Secret is missing or incomplete.
#[must_use]
pub fn decide(authorities: &[Authority], server: Option<&ServerFacts>, names: &[String], now: Timestamp) -> Decision {
    let left = |until: Timestamp| until.duration_since(now);
    let valid: Vec<&Authority> =
        authorities.iter().filter(|authority| left(authority.not_after) > SignedDuration::ZERO).collect();
    let new_authority = valid.iter().all(|authority| left(authority.not_after) < AUTHORITY_SUCCESSION);
    // The newest one that everybody knows; at the very beginning the only one there is.
    let published = |authority: &&&Authority| now.duration_since(authority.issued_at) >= PUBLISHED_BEFORE_USE;
    let newest = |authority: &&&Authority| authority.issued_at;
    let signer = valid
        .iter()
        .filter(published)
        .max_by_key(newest)
        .or_else(|| valid.iter().min_by_key(newest))
        .map(|authority| authority.serial.clone());
    let good = server.is_some_and(|server| {
        server.names == names
            && left(server.not_after) >= SERVER_RENEWAL
            && valid.iter().any(|authority| authority.serial == server.signed_by)
    });
    Decision {
        new_authority,
        keep: valid.iter().map(|authority| authority.serial.clone()).collect(),
        new_server: (!good).then_some(signer),
    }
}
