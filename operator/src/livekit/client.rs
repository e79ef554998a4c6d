//! LiveKit's SIP API.

use std::time::Duration;

use livekit_api::services::sip::{
    CreateSIPDispatchRuleOptions, ListSIPDispatchRuleFilter, ListSIPInboundTrunkFilter, ListSIPOutboundTrunkFilter,
    SIPClient,
};
use livekit_api::services::{ServerError, ServerErrorCode, ServiceError};
use livekit_protocol::{SipDispatchRuleInfo, SipInboundTrunkInfo, SipOutboundTrunkInfo};
use secrecy::ExposeSecret as _;
use voxplane_platform::redact::PLACEHOLDER;

use crate::config::LiveKitSettings;
use crate::metrics::Metrics;

/// LiveKit answers from memory and Redis; slower than this, it hangs.
const TIMEOUT: Duration = Duration::from_secs(5);
/// When a trunk is written, LiveKit compares each of its numbers with each on the other trunks: with thousands on both
/// sides that takes seconds (docs/benchmarks.md).
const TRUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// Why LiveKit did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LiveKitError {
    /// LiveKit refused the request: another object is in the way, or the key has no rights.
    #[error("LiveKit refused to {action}: {message}")]
    Refused {
        /// What was asked.
        action: &'static str,
        /// What it said, without telephone numbers: they may be another agency's.
        message: String,
    },
    /// LiveKit cannot be reached or failed.
    #[error("cannot {action}")]
    Failed {
        /// What was asked.
        action: &'static str,
        /// What happened.
        #[source]
        source: Box<ServiceError>,
    },
}

/// LiveKit's SIP API.
#[derive(Debug)]
pub struct LiveKit {
    sip: SIPClient,
    /// The same, and patient: for writes of trunks.
    trunks: SIPClient,
    metrics: Metrics,
}

impl LiveKit {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(settings: &LiveKitSettings, metrics: Metrics) -> Self {
        let client = |limit| {
            SIPClient::with_api_key(&settings.url, &settings.key, settings.secret.expose_secret())
                .with_request_timeout(limit)
        };
        Self { sip: client(TIMEOUT), trunks: client(TRUNK_TIMEOUT), metrics }
    }

    /// All inbound trunks.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn trunks(&self) -> Result<Vec<SipInboundTrunkInfo>, LiveKitError> {
        let request = Box::pin(self.sip.list_sip_inbound_trunk(ListSIPInboundTrunkFilter::All));
        self.ask("list_trunks", request).await.map_err(|error| explain("list the inbound trunks", error))
    }

    /// All dispatch rules.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn rules(&self) -> Result<Vec<SipDispatchRuleInfo>, LiveKitError> {
        let request = Box::pin(self.sip.list_sip_dispatch_rule(ListSIPDispatchRuleFilter::All));
        self.ask("list_rules", request).await.map_err(|error| explain("list the dispatch rules", error))
    }

    /// Makes a trunk; returns its id.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn create_trunk(&self, trunk: SipInboundTrunkInfo) -> Result<String, LiveKitError> {
        use livekit_api::services::sip::CreateSIPInboundTrunkOptions as Options;
        let options = Options {
            metadata: Some(trunk.metadata),
            allowed_addresses: Some(trunk.allowed_addresses),
            auth_username: Some(trunk.auth_username),
            auth_password: Some(trunk.auth_password),
            ringing_timeout: trunk
                .ringing_timeout
                .map(|limit| Duration::from_secs(u64::try_from(limit.seconds).unwrap_or_default())),
            ..Options::default()
        };
        let request = Box::pin(self.trunks.create_sip_inbound_trunk(trunk.name, trunk.numbers, options));
        let answer = self.ask("create_trunk", request).await;
        self.wrote("create an inbound trunk", answer).map(|trunk| trunk.sip_trunk_id)
    }

    /// Replaces a trunk.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn replace_trunk(&self, id: &str, trunk: SipInboundTrunkInfo) -> Result<(), LiveKitError> {
        let request = Box::pin(self.trunks.update_sip_inbound_trunk_replace(id.to_owned(), trunk));
        let answer = self.ask("replace_trunk", request).await;
        self.wrote("change an inbound trunk", answer).map(drop)
    }

    /// All outbound trunks.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn outbound_trunks(&self) -> Result<Vec<SipOutboundTrunkInfo>, LiveKitError> {
        let request = Box::pin(self.sip.list_sip_outbound_trunk(ListSIPOutboundTrunkFilter::All));
        self.ask("list_outbound_trunks", request).await.map_err(|error| explain("list the outbound trunks", error))
    }

    /// Makes an outbound trunk; returns its id. The client's request lacks what LiveKit can encrypt, so a trunk that is to
    /// is replaced by itself at once; if that fails, the next pass sees what is missing.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn create_outbound_trunk(&self, trunk: SipOutboundTrunkInfo) -> Result<String, LiveKitError> {
        use livekit_api::services::sip::CreateSIPOutboundTrunkOptions as Options;
        let whole = trunk.media.is_some().then(|| trunk.clone());
        let options = Options {
            transport: trunk.transport(),
            metadata: trunk.metadata,
            auth_username: trunk.auth_username,
            auth_password: trunk.auth_password,
            headers: Some(trunk.headers),
            ..Options::default()
        };
        let request = Box::pin(self.sip.create_sip_outbound_trunk(trunk.name, trunk.address, trunk.numbers, options));
        let answer = self.ask("create_outbound_trunk", request).await;
        let id = self.wrote("create an outbound trunk", answer).map(|trunk| trunk.sip_trunk_id)?;
        if let Some(whole) = whole {
            self.replace_outbound_trunk(&id, whole).await?;
        }
        Ok(id)
    }

    /// Replaces an outbound trunk.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn replace_outbound_trunk(&self, id: &str, trunk: SipOutboundTrunkInfo) -> Result<(), LiveKitError> {
        let request = Box::pin(self.sip.update_sip_outbound_trunk_replace(id.to_owned(), trunk));
        let answer = self.ask("replace_outbound_trunk", request).await;
        self.wrote("change an outbound trunk", answer).map(drop)
    }

    /// Deletes a trunk, inbound or outbound. It may be gone already.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn delete_trunk(&self, id: &str) -> Result<(), LiveKitError> {
        let request = Box::pin(self.sip.delete_sip_trunk(id));
        self.deleted("delete a trunk", self.ask("delete_trunk", request).await)
    }

    /// Makes a dispatch rule; returns its id.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn create_rule(&self, rule: SipDispatchRuleInfo) -> Result<String, LiveKitError> {
        const ACTION: &str = "create a dispatch rule";
        let Some(kind) = rule.rule.and_then(|rule| rule.rule) else {
            return Err(LiveKitError::Refused { action: ACTION, message: "the rule has no kind".to_owned() });
        };
        let options = CreateSIPDispatchRuleOptions {
            name: rule.name,
            metadata: rule.metadata,
            attributes: rule.attributes,
            trunk_ids: rule.trunk_ids,
            allowed_numbers: Vec::new(),
            hide_phone_number: false,
            room_config: rule.room_config,
        };
        let request = Box::pin(self.sip.create_sip_dispatch_rule(kind, options));
        let answer = self.ask("create_rule", request).await;
        self.wrote(ACTION, answer).map(|rule| rule.sip_dispatch_rule_id)
    }

    /// Replaces a dispatch rule.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn replace_rule(&self, id: &str, rule: SipDispatchRuleInfo) -> Result<(), LiveKitError> {
        let request = Box::pin(self.sip.update_sip_dispatch_rule_replace(id.to_owned(), rule));
        let answer = self.ask("replace_rule", request).await;
        self.wrote("change a dispatch rule", answer).map(drop)
    }

    /// Deletes a dispatch rule. It may be gone already.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn delete_rule(&self, id: &str) -> Result<(), LiveKitError> {
        let request = Box::pin(self.sip.delete_sip_dispatch_rule(id));
        self.deleted("delete a dispatch rule", self.ask("delete_rule", request).await)
    }

    async fn ask<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let asked = self.metrics.asks("livekit", operation);
        let answer = request.await;
        asked.answered(match &answer {
            Ok(_) => "ok",
            Err(ServiceError::Twirp(ServerError::Twirp(answer))) if is_refusal(&answer.code) => "refused",
            Err(_) => "failed",
        });
        answer
    }

    fn wrote<T>(&self, action: &'static str, answer: Result<T, ServiceError>) -> Result<T, LiveKitError> {
        self.metrics.wrote("livekit", answer.is_ok());
        answer.map_err(|error| explain(action, error))
    }

    fn deleted<T>(&self, action: &'static str, answer: Result<T, ServiceError>) -> Result<(), LiveKitError> {
        match answer {
            Err(ServiceError::Twirp(ServerError::Twirp(answer))) if answer.code == ServerErrorCode::NOT_FOUND => Ok(()),
            other => self.wrote(action, other).map(drop),
        }
    }
}

fn explain(action: &'static str, error: ServiceError) -> LiveKitError {
    match error {
        ServiceError::Twirp(ServerError::Twirp(answer)) if is_refusal(&answer.code) => {
            LiveKitError::Refused { action, message: without_numbers(&answer.msg) }
        }
        source => LiveKitError::Failed { action, source: Box::new(source) },
    }
}

fn is_refusal(code: &str) -> bool {
    [
        ServerErrorCode::INVALID_ARGUMENT,
        ServerErrorCode::FAILED_PRECONDITION,
        ServerErrorCode::ALREADY_EXISTS,
        ServerErrorCode::PERMISSION_DENIED,
        ServerErrorCode::UNAUTHENTICATED,
    ]
    .contains(&code)
}

/// LiveKit lists all numbers of a trunk that is in the way, whoever's they are.
fn without_numbers(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let digits = rest[start..].find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len() - start);
        let (before, found) = (&rest[..start], &rest[start..start + digits]);
        // E.164 numbers have at least 7 digits; ids of LiveKit mix digits with letters and have fewer in a row.
        if digits >= 7 {
            clean.push_str(before.strip_suffix('+').unwrap_or(before));
            clean.push_str(PLACEHOLDER);
        } else {
            clean.push_str(before);
            clean.push_str(found);
        }
        rest = &rest[start + digits..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_telephone_number_leaves_an_error_of_livekit() {
        let text = r#"Conflicting inbound SIP Trunks: "<new>" and "ST_a1b2", number(s) ["+15550100" "4930123456"]"#;
        assert_eq!(
            without_numbers(text),
            r#"Conflicting inbound SIP Trunks: "<new>" and "ST_a1b2", number(s) ["[redacted]" "[redacted]"]"#
        );
        assert_eq!(without_numbers("code 503, node 12"), "code 503, node 12");
    }
}
