//! Twilio's JSON.

use serde::Deserialize;

use crate::e164::E164;
use crate::market::answer::Complaint;
use crate::market::{MarketError, OwnedNumber};

/// An error: <https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions>.
#[derive(Debug, Deserialize)]
struct Exception {
    code: Option<u32>,
    #[serde(default)]
    message: String,
}

/// `20003`: authentication or permission, <https://www.twilio.com/docs/errors/20003>.
const PERMISSION_DENIED: u32 = 20003;

pub(super) fn complaint(body: &[u8]) -> Complaint {
    let Ok(exception) = serde_json::from_slice::<Exception>(body) else { return Complaint::default() };
    Complaint {
        code: exception.code.map(|code| code.to_string()),
        message: exception.message,
        forbidden: exception.code == Some(PERMISSION_DENIED),
    }
}

/// A page of the account's numbers.
#[derive(Deserialize)]
pub(super) struct IncomingPage {
    pub(super) incoming_phone_numbers: Vec<IncomingNumber>,
    #[serde(default)]
    pub(super) next_page_uri: Option<String>,
}

/// A number of the account.
#[derive(Deserialize)]
pub(super) struct IncomingNumber {
    sid: String,
    phone_number: String,
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    trunk_sid: Option<String>,
}

impl IncomingNumber {
    pub(super) fn owned(self) -> Result<OwnedNumber, MarketError> {
        // It becomes part of addresses.
        if !self.sid.starts_with("PN") || !self.sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MarketError::Protocol {
                message: "a number's sid is not PN and letters and digits".to_owned(),
            });
        }
        Ok(OwnedNumber {
            number: e164(&self.phone_number)?,
            carrier_id: self.sid,
            reference: self.friendly_name,
            route: self.trunk_sid.filter(|sid| !sid.is_empty()),
        })
    }
}

/// What is for sale.
#[derive(Deserialize)]
pub(super) struct AvailablePage {
    pub(super) available_phone_numbers: Vec<Available>,
}

/// A number for sale.
#[derive(Deserialize)]
pub(super) struct Available {
    pub(super) phone_number: String,
    #[serde(default)]
    pub(super) locality: Option<String>,
    #[serde(default)]
    pub(super) region: Option<String>,
}

pub(super) fn e164(text: &str) -> Result<E164, MarketError> {
    E164::parse(text).map_err(|error| MarketError::Protocol { message: format!("a phone_number is none: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_and_other_text_is_no_error() {
        let body = br#"{"code": 21421, "message": "PhoneNumber is invalid",
            "more_info": "https://www.twilio.com/docs/errors/21421", "status": 400}"#;
        let told = complaint(body);
        assert_eq!((told.code.as_deref(), told.message.as_str()), (Some("21421"), "PhoneNumber is invalid"));
        assert!(!told.forbidden);
        assert!(complaint(br#"{"code": 20003, "message": "Permission Denied", "status": 403}"#).forbidden);
        assert_eq!(complaint(b"<html>"), Complaint::default());
    }

    #[test]
    fn a_number_that_cannot_be_addressed_is_refused() {
        for sid in ["", "PN/../..", "AC1", "PN1?x"] {
            let number = IncomingNumber {
                sid: sid.to_owned(),
                phone_number: "+14045550100".to_owned(),
                friendly_name: None,
                trunk_sid: None,
            };
            assert_eq!(number.owned().unwrap_err().reason(), "CarrierProtocol", "{sid}");
        }
    }
}
