//! Removing the caller's leg from the room, which is what ends a telephone call: the agent leaving would leave the
//! caller in silence. Works with the API away: the call's admin token is enough.

use std::time::Duration;

use futures::future::join_all;
use livekit_api::services::room::RoomClient;
use livekit_api::services::{ServerError, ServiceError};
use voxplane_control::v1::LiveKitAccess;
use voxplane_platform::error_chain::describe;

// All attempts together stay within what the engine and a drain wait for.
const ATTEMPTS: u32 = 3;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(300);

/// The right to remove participants of one room.
#[derive(Clone)]
pub(super) struct HangUp {
    call_id: String,
    url: String,
    room: String,
    token: String,
}

impl HangUp {
    pub(super) fn new(call_id: String, access: &LiveKitAccess) -> Self {
        Self { call_id, url: http_url(&access.url), room: access.room.clone(), token: access.admin_token.clone() }
    }

    /// Removes these participants; one that is not there is removed. True when all are gone.
    pub(super) async fn remove(&self, identities: Vec<String>) -> bool {
        let client =
            RoomClient::with_token(&self.url, &self.token).with_failover(false).with_request_timeout(REQUEST_TIMEOUT);
        let removals = identities.iter().map(|identity| self.remove_one(&client, identity));
        join_all(removals).await.into_iter().all(|gone| gone)
    }

    async fn remove_one(&self, client: &RoomClient, identity: &str) -> bool {
        for attempt in 1..=ATTEMPTS {
            if attempt > 1 {
                tokio::time::sleep(PAUSE).await;
            }
            match client.remove_participant(&self.room, identity).await {
                Ok(()) => return true,
                Err(ServiceError::Twirp(ServerError::Twirp(error))) if error.code == "not_found" => return true,
                Err(error) => {
                    // Neither the room nor the identity: LiveKit puts the telephone numbers into them.
                    let error = describe(&error);
                    tracing::warn!(call.id = self.call_id, attempt, error, "cannot remove the caller's leg");
                }
            }
        }
        false
    }
}

/// The server's HTTP address from its signalling address.
fn http_url(url: &str) -> String {
    url.strip_prefix("ws").map_or_else(|| url.to_owned(), |rest| format!("http{rest}"))
}

#[cfg(test)]
mod tests {
    use super::http_url;

    #[test]
    fn the_room_service_listens_where_signalling_does() {
        assert_eq!(http_url("ws://livekit:7880"), "http://livekit:7880");
        assert_eq!(http_url("wss://livekit.example"), "https://livekit.example");
        assert_eq!(http_url("https://livekit.example"), "https://livekit.example");
    }
}
