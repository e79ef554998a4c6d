//! The request for an access token: OAuth 2.0, grant type `refresh_token` (RFC 6749 section 6), as GoTo documents it:
//! <https://developer.goto.com/guides/Authentication/05_HOW_refreshToken>.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::form_urlencoded;
use voxplane_platform::redact::Redacted;

use crate::market::answer::{Answer, Complaint};
use crate::market::censor::censor;
use crate::market::http::Effect;
use crate::market::{Http, MarketError};

/// The lifetime of a token whose answer does not say: that of GoTo's documentation.
const LIFETIME: u64 = 3_600;
/// The longest lifetime that is believed.
const LONGEST: u64 = 24 * 3_600;

/// Who asks for tokens, and where.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    http: Http,
    url: Url,
    client_id: String,
    client_secret: SecretString,
}

/// What was granted.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) access_token: SecretString,
    pub(super) lifetime: Duration,
    /// Another refresh token, if the old one has ended.
    pub(super) refresh_token: Option<SecretString>,
}

#[derive(Deserialize)]
struct Body {
    access_token: Redacted<String>,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<Redacted<String>>,
}

/// An error of RFC 6749 section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Grant {
    pub(super) const fn new(http: Http, url: Url, client_id: String, client_secret: SecretString) -> Self {
        Self { http, url, client_id, client_secret }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.url == other.url
            && self.client_id == other.client_id
            && self.client_secret.expose_secret() == other.client_secret.expose_secret()
    }

    /// Asks for an access token. What was to be done with it was certainly not done when this fails.
    pub(super) async fn refresh(&self, refresh_token: &SecretString) -> Result<Granted, MarketError> {
        self.ask(refresh_token).await.map_err(|error| match error {
            unreadable @ MarketError::Protocol { .. } => MarketError::Unavailable { source: Box::new(unreadable) },
            other => other,
        })
    }

    async fn ask(&self, refresh_token: &SecretString) -> Result<Granted, MarketError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", refresh_token.expose_secret())
            .finish();
        let request = self
            .http
            .client()
            .post(self.url.clone())
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(reqwest::header::ACCEPT, "application/json")
            .body(body);
        // It changes nothing that we would have to look for: whatever happens, it is asked again.
        let answer = self.http.send(request, Effect::Reads).await?;
        if let Some(error) = refusal(&answer) {
            return Err(error);
        }
        let Body { access_token, expires_in, refresh_token } =
            answer.success(Effect::Reads, complaint)?.json("the access token")?;
        let lifetime = Duration::from_secs(expires_in.unwrap_or(LIFETIME).min(LONGEST));
        let refresh_token = refresh_token.map(Redacted::into_inner).filter(|token| !token.is_empty());
        let access_token = access_token.into_inner().into();
        Ok(Granted { access_token, lifetime, refresh_token: refresh_token.map(SecretString::from) })
    }
}

/// What a person has to do something about.
fn refusal(answer: &Answer) -> Option<MarketError> {
    if !answer.is_refusal() {
        return None;
    }
    let Refusal { error, error_description } = serde_json::from_slice(&answer.body).ok()?;
    match error.as_str() {
        "invalid_grant" => Some(MarketError::Reauthorize {
            message: said("GoTo does not take the refresh token any more", &error_description),
        }),
        "invalid_client" | "unauthorized_client" => Some(MarketError::Credentials {
            message: said("GoTo does not know the client id and secret", &error_description),
        }),
        _ => None,
    }
}

fn said(what: &str, description: &str) -> String {
    if description.is_empty() { what.to_owned() } else { format!("{what}: {}", censor(description)) }
}

fn complaint(body: &[u8]) -> Complaint {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error, error_description }) => {
            Complaint { code: Some(error), message: error_description, forbidden: false }
        }
        Err(_) => Complaint::default(),
    }
}
