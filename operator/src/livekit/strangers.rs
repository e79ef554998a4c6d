//! The one rule for calls that match no trunk. The leader owns it and repairs it.

use livekit_protocol::SipDispatchRuleInfo;

use super::client::{LiveKit, LiveKitError};
use super::desired::{STRANGERS, same_rule, strangers_rule};

/// Makes the rule be as it should be, given all rules that exist.
///
/// # Errors
/// [`LiveKitError`]; refused when somebody else's rule without a trunk is in the way: LiveKit allows one.
pub async fn ensure(livekit: &LiveKit, rules: &[SipDispatchRuleInfo]) -> Result<(), LiveKitError> {
    let wanted = strangers_rule();
    let mut ours = rules.iter().filter(|rule| rule.name == STRANGERS);
    let result = match ours.next() {
        Some(found) if same_rule(found, &wanted) => Ok(()),
        Some(found) => livekit.replace_rule(&found.sip_dispatch_rule_id, wanted).await,
        None => livekit.create_rule(wanted).await.map(drop),
    };
    // LiveKit refuses a second one, so more than one is left from a race at most.
    for duplicate in ours {
        livekit.delete_rule(&duplicate.sip_dispatch_rule_id).await?;
    }
    result
}
