//! GoTo's JSON. Unknown members are ignored: GoTo adds some without notice.

use serde::Deserialize;

use crate::e164::E164;
use crate::market::{AvailableNumber, MarketError, OwnedNumber, PlacedOrder};

/// A page of any list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<T>,
    #[serde(rename = "nextPageMarker", default)]
    pub(super) next: Option<String>,
}

/// A number of the account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneNumber {
    id: String,
    number: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    route_to: Option<Target>,
}

/// Where a number's calls go.
#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    id: Option<String>,
}

impl PhoneNumber {
    pub(super) fn owned(self) -> Result<OwnedNumber, MarketError> {
        Ok(OwnedNumber {
            number: e164(&self.number)?,
            carrier_id: identifier(self.id)?,
            reference: self.name.filter(|name| !name.is_empty()),
            route: self.route_to.and_then(|target| target.id).filter(|id| !id.is_empty()),
        })
    }
}

/// A number for sale.
#[derive(Deserialize)]
pub(super) struct Available {
    number: String,
    #[serde(default)]
    locality: Option<String>,
    #[serde(default)]
    region: Option<String>,
}

impl Available {
    pub(super) fn number(self) -> Result<AvailableNumber, MarketError> {
        Ok(AvailableNumber { number: e164(&self.number)?, locality: self.locality, region: self.region })
    }
}

/// An order of a number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    id: String,
    #[serde(default)]
    area_code: Option<String>,
    #[serde(default)]
    pub(super) status: OrderStatus,
    /// The number that GoTo picked, once it has.
    #[serde(default)]
    number: Option<String>,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum OrderStatus {
    /// The number is in the account.
    Completed,
    /// There will be no number.
    Failed,
    /// Everything else, words included that we do not know: whoever waits buys nothing twice.
    #[default]
    #[serde(other)]
    Pending,
}

impl Order {
    pub(super) fn number(&self) -> Result<Option<E164>, MarketError> {
        self.number.as_deref().map(e164).transpose()
    }

    pub(super) fn checked_id(self) -> Result<String, MarketError> {
        identifier(self.id)
    }

    pub(super) fn placed(self) -> Result<PlacedOrder, MarketError> {
        Ok(PlacedOrder { area_code: self.area_code.clone(), id: self.checked_id()? })
    }
}

/// The account: <https://developer.goto.com/GoToConnect>, Get Account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its key.
    #[serde(rename = "key", alias = "accountKey", default)]
    pub key: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
}

/// A line: what numbers are assigned to. Its calls ring devices, or go where its forwarding says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// The extension number that is dialled inside the account.
    #[serde(default)]
    pub number: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
}

fn e164(text: &str) -> Result<E164, MarketError> {
    E164::parse(text).map_err(|error| MarketError::Protocol { message: format!("a number is none: {error}") })
}

/// Ids become parts of addresses.
pub(super) fn identifier(text: String) -> Result<String, MarketError> {
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
    fn a_number_as_the_guide_shows_it() {
        let body = r#"{"id": "358e38be-e468-11eb-1a03-0842ac140103", "accountKey": "12345678", "number": "+15145552672",
            "name": "Reception", "callerIdName": "Reception", "routeTo": {"id": "744244a8", "type": "EXTENSION"}}"#;
        let owned = serde_json::from_str::<PhoneNumber>(body).unwrap().owned().unwrap();
        assert_eq!(owned.carrier_id, "358e38be-e468-11eb-1a03-0842ac140103");
        assert_eq!(owned.route.as_deref(), Some("744244a8"));
    }

    #[test]
    fn an_unknown_state_of_an_order_is_waited_for() {
        for (status, expected) in [
            (r#""COMPLETED""#, OrderStatus::Completed),
            (r#""FAILED""#, OrderStatus::Failed),
            (r#""PENDING""#, OrderStatus::Pending),
            (r#""ON_HOLD""#, OrderStatus::Pending),
        ] {
            let order: Order = serde_json::from_str(&format!(r#"{{"id": "1", "status": {status}}}"#)).unwrap();
            assert_eq!(order.status, expected, "{status}");
        }
        assert_eq!(serde_json::from_str::<Order>(r#"{"id": "1"}"#).unwrap().status, OrderStatus::Pending);
    }

    #[test]
    fn ids_that_would_change_an_address_are_refused() {
        for id in ["", "..", "a/b", "a?b", "a b"] {
            assert!(identifier(id.to_owned()).is_err(), "{id}");
        }
    }
}
