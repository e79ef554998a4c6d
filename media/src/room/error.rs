//! Errors of a room.

use std::net::SocketAddr;
use std::time::Duration;

use livekit_signaling::SignalError;

/// Why a room could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The URL cannot be used.
    #[error("LiveKit URL {url:?} is not usable: {problem}")]
    InvalidUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No local address or socket for media.
    #[error("no UDP socket for media on {address}")]
    Socket {
        /// The local address tried.
        address: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The signalling endpoint cannot be reached: DNS, a closed TCP port, TLS, or no answer.
    #[error("LiveKit signalling at {url} is unreachable")]
    Unreachable {
        /// The URL as given.
        url: String,
        /// What the signalling client saw.
        #[source]
        source: SignalError,
    },
    /// The server does not accept the token.
    #[error("LiveKit at {url} rejected the token with status {status}")]
    TokenRejected {
        /// The URL as given.
        url: String,
        /// HTTP status (400, 401, 403 or 404).
        status: u16,
    },
    /// The server answered, but signalling failed.
    #[error("signalling with LiveKit at {url} failed")]
    Signalling {
        /// The URL as given.
        url: String,
        /// What the signalling client saw.
        #[source]
        source: SignalError,
    },
    /// The server is too old: it lacks the single-peer-connection endpoint `/rtc/v1`.
    #[error("LiveKit at {url} is too old, it has no /rtc/v1 endpoint: use livekit-server 1.9 or newer")]
    UnsupportedServer {
        /// The URL as given.
        url: String,
    },
    /// The server refused or ended the session before media was connected.
    #[error("LiveKit ended the session before media was connected ({reason:?})")]
    Refused {
        /// The server's reason.
        reason: super::DisconnectReason,
    },
    /// Signalling works, media does not: most likely a blocked UDP port.
    #[error("no media connection with LiveKit within {waited:?}: {}", advice(*local, remote))]
    MediaBlocked {
        /// Our UDP address.
        local: SocketAddr,
        /// The server's UDP addresses that did not answer. Empty when it offered none.
        remote: Vec<SocketAddr>,
        /// How long we waited.
        waited: Duration,
    },
    /// The WebRTC library failed.
    #[error("WebRTC failed")]
    WebRtc(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The task ended unexpectedly.
    #[error("the media task ended unexpectedly")]
    Internal,
}

fn advice(local: SocketAddr, remote: &[SocketAddr]) -> String {
    if remote.is_empty() {
        return "the server offered no UDP address: check its rtc.udp_port and rtc.node_ip".to_owned();
    }
    let remote = remote.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("no answer over UDP from {remote}; let UDP from {} to there pass", local.ip())
}

/// Why an operation on a joined room failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// The room has ended.
    #[error("the room has ended")]
    Closed,
    /// The server or the task did not answer in time.
    #[error("could not {what} in time")]
    Timeout {
        /// What was asked for.
        what: &'static str,
    },
    /// A track is already published.
    #[error("an audio track is already published")]
    AlreadyPublished,
    /// Not a telephone digit.
    #[error("{digit:?} is not a telephone digit: use 0-9, *, #, A-D")]
    InvalidDigit {
        /// The character.
        digit: char,
    },
    /// The message exceeds what a data channel carries.
    #[error("the message has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many messages wait for the data channel.
    #[error("too many messages wait to be sent")]
    Backlog,
    /// The server refused a request.
    #[error("LiveKit refused the request: {message}")]
    Refused {
        /// The server's words.
        message: String,
    },
    /// The audio encoder failed.
    #[error("the audio encoder failed")]
    Codec(#[from] crate::codec::CodecError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_media_names_the_port_to_open() {
        let error = JoinError::MediaBlocked {
            local: "10.0.0.5:40000".parse().unwrap(),
            remote: vec!["192.0.2.7:7882".parse().unwrap()],
            waited: Duration::from_secs(10),
        };
        let text = error.to_string();
        assert!(
            text.ends_with("no answer over UDP from 192.0.2.7:7882; let UDP from 10.0.0.5 to there pass"),
            "{text}"
        );
    }
}
