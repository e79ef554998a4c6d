//! Where a key may be sent. Pure.

use url::Url;

/// Whether a base address lies at or below one of the addresses that a Secret's owner listed.
#[must_use]
pub fn allowed(base: &str, endpoints: &[String]) -> bool {
    let Some(url) = parse(base) else { return false };
    endpoints.iter().filter_map(|entry| parse(entry)).any(|entry| covers(&entry, &url))
}

/// The address of the embeddings below a base address.
pub(super) fn embeddings_url(base: &str) -> Option<Url> {
    let mut url = parse(base)?;
    let path = format!("{}/embeddings", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url)
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
}

/// Same scheme, host and port, and a path at or below the allowed one.
fn covers(allowed: &Url, url: &Url) -> bool {
    let root = allowed.path().trim_end_matches('/');
    let below = url.path().trim_end_matches('/').strip_prefix(root);
    allowed.origin() == url.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_nowhere_else() {
        let only = ["https://a.example/v1".to_owned()];
        for base in ["https://a.example/v1", "https://A.example:443/v1/", "https://a.example/v1/eu"] {
            assert!(allowed(base, &only), "{base}");
        }
        for base in [
            "https://b.example/v1",
            "http://a.example/v1",
            "https://a.example:8443/v1",
            "https://a.example/v1x",
            "https://a.example/v1/../v2",
            "https://a.example.evil.test/v1",
            "https://user:pw@a.example/v1",
            "",
        ] {
            assert!(!allowed(base, &only), "{base}");
        }
        assert_eq!(embeddings_url("http://a:8000/v1/").unwrap().as_str(), "http://a:8000/v1/embeddings");
    }
}
