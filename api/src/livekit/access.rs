//! Where LiveKit is, and the two tokens a runtime gets for one call: it holds no other LiveKit credential.

use std::time::Duration;

use livekit_api::access_token::{AccessToken, AccessTokenError, VideoGrants};
use secrecy::{ExposeSecret as _, SecretString};

/// Identity of the agent in every room. Always the same, so that a takeover evicts the former owner.
pub const AGENT_IDENTITY: &str = "agent";

/// Joining happens at once; a token used later than this is not ours any more.
const JOIN_TOKEN_LIFE: Duration = Duration::from_secs(10 * 60);

/// Why a LiveKit address is not usable.
#[derive(Debug, thiserror::Error)]
#[error("the LiveKit address `{given}` must start with http://, https://, ws:// or wss://")]
pub struct LiveKitUrlError {
    given: String,
}

/// Address and API key of LiveKit.
#[derive(Clone)]
pub struct LiveKitAccount {
    /// `http(s)://host:port`, for the room service.
    pub http_url: String,
    /// `ws(s)://host:port`, for the agent worker.
    pub ws_url: String,
    /// `ws(s)://host:port` as runtime pods reach it.
    pub runtime_url: String,
    /// API key.
    pub key: String,
    /// API secret; signs every token.
    pub secret: SecretString,
}

impl std::fmt::Debug for LiveKitAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveKitAccount").field("http_url", &self.http_url).finish_non_exhaustive()
    }
}

impl LiveKitAccount {
    /// From the configured address; `runtime_url` defaults to the same address.
    ///
    /// # Errors
    /// When an address has another scheme.
    pub fn new(
        url: &str,
        runtime_url: Option<&str>,
        key: String,
        secret: SecretString,
    ) -> Result<Self, LiveKitUrlError> {
        let (http_url, ws_url) = both_schemes(url)?;
        let runtime_url = match runtime_url {
            Some(given) => both_schemes(given)?.1,
            None => ws_url.clone(),
        };
        Ok(Self { http_url, ws_url, runtime_url, key, secret })
    }

    /// Starts a token signed with this account's key.
    fn token(&self) -> AccessToken {
        AccessToken::with_api_key(&self.key, self.secret.expose_secret())
    }

    /// A token with which to register as an agent worker.
    ///
    /// # Errors
    /// When signing fails.
    pub fn worker_token(&self) -> Result<String, AccessTokenError> {
        self.token().with_grants(VideoGrants { agent: true, ..VideoGrants::default() }).to_jwt()
    }
}

fn both_schemes(url: &str) -> Result<(String, String), LiveKitUrlError> {
    let trimmed = url.trim().trim_end_matches('/');
    let (tls, host) = match trimmed.split_once("://") {
        Some(("http" | "ws", host)) => (false, host),
        Some(("https" | "wss", host)) => (true, host),
        _ => return Err(LiveKitUrlError { given: url.to_owned() }),
    };
    let (http, ws) = if tls { ("https", "wss") } else { ("http", "ws") };
    Ok((format!("{http}://{host}"), format!("{ws}://{host}")))
}

/// The two tokens of one call.
pub struct CallTokens {
    /// Joins the room as [`AGENT_IDENTITY`], kind agent.
    pub join: String,
    /// `roomAdmin` for this room only.
    pub admin: String,
}

/// Mints both tokens for `room`. The admin token lives as long as the call may, plus the time to end it.
///
/// # Errors
/// When signing fails.
pub fn mint(account: &LiveKitAccount, room: &str, max_call: Duration) -> Result<CallTokens, AccessTokenError> {
    let join = account
        .token()
        .with_identity(AGENT_IDENTITY)
        .with_kind("agent")
        .with_ttl(JOIN_TOKEN_LIFE)
        .with_grants(VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_publish: Some(true),
            can_subscribe: Some(true),
            can_publish_data: Some(true),
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        })
        .to_jwt()?;
    let admin = account
        .token()
        .with_identity(AGENT_IDENTITY)
        .with_ttl(max_call + Duration::from_secs(600))
        .with_grants(VideoGrants { room_admin: true, room: room.to_owned(), ..VideoGrants::default() })
        .to_jwt()?;
    Ok(CallTokens { join, admin })
}

#[cfg(test)]
mod tests {
    use livekit_api::access_token::Claims;

    use super::*;

    fn account(url: &str, runtime: Option<&str>) -> Result<LiveKitAccount, LiveKitUrlError> {
        LiveKitAccount::new(url, runtime, "key".into(), SecretString::from("a secret of a decent length, 32+"))
    }

    #[test]
    fn one_address_gives_both_schemes() {
        let plain = account("http://livekit:7880/", None).unwrap();
        assert_eq!((plain.ws_url.as_str(), plain.runtime_url.as_str()), ("ws://livekit:7880", "ws://livekit:7880"));
        let tls = account("wss://lk.example.com", Some("https://edge.example.com")).unwrap();
        assert_eq!(
            (tls.http_url.as_str(), tls.runtime_url.as_str()),
            ("https://lk.example.com", "wss://edge.example.com")
        );
        assert!(account("livekit:7880", None).is_err());
    }

    #[test]
    fn a_runtime_gets_this_room_and_nothing_else() {
        let account = account("http://livekit:7880", None).unwrap();
        let tokens = mint(&account, "vx-1_x", Duration::from_secs(60)).unwrap();
        let join = Claims::from_unverified(&tokens.join).unwrap();
        assert_eq!((join.sub.as_str(), join.kind.as_str(), join.video.room.as_str()), ("agent", "agent", "vx-1_x"));
        assert!(join.video.room_join && !join.video.room_admin && !join.video.room_list && !join.video.agent);
        let admin = Claims::from_unverified(&tokens.admin).unwrap();
        assert!(admin.video.room_admin && !admin.video.room_join && !admin.video.room_create);
        assert_eq!(admin.video.room, "vx-1_x");
    }
}
