//! Keys of the tenant's vendors, as files mounted into the pod.
//!
//! For a Secret NAME the directory holds `NAME` (the key) and `NAME.endpoints` (the base URLs the key may be sent to,
//! one per line). Of Secrets that tools use it holds every other value as `NAME.key.KEY`. Files are read when they are
//! needed, so a renewed key needs no restart.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::{ProviderError, Result};

/// Longest credential file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The directory with the pod's credentials.
#[derive(Debug, Clone)]
pub struct Credentials {
    directory: PathBuf,
}

/// A key and where it may be sent.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The key itself.
    pub key: SecretString,
    /// Base URLs the Secret's owner allows.
    pub endpoints: Vec<String>,
}

impl Credentials {
    /// Credentials below `directory`, which may be missing: then every lookup says so.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Reads the credential called `name`; `field` is the agent's field that names it, for the error.
    ///
    /// # Errors
    /// [`ProviderError::Config`] when the name is not a file name or the file is missing or empty.
    pub fn read(&self, name: &str, field: &str) -> Result<Credential> {
        if name.is_empty() || name.contains('/') || name.starts_with(['.', '_']) {
            return Err(ProviderError::config(field, "name a Secret of type voxplane.dev/credentials"));
        }
        let Some(key) = text(&self.directory.join(name))? else {
            let message = format!(
                "this pod has no key from a Secret called {name:?}; create it in the agent's namespace with type \
                 voxplane.dev/credentials and the key api-key"
            );
            return Err(ProviderError::config(field, message));
        };
        let key = key.trim();
        if key.is_empty() {
            return Err(ProviderError::config(field, format!("the key api-key of the Secret {name:?} is empty")));
        }
        Ok(Credential { key: SecretString::from(key), endpoints: self.endpoints(name)? })
    }

    /// Where the values of the credential called `name` may be sent; nowhere, if there is none.
    ///
    /// # Errors
    /// [`ProviderError::Config`] when the name is not a file name, [`ProviderError::Unavailable`] when the file cannot be
    /// read.
    pub fn endpoints(&self, name: &str) -> Result<Vec<String>> {
        let endpoints = text(&self.file(name, "endpoints")?)?.unwrap_or_default();
        Ok(endpoints.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// A value of a credential that has several: `NAME.key.KEY`.
    pub fn value(&self, name: &str, key: &str) -> Option<SecretString> {
        let value = text(&self.file(name, &format!("key.{key}")).ok()?).ok()??;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty()).map(SecretString::from)
    }

    fn file(&self, name: &str, ending: &str) -> Result<PathBuf> {
        let outside = |part: &str| part.is_empty() || part.contains('/');
        if outside(name) || outside(ending) || name.starts_with(['.', '_']) {
            return Err(ProviderError::config("secretRef", "name a Secret of type voxplane.dev/credentials"));
        }
        Ok(self.directory.join(format!("{name}.{ending}")))
    }
}

fn text(path: &Path) -> Result<Option<String>> {
    let unreadable = |error| ProviderError::unavailable(path.display().to_string(), error);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_FILE => {
            Err(unreadable(std::io::Error::other(format!("longer than {MAX_FILE} bytes"))))
        }
        Ok(_) => std::fs::read_to_string(path).map(Some).map_err(unreadable),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_comes_with_its_endpoints() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("vendor"), "sk-1\n").unwrap();
        std::fs::write(directory.path().join("vendor.endpoints"), "https://a.example/v1\n\n https://b.example \n")
            .unwrap();
        let credential = Credentials::new(directory.path()).read("vendor", "llm.secretRef").unwrap();
        assert_eq!(credential.key.expose_secret(), "sk-1");
        assert_eq!(credential.endpoints, ["https://a.example/v1", "https://b.example"]);
        assert!(!format!("{credential:?}").contains("sk-1"));
    }

    /// The operator puts keys that an agent inherits from its agency beside its own, under another name.
    #[test]
    fn an_agencys_key_and_a_tenants_of_the_same_name_are_two() {
        let directory = tempfile::tempdir().unwrap();
        for (name, key) in [("vendor", "of-the-tenant"), ("agency_vendor", "of-the-agency")] {
            std::fs::write(directory.path().join(name), key).unwrap();
        }
        let read = |name| Credentials::new(directory.path()).read(name, "llm.secretRef").unwrap();
        assert_eq!(read("agency_vendor").key.expose_secret(), "of-the-agency");
        assert_eq!(read("vendor").key.expose_secret(), "of-the-tenant");
    }

    #[test]
    fn a_credential_may_have_several_values() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("crm.key.token"), "t-1\n").unwrap();
        std::fs::write(directory.path().join("crm.endpoints"), "https://crm.example").unwrap();
        let credentials = Credentials::new(directory.path());
        assert_eq!(credentials.value("crm", "token").unwrap().expose_secret(), "t-1");
        assert_eq!(credentials.endpoints("crm").unwrap(), ["https://crm.example"]);
        assert!(credentials.value("crm", "other").is_none() && credentials.value("crm", "../x").is_none());
        assert_eq!(credentials.endpoints("other").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_key_names_field_and_fix() {
        let error = Credentials::new("/nowhere").read("vendor", "llm.secretRef").unwrap_err();
        assert!(error.is_fatal());
        assert!(error.to_string().starts_with("llm.secretRef: this pod has no key from a Secret called \"vendor\""));
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for name in ["", "../x", "a/b", ".hidden", "_hash"] {
            assert!(Credentials::new("/").read(name, "llm.secretRef").is_err(), "{name}");
        }
    }
}
