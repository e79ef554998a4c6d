//! Texts from addresses that tenants choose: fetched within bounds of time and size, from public addresses only.

mod content;

use std::time::Duration;

use futures::StreamExt as _;
use ipnet::IpNet;
use reqwest::{StatusCode, header};
use url::{Host, Url};
use voxplane_platform::egress::{Egress, is_refusal};

use crate::document::Format;

/// The most bytes of a text.
const LARGEST: usize = 2 * 1024 * 1024;
/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// Longest time for one text, redirects included.
const LIMIT: Duration = Duration::from_secs(15);

/// Why a text could not be fetched. Tenants read it: it says nothing about networks they do not know.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address, or one it leads to, is not public.
    #[error("the address of {host} is not public, and the platform allows no other")]
    NotPublic {
        /// The host.
        host: String,
    },
    /// Not an address that can be fetched.
    #[error("{0}")]
    Address(String),
    /// It leads to an address that leads to an address, and so on.
    #[error("there are more than {REDIRECTS} redirects")]
    Redirects,
    /// It takes too long.
    #[error("the text did not come within {} seconds", LIMIT.as_secs())]
    Late,
    /// The network.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// The host.
        host: String,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// Anything but 200 and 304.
    #[error("{host} answered with status {status}")]
    Status {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// Too many bytes.
    #[error("the text is larger than {} MiB", LARGEST / 1024 / 1024)]
    TooLarge,
    /// Not a text of a kind that can be read.
    #[error("{0}")]
    Content(String),
}

/// What a server said of a text, to ask it next time whether the text changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// A text, or that it is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// As it was when the validators came with it.
    Unchanged,
    /// It may be another.
    Text {
        /// The text.
        text: String,
        /// What it is written in.
        format: Format,
        /// For the next time.
        validators: Validators,
    },
}

/// Fetches texts.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: reqwest::Client,
    egress: Egress,
}

impl Fetcher {
    /// Fetches from public addresses and from those `allowed`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allowed: Vec<IpNet>) -> reqwest::Result<Self> {
        let egress = Egress::new(allowed);
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            // Each is looked at before it is followed.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            .dns_resolver(egress.resolver())
            .user_agent(concat!("voxplane/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, egress })
    }

    /// Fetches a text, unless it is as it was when `known` came with it. `format`: none: as the server says.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        url: &str,
        format: Option<Format>,
        known: Option<&Validators>,
    ) -> Result<Fetched, FetchError> {
        tokio::time::timeout(LIMIT, self.follow(url, format, known)).await.unwrap_or(Err(FetchError::Late))
    }

    async fn follow(
        &self,
        url: &str,
        format: Option<Format>,
        known: Option<&Validators>,
    ) -> Result<Fetched, FetchError> {
        let mut url =
            Url::parse(url).map_err(|error| FetchError::Address(format!("{url:?} is no address: {error}")))?;
        for _ in 0..=REDIRECTS {
            let host = self.check(&url)?;
            let response = self.ask(&url, &host, known).await?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED && known.is_some() {
                return Ok(Fetched::Unchanged);
            }
            if status.is_redirection() {
                url = next(&url, response.headers())
                    .ok_or_else(|| FetchError::Status { host, status: status.as_u16() })?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(FetchError::Status { host, status: status.as_u16() });
            }
            let headers = response.headers().clone();
            let body = read(response, &host).await?;
            let (text, format) = content::text(body, &headers, url.path(), format).map_err(FetchError::Content)?;
            return Ok(Fetched::Text { text, format, validators: validators(&headers) });
        }
        Err(FetchError::Redirects)
    }

    /// The host of an address that may be asked. Names are looked at when they are resolved.
    fn check(&self, url: &Url) -> Result<String, FetchError> {
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Address(format!("{url} is no http or https address without a user")));
        }
        let literal = match url.host() {
            None => return Err(FetchError::Address(format!("{url} has no host"))),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        match literal {
            Some(address) if !self.egress.permits(address) => Err(FetchError::NotPublic { host }),
            _ => Ok(host),
        }
    }

    async fn ask(&self, url: &Url, host: &str, known: Option<&Validators>) -> Result<reqwest::Response, FetchError> {
        let mut request = self
            .client
            .get(url.clone())
            .header(header::ACCEPT, "text/html, text/markdown, text/plain, text/csv, text/*;q=0.5");
        let conditions = known
            .map(|known| [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)]);
        for (name, value) in conditions.into_iter().flatten() {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.send().await.map_err(|source| {
            if is_refusal(&source) {
                return FetchError::NotPublic { host: host.to_owned() };
            }
            FetchError::Unreachable { host: host.to_owned(), source: source.without_url() }
        })
    }
}

async fn read(response: reqwest::Response, host: &str) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let failed =
            |source: reqwest::Error| FetchError::Unreachable { host: host.to_owned(), source: source.without_url() };
        let piece = piece.map_err(failed)?;
        if body.len() + piece.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Where a redirect leads; `None`: nowhere, or from an encrypted address to one that is not.
fn next(from: &Url, headers: &header::HeaderMap) -> Option<Url> {
    let to = from.join(headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    (from.scheme() == "http" || to.scheme() == "https").then_some(to)
}

fn validators(headers: &header::HeaderMap) -> Validators {
    let value = |name: header::HeaderName| {
        headers.get(name)?.to_str().ok().filter(|value| value.len() <= 512).map(str::to_owned)
    };
    Validators { etag: value(header::ETAG), last_modified: value(header::LAST_MODIFIED) }
}

#[cfg(test)]
mod tests;
