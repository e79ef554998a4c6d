//! Where a key may be sent: the addresses that the owner of a Secret listed in it. Pure.

use reqwest::Url;

/// The base address of a service: http or https, without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address; `None`: it is none of a service.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(Self(url))
    }

    /// Whether it lies at or below one of the addresses that are listed. Those that cannot be read allow nothing.
    #[must_use]
    pub fn is_within(&self, listed: &[String]) -> bool {
        listed.iter().filter_map(|entry| Self::parse(entry)).any(|entry| entry.covers(self))
    }

    /// The address of a resource below it (`chat/completions`).
    #[must_use]
    pub fn resource(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Same scheme, host and port, and a path at or below this one.
    fn covers(&self, other: &Self) -> bool {
        let root = self.0.path().trim_end_matches('/');
        let below = other.0.path().trim_end_matches('/').strip_prefix(root);
        self.0.origin() == other.0.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_nowhere_else() {
        let only = ["https://a.example/v1".to_owned()];
        let allowed = |base: &str| Endpoint::parse(base).is_some_and(|base| base.is_within(&only));
        for base in ["https://a.example/v1", "https://A.example:443/v1/", "https://a.example/v1/eu"] {
            assert!(allowed(base), "{base}");
        }
        for base in [
            "https://b.example/v1",
            "http://a.example/v1",
            "https://a.example:8443/v1",
            "https://a.example/v2",
            "https://a.example/v1x",
            "https://a.example/v1/../v2",
            "https://a.example.evil.test/v1",
            "https://user:pw@a.example/v1",
            "ftp://a.example/v1",
            "",
        ] {
            assert!(!allowed(base), "{base}");
        }
        assert!(!Endpoint::parse("https://a.example/v1").unwrap().is_within(&[]));
    }

    #[test]
    fn resources_lie_below_it() {
        for base in ["http://a:8000/v1", "http://a:8000/v1/"] {
            let url = Endpoint::parse(base).unwrap().resource("embeddings");
            assert_eq!(url.as_str(), "http://a:8000/v1/embeddings");
        }
    }
}
