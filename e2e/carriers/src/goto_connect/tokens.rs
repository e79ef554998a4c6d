//! Access and refresh tokens: OAuth 2.0 as GoTo documents it. A refresh token is answered with another one only when it
//! has ended.

use axum::Json;
use axum::extract::{Form, State, rejection::FormRejection};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{CLIENT_ID, CLIENT_SECRET, Parameters, REFRESH_TOKEN, World};
use crate::world::lock;

/// What is known of tokens.
#[derive(Debug)]
pub struct Tokens {
    /// The refresh token that is good.
    refresh_token: String,
    /// Access tokens that are good begin with this number.
    first_good: u32,
    /// Access tokens issued so far.
    issued: u32,
    /// Refresh tokens issued so far.
    rotations: u32,
    /// Seconds that an access token is said to live.
    lifetime: u64,
    /// The refresh token has ended: the next answer has another one, and this one is good for nothing then.
    ended: bool,
    /// The administrator withdrew the authorisation.
    revoked: bool,
    /// The authorisation lacks a scope.
    unscoped: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            refresh_token: REFRESH_TOKEN.to_owned(),
            first_good: 1,
            issued: 0,
            rotations: 0,
            lifetime: 3_600,
            ended: false,
            revoked: false,
            unscoped: false,
        }
    }
}

impl Tokens {
    /// How often an access token was fetched.
    #[must_use]
    pub const fn issued(&self) -> u32 {
        self.issued
    }

    pub(crate) const fn set_lifetime(&mut self, seconds: u64) {
        self.lifetime = seconds;
    }

    /// All access tokens end now.
    pub(crate) const fn expire(&mut self) {
        self.first_good = self.issued + 1;
    }

    /// The refresh token ends: the next one who uses it gets another one.
    pub(crate) const fn end_refresh_token(&mut self) {
        self.ended = true;
    }

    /// The administrator withdraws the authorisation.
    pub(crate) const fn revoke(&mut self) {
        self.revoked = true;
    }

    /// The administrator authorises again; returns the new refresh token.
    pub(crate) fn authorize_again(&mut self) -> String {
        self.revoked = false;
        self.unscoped = false;
        self.rotate();
        self.refresh_token.clone()
    }

    /// The authorisation lacks a scope from now on.
    pub(crate) const fn drop_scope(&mut self) {
        self.unscoped = true;
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        self.ended = false;
        self.refresh_token = format!("simulated-refresh-token-{}", self.rotations);
    }

    /// Why an access token is refused, if it is.
    pub(crate) fn judge(&self, token: Option<&str>) -> Option<(StatusCode, &'static str, &'static str)> {
        let known = token
            .and_then(|token| token.strip_prefix("simulated-access-token-")?.parse::<u32>().ok())
            .filter(|number| (1..=self.issued).contains(number));
        match known {
            None if token.is_none() => Some((StatusCode::UNAUTHORIZED, "AUTHN_MALFORMED_TOKEN", "Token is missing.")),
            None => Some((StatusCode::UNAUTHORIZED, "AUTHN_INVALID_TOKEN", "Invalid token passed.")),
            Some(_) if self.revoked => Some((StatusCode::UNAUTHORIZED, "AUTHN_INVALID_TOKEN", "Invalid token passed.")),
            Some(number) if number < self.first_good => {
                Some((StatusCode::UNAUTHORIZED, "AUTHN_EXPIRED_TOKEN", "Expired token passed."))
            }
            Some(_) if self.unscoped => {
                Some((StatusCode::FORBIDDEN, "AUTHZ_INSUFFICIENT_SCOPE", "Insufficient scope."))
            }
            Some(_) => None,
        }
    }
}

/// The token endpoint: RFC 6749 sections 5 and 6.
pub(super) async fn grant(
    State(world): World,
    headers: HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return refused(StatusCode::BAD_REQUEST, "invalid_request") };
    if credentials(&headers).as_deref() != Some(&format!("{CLIENT_ID}:{CLIENT_SECRET}")) {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    if form.get("grant_type").map(String::as_str) != Some("refresh_token") {
        return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let tokens = &mut lock(&world).tokens;
    if tokens.revoked || form.get("refresh_token") != Some(&tokens.refresh_token) {
        return refused(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    tokens.issued += 1;
    let mut body = json!({
        "access_token": format!("simulated-access-token-{}", tokens.issued),
        "token_type": "Bearer",
        "expires_in": tokens.lifetime,
        "scope": "voice-admin.v1.read voice-admin.v1.write",
        "principal": "admin@example.com",
    });
    if tokens.ended {
        tokens.rotate();
        body["refresh_token"] = tokens.refresh_token.clone().into();
    }
    Json(body).into_response()
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": "Simulated." }))).into_response()
}

fn credentials(headers: &HeaderMap) -> Option<String> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}
