//! TLS of the control port: the certificate the operator made, read again when it renews it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use voxplane_platform::error_chain::ErrorChain;

/// The kubelet needs up to a minute or so to show a changed Secret anyway.
const RELOAD_INTERVAL: Duration = Duration::from_secs(30);

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or is not PEM.
    #[error("cannot read {}: the Secret voxplane-control-tls is made by the operator; is it running?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The key is of no kind that we know, or is not the certificate's.
    #[error("the key {} cannot be used with the certificate beside it", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// rustls refuses the configuration.
    #[error("TLS cannot be configured")]
    Config(#[source] rustls::Error),
}

/// The certificate in use.
#[derive(Debug)]
pub struct ControlCertificate {
    dir: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl ControlCertificate {
    /// Reads `tls.crt` and `tls.key` from the mounted Secret.
    ///
    /// # Errors
    /// Names the file and what to do.
    pub fn load(dir: &Path) -> Result<Arc<Self>, TlsError> {
        let key = read(dir)?;
        Ok(Arc::new(Self { dir: dir.to_owned(), current: ArcSwap::from_pointee(key) }))
    }

    /// A server configuration that always uses the newest certificate.
    ///
    /// # Errors
    /// When rustls refuses; it does not with the compiled-in provider.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Config)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks for a renewed certificate until `stop`. An unreadable one leaves the present one in use.
    pub async fn reload(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RELOAD_INTERVAL) => {}
            }
            match read(&self.dir) {
                Ok(fresh) if fresh.cert != self.current.load().cert => {
                    self.current.store(Arc::new(fresh));
                    info!("the control certificate was renewed");
                }
                Ok(_) => {}
                Err(error) => warn!(
                    error = %ErrorChain(&error),
                    "the control certificate cannot be read again; the present one stays in use"
                ),
            }
        }
    }
}

impl ResolvesServerCert for ControlCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(dir: &Path) -> Result<CertifiedKey, TlsError> {
    let (cert_path, key_path) = (dir.join("tls.crt"), dir.join("tls.key"));
    let chain = CertificateDer::pem_file_iter(&cert_path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Read { path: cert_path, source })?;
    let key =
        PrivateKeyDer::from_pem_file(&key_path).map_err(|source| TlsError::Read { path: key_path.clone(), source })?;
    let unusable = |source| TlsError::Key { path: key_path.clone(), source };
    let pair = CertifiedKey::new(chain, any_supported_type(&key).map_err(unusable)?);
    // The Secret may have been renewed between the two reads. A pair that does not fit would fail every handshake.
    pair.keys_match().map_err(unusable)?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["api.svc".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_caught_between_two_renewals_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        let write = |certificate: &str, key: &str| {
            std::fs::write(dir.path().join("tls.crt"), certificate).unwrap();
            std::fs::write(dir.path().join("tls.key"), key).unwrap();
        };
        write(&new, &old_key);
        let error = ControlCertificate::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("tls.key"), "{error}");
        write("", &old_key);
        assert!(ControlCertificate::load(dir.path()).is_err(), "no certificate at all");
        write(&old, &old_key);
        ControlCertificate::load(dir.path()).unwrap();
        write(&new, &new_key);
        ControlCertificate::load(dir.path()).unwrap();
    }
}
