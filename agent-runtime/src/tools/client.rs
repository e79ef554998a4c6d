//! The connection of tools, to permitted addresses only.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use voxplane_platform::egress::{Egress, is_refusal};

/// A connection that takes longer is none.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Connections that all tools of a process share. Clones are one.
#[derive(Debug, Clone)]
pub struct ToolClient {
    http: reqwest::Client,
    egress: Egress,
}

impl ToolClient {
    /// Connections to what `egress` permits.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(egress: Egress) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(Duration::from_secs(30))
            // A redirect could carry a secret, or the request itself, to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            .dns_resolver(egress.resolver())
            .user_agent(concat!("voxplane/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, egress })
    }

    /// Sends one request.
    ///
    /// # Errors
    /// [`SendError::NotPermitted`] before anything was sent, [`SendError::Http`] otherwise.
    pub async fn send(&self, request: reqwest::Request) -> Result<reqwest::Response, SendError> {
        // An address that is written as such is never resolved.
        if literal(request.url()).is_some_and(|address| !self.egress.permits(address)) {
            return Err(SendError::NotPermitted);
        }
        self.http.execute(request).await.map_err(|error| {
            if is_refusal(&error) { SendError::NotPermitted } else { SendError::Http(error.without_url()) }
        })
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Tools may not reach that address; nothing was sent.
    #[error("the address is not permitted")]
    NotPermitted,
    /// The connection failed.
    #[error("the request failed")]
    Http(#[source] reqwest::Error),
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
