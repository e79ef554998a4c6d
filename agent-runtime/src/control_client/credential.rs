//! How the pod proves who it is: the projected ServiceAccount token first, then the credential the API issues.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use voxplane_control::v1::{SessionCredential, hello};

/// Not used any more this long before it expires: clocks differ.
const MARGIN: Duration = Duration::from_secs(10);

/// The pod's credentials.
#[derive(Debug)]
pub struct Credentials {
    token_file: PathBuf,
    session: Mutex<Option<Session>>,
}

#[derive(Debug, Clone)]
struct Session {
    token: SecretString,
    expires: Timestamp,
    issued: Timestamp,
}

/// The token file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the ServiceAccount token {path}; mount a projected token with audience voxplane-runtime")]
pub struct TokenError {
    /// The file.
    pub path: String,
    /// The operating system's reason.
    #[source]
    pub source: std::io::Error,
}

impl Credentials {
    /// Starts with the token in this file.
    pub fn new(token_file: &Path) -> Self {
        Self { token_file: token_file.to_owned(), session: Mutex::default() }
    }

    /// What `Hello` carries: the API's own credential while it is valid, else the token.
    pub(super) async fn for_hello(&self) -> Result<hello::Credential, TokenError> {
        if let Some(token) = self.bearer() {
            return Ok(hello::Credential::SessionCredential(token));
        }
        match tokio::fs::read_to_string(&self.token_file).await {
            Ok(token) => Ok(hello::Credential::ServiceAccountToken(token.trim().to_owned())),
            Err(source) => Err(TokenError { path: self.token_file.display().to_string(), source }),
        }
    }

    /// The API's credential, if it is valid.
    pub(super) fn bearer(&self) -> Option<String> {
        let session = self.session();
        let session = session.as_ref().filter(|session| Timestamp::now() + MARGIN < session.expires)?;
        Some(session.token.expose_secret().to_owned())
    }

    /// The API issued a credential.
    pub(super) fn store(&self, credential: SessionCredential) {
        let expires = Timestamp::from_millisecond(credential.expires_at_unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        *self.session() = Some(Session { token: credential.token.into(), expires, issued: Timestamp::now() });
    }

    /// The API does not accept its credential any more.
    pub(super) fn forget(&self) {
        *self.session() = None;
    }

    /// Time until half of the credential's life is over.
    pub(super) fn renew_in(&self) -> Option<Duration> {
        let session = self.session().clone()?;
        let half = session.expires.duration_since(session.issued) / 2;
        let left = (session.issued + half).duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(lives: Duration) -> SessionCredential {
        let expires_at_unix_ms = (Timestamp::now() + lives).as_millisecond();
        SessionCredential { token: "issued".into(), expires_at_unix_ms }
    }

    #[tokio::test]
    async fn the_api_credential_is_preferred_while_it_is_valid() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "projected\n").unwrap();
        let credentials = Credentials::new(file.path());
        let token = || hello::Credential::ServiceAccountToken("projected".into());
        assert_eq!(credentials.for_hello().await.unwrap(), token());
        credentials.store(credential(Duration::from_secs(3_600)));
        let issued = hello::Credential::SessionCredential("issued".into());
        assert_eq!(credentials.for_hello().await.unwrap(), issued);
        assert!(credentials.renew_in().unwrap() > Duration::from_secs(1_700));
        credentials.store(credential(Duration::from_secs(5)));
        assert_eq!(credentials.for_hello().await.unwrap(), token(), "about to expire");
        assert!(!format!("{credentials:?}").contains("issued\""));
    }

    #[tokio::test]
    async fn a_missing_token_names_the_file_and_the_fix() {
        let error = Credentials::new(Path::new("/nowhere/token")).for_hello().await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/token") && error.to_string().contains("audience"), "{error}");
    }
}
