//! EdDSA tokens: access tokens of people (audience `voxplane-api`) and session credentials of pods (audience
//! `voxplane-runtime-session`). The audiences differ so that neither is ever taken for the other.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::principal::{Principal, Role};

/// How long an access token is good for.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

const ISSUER: &str = "voxplane";
const API_AUDIENCE: &str = "voxplane-api";
const SESSION_AUDIENCE: &str = "voxplane-runtime-session";

/// Why a token was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Wrong signature, audience or shape.
    #[error("the token is not valid")]
    Invalid,
    /// The key cannot sign; the Secret holds something else than an Ed25519 key.
    #[error("the signing key is not an Ed25519 PKCS#8 key")]
    Key,
}

/// Claims of an access token.
#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    sub: String,
    email: String,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agency_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Claims of a session credential.
#[derive(Debug, Serialize, Deserialize)]
struct SessionClaims {
    iss: String,
    aud: String,
    /// Uid of the pod.
    sub: String,
    pool: String,
    pod: String,
    exp: i64,
}

/// Who a session credential was given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionIdentity {
    /// Uid of the pod.
    pub pod_uid: String,
    /// Name of the pod, for people.
    pub pod_name: String,
    /// `<tenant namespace>/voxplane-runtime`.
    pub pool: String,
}

/// Signs and checks tokens with one Ed25519 key.
pub struct Tokens {
    signer: EncodingKey,
    verifier: DecodingKey,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// From an Ed25519 private key in PKCS#8 PEM.
    ///
    /// # Errors
    /// [`TokenError::Key`] when it is anything else.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TokenError> {
        let signer = EncodingKey::from_ed_pem(pem).map_err(|_| TokenError::Key)?;
        let public = Jwk::from_encoding_key(&signer, Algorithm::EdDSA).map_err(|_| TokenError::Key)?;
        let verifier = DecodingKey::from_jwk(&public).map_err(|_| TokenError::Key)?;
        Ok(Self { signer, verifier })
    }

    /// A token for `principal`, good for [`ACCESS_TOKEN_LIFE`].
    ///
    /// # Errors
    /// [`TokenError::Key`] when signing fails.
    pub fn issue_access(&self, principal: &Principal, now: Timestamp) -> Result<String, TokenError> {
        self.sign(&AccessClaims {
            iss: ISSUER.to_owned(),
            aud: API_AUDIENCE.to_owned(),
            sub: principal.subject.clone(),
            email: principal.email.clone(),
            role: principal.role,
            agency_id: principal.agency,
            tenant_id: principal.tenant,
            iat: now.as_second(),
            exp: now.as_second() + ACCESS_TOKEN_LIFE.as_secs().cast_signed(),
            jti: Uuid::now_v7(),
        })
    }

    /// The principal behind an access token.
    ///
    /// # Errors
    /// [`TokenError::Expired`] or [`TokenError::Invalid`].
    pub fn verify_access(&self, token: &str) -> Result<Principal, TokenError> {
        let claims: AccessClaims = self.check(token, API_AUDIENCE)?;
        Principal::new(claims.sub, claims.email, claims.role, claims.agency_id, claims.tenant_id)
            .ok_or(TokenError::Invalid)
    }

    /// A credential with which a pod reconnects and asks for passages.
    ///
    /// # Errors
    /// [`TokenError::Key`] when signing fails.
    pub fn issue_session(&self, identity: &SessionIdentity, expires: Timestamp) -> Result<String, TokenError> {
        self.sign(&SessionClaims {
            iss: ISSUER.to_owned(),
            aud: SESSION_AUDIENCE.to_owned(),
            sub: identity.pod_uid.clone(),
            pool: identity.pool.clone(),
            pod: identity.pod_name.clone(),
            exp: expires.as_second(),
        })
    }

    /// The pod behind a session credential.
    ///
    /// # Errors
    /// [`TokenError::Expired`] or [`TokenError::Invalid`].
    pub fn verify_session(&self, token: &str) -> Result<SessionIdentity, TokenError> {
        let claims: SessionClaims = self.check(token, SESSION_AUDIENCE)?;
        Ok(SessionIdentity { pod_uid: claims.sub, pod_name: claims.pod, pool: claims.pool })
    }

    fn sign<T: Serialize>(&self, claims: &T) -> Result<String, TokenError> {
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &self.signer).map_err(|_| TokenError::Key)
    }

    fn check<T: for<'de> Deserialize<'de>>(&self, token: &str, audience: &str) -> Result<T, TokenError> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        rules.leeway = 5;
        match jsonwebtoken::decode::<T>(token, &self.verifier, &rules) {
            Ok(data) => Ok(data.claims),
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature) => {
                Err(TokenError::Expired)
            }
            Err(_) => Err(TokenError::Invalid),
        }
    }
}
