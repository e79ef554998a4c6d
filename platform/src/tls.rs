//! The process-wide TLS cryptography provider.

/// Installs aws-lc-rs as the provider of rustls. Call it first in `main` and in tests that open TLS connections.
///
/// Several dependencies can bring more than one provider into a build, and rustls then refuses to guess. Calling this
/// again is harmless: the first installed provider stays.
pub fn install_crypto_provider() {
    // An Err means that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    #[test]
    fn installs_once_and_stays() {
        super::install_crypto_provider();
        super::install_crypto_provider();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
