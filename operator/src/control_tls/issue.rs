//! Makes keys and certificates (ECDSA P-256).

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use super::state::{AUTHORITY_LIFE, Authority, SERVER_LIFE, ServerFacts};

/// Certificates begin a little in the past: the clocks of nodes differ.
const CLOCK_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// A server's certificate with its key.
#[derive(Clone)]
pub struct Server {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    pub key: String,
    /// What is stored beside it.
    pub facts: ServerFacts,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The library refused.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The system's clock is outside of the years that certificates can express.
    #[error("the time {0} does not fit into a certificate: check the clock")]
    Time(Timestamp),
}

/// Makes an authority.
///
/// # Errors
/// [`IssueError`].
pub fn authority(now: Timestamp) -> Result<Authority, IssueError> {
    let serial = uuid::Uuid::now_v7().simple().to_string();
    let key = KeyPair::generate()?;
    let not_after = now + AUTHORITY_LIFE;
    let mut params = authority_params(&serial)?;
    params.not_before = date(now - CLOCK_SKEW)?;
    params.not_after = date(not_after)?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(Authority { serial, certificate, key: key.serialize_pem(), issued_at: now, not_after })
}

/// Makes a server certificate for `names`, signed by `authority`.
///
/// # Errors
/// [`IssueError`], also when the authority's stored key cannot be read.
pub fn server(authority: &Authority, names: &[String], now: Timestamp) -> Result<Server, IssueError> {
    let issuer = Issuer::new(authority_params(&authority.serial)?, KeyPair::from_pem(&authority.key)?);
    let key = KeyPair::generate()?;
    let not_after = (now + SERVER_LIFE).min(authority.not_after);
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = common_name("voxplane control");
    params.not_before = date(now - CLOCK_SKEW)?;
    params.not_after = date(not_after)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &issuer)?.pem();
    let facts = ServerFacts { signed_by: authority.serial.clone(), not_after, names: names.to_vec() };
    Ok(Server { certificate, key: key.serialize_pem(), facts })
}

/// What an authority's certificate and the certificates it signs must agree on. Made from the serial alone, so that no
/// certificate has to be parsed.
fn authority_params(serial: &str) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = common_name(&format!("voxplane control authority {serial}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn date(at: Timestamp) -> Result<OffsetDateTime, IssueError> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| IssueError::Time(at))
}
