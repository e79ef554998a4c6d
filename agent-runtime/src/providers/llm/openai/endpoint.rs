//! Where a key may be sent. Pure.

use reqwest::Url;
use voxplane_platform::endpoint::Endpoint;

use crate::providers::{ProviderError, Result};

const FIELD: &str = "llm.baseUrl";

/// The completions URL below an agent's base URL, if one of the credential's endpoints allows it.
pub(super) fn completions_url(base: &str, allowed: &[String]) -> Result<Url> {
    if base.is_empty() {
        return Err(ProviderError::config(
            FIELD,
            "set the endpoint's base URL, for example https://api.example.com/v1",
        ));
    }
    let endpoint = Endpoint::parse(base).ok_or_else(|| {
        ProviderError::config(FIELD, format!("{base:?} is not an http(s) URL without user, query and fragment"))
    })?;
    if !endpoint.is_within(allowed) {
        let message = format!("{base:?} is not in the key allowed-endpoints of the agent's Secret; add it there");
        return Err(ProviderError::config(FIELD, message));
    }
    Ok(endpoint.resource("chat/completions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, allowed: &[&str]) -> Result<Url> {
        completions_url(base, &allowed.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_path_is_appended_once() {
        for base in ["https://a.example/v1", "https://a.example/v1/", "https://A.example:443/v1"] {
            let url = url(base, &["https://a.example/v1"]).unwrap();
            assert_eq!(url.as_str(), "https://a.example/v1/chat/completions");
        }
        assert_eq!(url("http://a:8000", &["http://a:8000/"]).unwrap().as_str(), "http://a:8000/chat/completions");
        assert!(url("https://a.example/v1/eu", &["https://a.example/v1"]).is_ok(), "below is allowed");
    }

    #[test]
    fn a_key_goes_nowhere_else() {
        let refused = [
            "https://b.example/v1",
            "http://a.example/v1",
            "https://a.example:8443/v1",
            "https://a.example/v2",
            "https://a.example/v1x",
            "https://a.example/v1/../v2",
            "https://a.example.evil.test/v1",
        ];
        for base in refused {
            let error = url(base, &["https://a.example/v1"]).unwrap_err().to_string();
            assert!(error.contains("allowed-endpoints"), "{base}: {error}");
        }
        assert!(url("https://a.example/v1", &[]).is_err());
    }

    #[test]
    fn a_bad_base_url_is_explained() {
        for base in ["", "a.example", "ftp://a.example", "https://user:pw@a.example", "https://a.example/?x=1"] {
            assert!(url(base, &["https://a.example"]).unwrap_err().to_string().starts_with("llm.baseUrl: "), "{base}");
        }
    }
}
