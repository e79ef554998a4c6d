//! The connection of tools. Names are resolved here and the connection goes to the very address that was looked at, so
//! a name cannot mean one thing when it is judged and another when it is used.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Egress;

/// A connection that takes longer is none.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Connections that all tools of a process share. Clones are one.
#[derive(Debug, Clone)]
pub struct ToolClient {
    http: reqwest::Client,
    egress: Egress,
}

/// The address is not one that tools may reach.
#[derive(Debug, thiserror::Error)]
#[error("the address is not permitted")]
pub struct NotPermitted;

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
            .dns_resolver(Arc::new(Resolver { egress: egress.clone() }))
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
            if is_not_permitted(&error) { SendError::NotPermitted } else { SendError::Http(error.without_url()) }
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

fn is_not_permitted(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NotPermitted>() {
            return true;
        }
        source = cause.source();
    }
    false
}

struct Resolver {
    egress: Egress,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.egress.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|address| egress.permits(address.ip())).collect();
            if permitted.is_empty() {
                return Err(NotPermitted.into());
            }
            let addresses: Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}
