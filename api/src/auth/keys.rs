//! The key material mounted from the Secret `voxplane-auth`.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// Why the authentication Secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthKeysError {
    /// A file of the Secret is missing or unreadable.
    #[error("cannot read {}: the Secret voxplane-auth must hold the key `{key}`", path.display())]
    Read {
        /// Key of the Secret.
        key: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("the key `{key}` of the Secret voxplane-auth is not usable: {fix}")]
    Format {
        /// Key of the Secret.
        key: &'static str,
        /// What it must be.
        fix: &'static str,
    },
}

/// Everything the API signs, checks and encrypts with.
pub struct AuthKeys {
    /// Ed25519 private key, PKCS#8 PEM; signs access tokens and session credentials.
    pub signing_key_pem: Vec<u8>,
    /// E-mail address of the first administrator.
    pub bootstrap_email: String,
    /// Password of the first administrator.
    pub bootstrap_password: SecretString,
    /// Wraps the key of every call.
    pub data_key: [u8; 32],
}

impl fmt::Debug for AuthKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthKeys").finish_non_exhaustive()
    }
}

impl AuthKeys {
    /// Reads and checks every key.
    ///
    /// # Errors
    /// Names the key of the Secret and what it must be.
    pub fn load(dir: &Path) -> Result<Self, AuthKeysError> {
        let email = read_text(dir, "bootstrap-email")?;
        if !email.contains('@') {
            return Err(AuthKeysError::Format { key: "bootstrap-email", fix: "write an e-mail address" });
        }
        let password = read_text(dir, "bootstrap-password")?;
        if password.is_empty() {
            return Err(AuthKeysError::Format { key: "bootstrap-password", fix: "it must not be empty" });
        }
        Ok(Self {
            signing_key_pem: read(dir, "signing-key.pem")?,
            bootstrap_email: email,
            bootstrap_password: SecretString::from(password),
            data_key: data_key(&read(dir, "data-key")?)?,
        })
    }
}

/// Accepts the 32 raw bytes, or their base64.
fn data_key(raw: &[u8]) -> Result<[u8; 32], AuthKeysError> {
    let wrong = || AuthKeysError::Format { key: "data-key", fix: "write 32 random bytes in base64" };
    if let Ok(key) = <[u8; 32]>::try_from(raw) {
        return Ok(key);
    }
    let text = std::str::from_utf8(raw).map_err(|_| wrong())?;
    let bytes = STANDARD.decode(text.trim()).map_err(|_| wrong())?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| wrong())
}

fn read(dir: &Path, key: &'static str) -> Result<Vec<u8>, AuthKeysError> {
    let path = dir.join(key);
    std::fs::read(&path).map_err(|source| AuthKeysError::Read { key, path, source })
}

fn read_text(dir: &Path, key: &'static str) -> Result<String, AuthKeysError> {
    let bytes = read(dir, key)?;
    let text = String::from_utf8(bytes).map_err(|_| AuthKeysError::Format { key, fix: "it must be UTF-8 text" })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_key_is_raw_or_base64() {
        assert_eq!(data_key(&[7; 32]).unwrap(), [7; 32]);
        let text = format!("{}\n", STANDARD.encode([9; 32]));
        assert_eq!(data_key(text.as_bytes()).unwrap(), [9; 32]);
        assert!(data_key(b"short").is_err());
    }

    #[test]
    fn a_missing_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = AuthKeys::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("`bootstrap-email`"), "{error}");
    }
}
