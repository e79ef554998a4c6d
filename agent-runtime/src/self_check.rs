//! What can be known about LiveKit before the first call: whether its signalling port can be reached. The UDP port can
//! only be tried by joining a room, so the check follows the calls' joins afterwards; both name what is blocked.

use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpStream;
use voxplane_platform::health::Check;

const TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(3);

/// Tries until LiveKit answers, for a minute; reports every result.
pub async fn probe(url: Url, check: Check) {
    for _ in 0..ATTEMPTS {
        match reach(&url).await {
            Ok(()) => {
                tracing::info!(%url, "LiveKit's signalling port can be reached; the first call tries its UDP port");
                return check.pass_with("signalling reachable; media is tried by the first call");
            }
            Err(reason) => {
                tracing::warn!(%url, reason, "LiveKit cannot be reached");
                check.fail(reason);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn reach(url: &Url) -> Result<(), String> {
    let host = url.host_str().ok_or_else(|| format!("{url} names no host"))?;
    let default = if matches!(url.scheme(), "wss" | "https") { 443 } else { 80 };
    let port = url.port().unwrap_or(default);
    let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
    match tokio::time::timeout(TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("TCP port {port} of {host} (LiveKit signalling) cannot be reached: {error}")),
        Err(_) => Err(format!(
            "TCP port {port} of {host} (LiveKit signalling) does not answer: a NetworkPolicy or firewall blocks it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_port_is_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url: Url = format!("ws://127.0.0.1:{port}").parse().unwrap();
        assert_eq!(reach(&url).await, Ok(()));
        drop(listener);
        let reason = reach(&url).await.unwrap_err();
        assert!(reason.contains(&format!("TCP port {port} of 127.0.0.1")), "{reason}");
    }
}
