//! Telnyx's JSON.

use serde::Deserialize;

use crate::e164::E164;
use crate::market::answer::Complaint;
use crate::market::{AvailableNumber, Fallback, MarketError, OwnedNumber};

/// An error answer: <https://developers.telnyx.com/development/api-fundamentals/api-errors>.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
}

/// `10009` authentication failed, `10010` authorization failed.
const KEY: [&str; 2] = ["10009", "10010"];

pub(super) fn complaint(body: &[u8]) -> Complaint {
    let first = serde_json::from_slice::<Errors>(body).ok().and_then(|answer| answer.errors.into_iter().next());
    let Some(error) = first else { return Complaint::default() };
    let message = match error.detail.filter(|detail| !detail.is_empty()) {
        Some(detail) if error.title.is_empty() => detail,
        Some(detail) => format!("{}: {detail}", error.title),
        None => error.title,
    };
    Complaint { forbidden: KEY.contains(&error.code.as_str()), code: Some(error.code), message }
}

/// Every answer has its content here.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) meta: Meta,
}

/// Where the page is.
#[derive(Deserialize)]
pub(super) struct Meta {
    pub(super) total_pages: u32,
}

/// A number for sale.
#[derive(Deserialize)]
pub(super) struct Available {
    phone_number: String,
    #[serde(default)]
    region_information: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    #[serde(default)]
    region_type: String,
    #[serde(default)]
    region_name: String,
}

impl Available {
    pub(super) fn number(self) -> Result<AvailableNumber, MarketError> {
        let region = |kind: &str| {
            let found = self.region_information.iter().find(|region| region.region_type == kind)?;
            Some(found.region_name.clone()).filter(|name| !name.is_empty())
        };
        Ok(AvailableNumber {
            number: e164(&self.phone_number)?,
            locality: region("location").or_else(|| region("rate_center")),
            region: region("state"),
        })
    }
}

/// An order.
#[derive(Deserialize)]
pub(super) struct Order {
    id: String,
    pub(super) status: OrderStatus,
    #[serde(default)]
    phone_numbers: Vec<OrderedNumber>,
    #[serde(default)]
    pub(super) customer_reference: Option<String>,
    /// ISO 8601, always in the same form: its order is that of time.
    #[serde(default)]
    pub(super) created_at: String,
}

#[derive(Deserialize)]
struct OrderedNumber {
    phone_number: String,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderStatus {
    Pending,
    Success,
    Failure,
}

impl Order {
    /// Our orders are for one number.
    pub(super) fn number(&self) -> Result<E164, MarketError> {
        match self.phone_numbers.as_slice() {
            [ordered] => e164(&ordered.phone_number),
            _ => Err(MarketError::Protocol { message: "an order of ours is not for one number".to_owned() }),
        }
    }

    pub(super) fn checked_id(self) -> Result<String, MarketError> {
        identifier(self.id)
    }
}

/// A number of the account.
#[derive(Deserialize)]
pub(super) struct PhoneNumber {
    id: String,
    phone_number: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    connection_id: Option<String>,
    #[serde(default)]
    customer_reference: Option<String>,
}

/// Not yet or no longer ours.
const ELSEWHERE: [&str; 6] =
    ["purchase-pending", "purchase-failed", "port-pending", "port-failed", "ported-out", "deleted"];

impl PhoneNumber {
    pub(super) fn is_ours(&self) -> bool {
        !ELSEWHERE.contains(&self.status.as_str())
    }

    pub(super) fn owned(self) -> Result<OwnedNumber, MarketError> {
        Ok(OwnedNumber {
            number: e164(&self.phone_number)?,
            carrier_id: identifier(self.id)?,
            reference: self.customer_reference.filter(|reference| !reference.is_empty()),
            route: self.connection_id.filter(|id| !id.is_empty()),
        })
    }
}

/// Voice settings of a number.
#[derive(Deserialize)]
pub(super) struct VoiceSettings {
    #[serde(default)]
    call_forwarding: Option<CallForwarding>,
}

/// Call forwarding. `forwards_to` must be set for it to have an effect, and it is on unless it is turned off.
#[derive(Deserialize)]
struct CallForwarding {
    #[serde(default)]
    call_forwarding_enabled: Option<bool>,
    #[serde(default)]
    forwards_to: Option<String>,
    #[serde(default)]
    forwarding_type: Option<String>,
}

/// As Telnyx's present clients write it. The page on failover and older clients have an underscore.
pub(super) const ON_FAILURE: &str = "on-failure";

impl VoiceSettings {
    pub(super) fn fallback(self) -> Fallback {
        let Some(forwarding) = self.call_forwarding else { return Fallback::None };
        let to = forwarding.forwards_to.filter(|to| !to.is_empty());
        let kind = forwarding.forwarding_type.filter(|kind| !kind.is_empty()).map(|kind| kind.replace('_', "-"));
        match (forwarding.call_forwarding_enabled.unwrap_or(true), to, kind.as_deref()) {
            (false, ..) | (_, None, _) | (_, _, None) => Fallback::None,
            (true, Some(to), Some(ON_FAILURE)) => E164::parse(&to).map_or(Fallback::Other, Fallback::To),
            (true, Some(_), Some(_)) => Fallback::Other,
        }
    }
}

fn e164(text: &str) -> Result<E164, MarketError> {
    E164::parse(text).map_err(|error| MarketError::Protocol { message: format!("a phone_number is none: {error}") })
}

/// Ids become parts of addresses.
fn identifier(text: String) -> Result<String, MarketError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Ok(text)
    } else {
        Err(MarketError::Protocol { message: "an id is not letters, digits and dashes".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_told() {
        let body = br#"{"errors": [{"code": "10016", "title": "Phone number must be in +E.164 format",
            "detail": "The specified phone number parameter must be in +E.164 format."}, {"code": "1", "title": "x"}]}"#;
        let told = complaint(body);
        assert_eq!(told.code.as_deref(), Some("10016"));
        assert!(told.message.starts_with("Phone number must be in +E.164 format: The specified"), "{}", told.message);
        assert!(complaint(br#"{"errors": [{"code": "10010", "title": "Authorization failed"}]}"#).forbidden);
        assert_eq!(complaint(br#"{"errors": []}"#), Complaint::default());
    }

    #[test]
    fn a_number_in_the_list_is_not_always_ours() {
        for (status, ours) in [("active", true), ("emergency-only", true), ("deleted", false), ("ported-out", false)] {
            let body = format!(r#"{{"id": "1", "phone_number": "+14045550100", "status": "{status}"}}"#);
            assert_eq!(serde_json::from_str::<PhoneNumber>(&body).unwrap().is_ours(), ours, "{status}");
        }
    }

    #[test]
    fn forwarding_is_read_as_the_reference_says_it_works() {
        let number = |text: &str| Fallback::To(E164::parse(text).unwrap());
        for (forwarding, fallback) in [
            ("null", Fallback::None),
            (
                r#"{"call_forwarding_enabled": true, "forwards_to": "", "forwarding_type": "on-failure"}"#,
                Fallback::None,
            ),
            (
                r#"{"call_forwarding_enabled": true, "forwards_to": "+13035559123", "forwarding_type": null}"#,
                Fallback::None,
            ),
            (
                r#"{"call_forwarding_enabled": false, "forwards_to": "+13035559123", "forwarding_type": "on-failure"}"#,
                Fallback::None,
            ),
            (r#"{"forwards_to": "+13035559123", "forwarding_type": "on-failure"}"#, number("+13035559123")),
            (r#"{"forwards_to": "+13035559123", "forwarding_type": "on_failure"}"#, number("+13035559123")),
            (r#"{"forwards_to": "+13035559123", "forwarding_type": "always"}"#, Fallback::Other),
        ] {
            let body = format!(r#"{{"id": "1", "call_forwarding": {forwarding}}}"#);
            assert_eq!(serde_json::from_str::<VoiceSettings>(&body).unwrap().fallback(), fallback, "{forwarding}");
        }
        assert_eq!(serde_json::from_str::<VoiceSettings>("{}").unwrap().fallback(), Fallback::None);
    }

    #[test]
    fn ids_that_would_change_an_address_are_refused() {
        for id in ["", "..", "a/b", "a?b", "a b"] {
            assert!(identifier(id.to_owned()).is_err(), "{id}");
        }
    }
}
