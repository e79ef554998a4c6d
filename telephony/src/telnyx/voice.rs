//! A number's voice settings, of which call forwarding on failure is the one that matters here: a call that no SIP route
//! of the connection takes goes to a telephone number.
//!
//! Which failures those are: <https://developers.telnyx.com/docs/voice/sip-trunking/routing/failover-and-retries>.

use reqwest::Method;
use serde_json::{Value, json};

use super::wire::{Data, VoiceSettings, complaint};
use super::{TelnyxMarket, wire};
use crate::e164::E164;
use crate::market::http::Effect;
use crate::market::{Fallback, MarketError, OwnedNumber};

/// <https://developers.telnyx.com/api-reference/phone-number-configurations/retrieve-a-phone-number-with-voice-settings>
pub(super) async fn fallback(market: &TelnyxMarket, number: &OwnedNumber) -> Result<Fallback, MarketError> {
    let segments = ["phone_numbers", number.carrier_id.as_str(), "voice"];
    let answer: Data<VoiceSettings> = market.read(&segments, &[], "the voice settings").await?;
    Ok(answer.data.fallback())
}

/// <https://developers.telnyx.com/api-reference/phone-number-configurations/update-a-phone-number-with-voice-settings>
pub(super) async fn set_fallback(
    market: &TelnyxMarket,
    number: &OwnedNumber,
    to: Option<&E164>,
) -> Result<(), MarketError> {
    let request = market
        .request(Method::PATCH, &["phone_numbers", &number.carrier_id, "voice"], &[])
        .json(&json!({ "call_forwarding": forwarding(to) }));
    let answer = market.http.send(request, Effect::Changes).await?.success(Effect::Changes, complaint)?;
    if answer.json::<Data<VoiceSettings>>("the changed voice settings")?.data.fallback().is(to) {
        Ok(())
    } else {
        Err(MarketError::Protocol { message: "the number does not have the forwarding it was given".to_owned() })
    }
}

fn forwarding(to: Option<&E164>) -> Value {
    match to {
        Some(to) => json!({
            "call_forwarding_enabled": true, "forwards_to": to.as_str(), "forwarding_type": wire::ON_FAILURE,
        }),
        // Both of what the reference says stops it, so that nothing depends on whether the rest is kept.
        None => json!({ "call_forwarding_enabled": false, "forwards_to": "" }),
    }
}
