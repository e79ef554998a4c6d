//! What a lab remembers: its index and the passwords made for it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use crate::error::{IoContext as _, LabError, Result};
use crate::layout::Network;

/// The document `lab.json`, readable by its owner only.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabState {
    /// Makes addresses, interfaces and control groups unique.
    pub index: u8,
    /// Generated when the lab is made, gone with it.
    pub secrets: Secrets,
}

/// Passwords and keys of one lab.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Postgres superuser `postgres`.
    pub postgres: String,
    /// Role `voxplane_owner`.
    pub postgres_owner: String,
    /// Role `voxplane_app`.
    pub postgres_app: String,
    /// Role `voxplane_jobs`.
    pub postgres_jobs: String,
    /// LiveKit API key (a name, not secret).
    pub livekit_key: String,
    /// LiveKit API secret.
    pub livekit_secret: String,
    /// S3 access key.
    pub s3_access: String,
    /// S3 secret key.
    pub s3_secret: String,
    /// Password of the installed product's first administrator.
    pub admin_password: String,
}

impl LabState {
    /// A new lab with fresh passwords.
    pub fn generate(index: u8) -> Self {
        let secrets = Secrets {
            postgres: token(32),
            postgres_owner: token(32),
            postgres_app: token(32),
            postgres_jobs: token(32),
            livekit_key: format!("APILAB{}", token(10)),
            livekit_secret: token(48),
            s3_access: token(20),
            s3_secret: token(40),
            admin_password: token(24),
        };
        Self { index, secrets }
    }

    /// Addresses of this lab.
    pub fn network(&self) -> Network {
        Network::new(self.index)
    }

    /// Reads `lab.json`; `None` if there is none.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("read", path),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| LabError::Document { what: path.display().to_string(), source })
    }

    /// Writes `lab.json`.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| LabError::Document { what: "the lab's own state".to_owned(), source })?;
        write_private(path, &text)
    }
}

/// Writes a file that only its owner may read, replacing an older one in one step.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .at("create", &partial)?;
    file.write_all(content).at("write", &partial)?;
    fs::rename(&partial, path).at("write", path)
}

/// Random letters and digits: safe in URLs, shells and YAML.
fn token(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(rng.sample(rand::distr::Alphanumeric))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_a_round_trip_and_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.json");
        let state = LabState::generate(7);
        state.save(&path).unwrap();
        let read = LabState::load(&path).unwrap().expect("just written");
        assert_eq!(read.index, 7);
        assert_eq!(read.secrets.livekit_secret, state.secrets.livekit_secret);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn two_labs_share_no_password() {
        let (a, b) = (LabState::generate(0), LabState::generate(1));
        assert_ne!(a.secrets.postgres, b.secrets.postgres);
        assert!(a.secrets.livekit_secret.len() >= 32, "LiveKit refuses shorter secrets");
    }
}
