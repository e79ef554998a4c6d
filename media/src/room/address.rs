//! Where the server is, and which of our addresses to send media from.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use livekit_signaling::SignalError;
use tokio::net::UdpSocket;

use super::{Bind, JoinError};

/// Host and port of a signalling URL.
pub(super) fn endpoint(url: &str) -> Result<(String, u16), JoinError> {
    let invalid = |problem| JoinError::InvalidUrl { url: url.to_owned(), problem };
    let uri: Uri = url.parse().map_err(|_| invalid("it is not a URL"))?;
    let default_port = match uri.scheme_str() {
        Some("ws" | "http") => 80,
        Some("wss" | "https") => 443,
        _ => return Err(invalid("its scheme is not ws, wss, http or https")),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid("it has no host"))?;
    // IPv6 literals carry brackets in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((host, uri.port_u16().unwrap_or(default_port)))
}

/// A UDP socket on the local address that `bind` asks for.
pub(super) async fn bind(bind: Bind, url: &str) -> Result<UdpSocket, JoinError> {
    let server = endpoint(url)?;
    let address = match bind {
        Bind::Address(address) => address,
        Bind::Auto => route_to(server, url).await?,
    };
    socket(SocketAddr::new(address, 0)).await
}

async fn socket(address: SocketAddr) -> Result<UdpSocket, JoinError> {
    UdpSocket::bind(address).await.map_err(|source| JoinError::Socket { address: address.ip().to_string(), source })
}

/// The local address packets to the server leave from. Nothing is sent: connecting a UDP socket only asks the kernel
/// for the route.
async fn route_to((host, port): (String, u16), url: &str) -> Result<IpAddr, JoinError> {
    let unreachable =
        |problem: String| JoinError::Unreachable { url: url.to_owned(), source: SignalError::Connection(problem) };
    let server = tokio::net::lookup_host((host.as_str(), port))
        .await
        .map_err(|error| unreachable(format!("cannot resolve {host}: {error}")))?
        .next()
        .ok_or_else(|| unreachable(format!("{host} has no address")))?;
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let probe = socket(SocketAddr::new(any, 0)).await?;
    probe.connect(server).await.map_err(|error| unreachable(format!("no route to {server}: {error}")))?;
    let local = probe.local_addr().map_err(|error| unreachable(format!("no route to {server}: {error}")))?;
    Ok(local.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        assert_eq!(endpoint("ws://livekit:7880").unwrap(), ("livekit".into(), 7880));
        assert_eq!(endpoint("wss://lk.example.com").unwrap(), ("lk.example.com".into(), 443));
        assert_eq!(endpoint("http://[::1]:7880/x").unwrap(), ("::1".into(), 7880));
        for bad in ["", "livekit:7880", "ftp://livekit", "ws://"] {
            assert!(matches!(endpoint(bad), Err(JoinError::InvalidUrl { .. })), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn the_route_to_loopback_is_loopback() {
        let socket = bind(Bind::Auto, "ws://127.0.0.1:9").await.unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), IpAddr::from([127, 0, 0, 1]));
    }

    #[tokio::test]
    async fn an_unknown_host_is_unreachable() {
        let error = bind(Bind::Auto, "ws://no-such-host.invalid:7880").await.unwrap_err();
        assert!(matches!(error, JoinError::Unreachable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_foreign_address_cannot_be_bound() {
        let error = bind(Bind::Address([192, 0, 2, 1].into()), "ws://127.0.0.1:9").await.unwrap_err();
        assert!(matches!(error, JoinError::Socket { .. }), "{error}");
    }
}
