//! Names, resolved to permitted addresses only.

use std::error::Error;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Egress;

/// Resolves names to permitted addresses; see [`Egress::resolver`].
#[derive(Debug)]
pub struct Resolver {
    egress: Egress,
}

/// A name has no address that is permitted.
#[derive(Debug, thiserror::Error)]
#[error("the name has no permitted address")]
struct NotPermitted;

impl Resolver {
    pub(super) fn new(egress: Egress) -> Self {
        Self { egress }
    }
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

/// Whether a request failed because a name has no permitted address. Nothing was sent then.
#[must_use]
pub fn is_refusal(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<NotPermitted>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_leads_to_permitted_addresses_or_nowhere() {
        let client = |egress: Egress| {
            let builder = reqwest::Client::builder().no_proxy().dns_resolver(egress.resolver());
            builder.build().unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        crate::tls::install_crypto_provider();
        let error = client(Egress::default()).get(&url).send().await.unwrap_err();
        assert!(is_refusal(&error), "{error:?}");
        drop(listener);
        let error = client(Egress::new(["127.0.0.0/8".parse().unwrap()])).get(&url).send().await.unwrap_err();
        assert!(!is_refusal(&error), "nobody listens, and that is all: {error:?}");
    }
}
