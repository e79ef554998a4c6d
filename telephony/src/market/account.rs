//! A carrier account as its Secret describes it.

use reqwest::Url;
use secrecy::SecretString;

use super::{
    AvailableNumber, Fallback, Http, MarketError, NumberMarket, NumberSearch, OrderState, Ordered, OwnedNumber,
    PlacedOrder, Reference, Route,
};
use crate::carrier::CarrierKind;
use crate::e164::E164;
use crate::goto_connect::GotoConnectMarket;
use crate::telnyx::TelnyxMarket;
use crate::twilio::TwilioMarket;

/// The account of one agency with one carrier.
#[derive(Debug, Clone)]
pub enum Market {
    /// Twilio.
    Twilio(TwilioMarket),
    /// Telnyx.
    Telnyx(TelnyxMarket),
    /// GoTo Connect.
    GotoConnect(GotoConnectMarket),
}

/// Why a Secret is no account. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Numbers of this carrier are ordered elsewhere.
    #[error("a connection of type {} sells no numbers", .kind.as_str())]
    SellsNone {
        /// The carrier.
        kind: CarrierKind,
    },
    /// A key is missing or empty.
    #[error("the Secret needs the key {key:?} with text in it")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key has a value of the wrong form.
    #[error("the Secret's key {key:?} must be {form}")]
    Form {
        /// The key.
        key: &'static str,
        /// What it must be.
        form: &'static str,
    },
}

impl Market {
    /// The account whose Secret has these keys; `key` returns a key's text. Twilio: `account-sid`, and `api-key` with
    /// `api-secret`, or `auth-token`. Telnyx: `api-key`. GoTo Connect: `client-id`, `client-secret`, `refresh-token` and
    /// `account-key`. All: `endpoint`, the base URL of something that stands before the carrier; omitted: the carrier's own.
    ///
    /// # Errors
    /// [`CredentialsError`] names the key.
    pub fn from_secret(
        kind: CarrierKind,
        http: &Http,
        key: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        let key = |name: &str| key(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        match kind {
            CarrierKind::Twilio => TwilioMarket::from_secret(http.clone(), key).map(Self::Twilio),
            CarrierKind::Telnyx => TelnyxMarket::from_secret(http.clone(), key).map(Self::Telnyx),
            CarrierKind::GotoConnect => GotoConnectMarket::from_secret(http.clone(), key).map(Self::GotoConnect),
            CarrierKind::Sip => Err(CredentialsError::SellsNone { kind }),
        }
    }

    /// Which carrier.
    #[must_use]
    pub const fn kind(&self) -> CarrierKind {
        match self {
            Self::Twilio(_) => CarrierKind::Twilio,
            Self::Telnyx(_) => CarrierKind::Telnyx,
            Self::GotoConnect(_) => CarrierKind::GotoConnect,
        }
    }
}

/// A key that must be there.
pub(crate) fn required(
    key: &impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<SecretString, CredentialsError> {
    key(name).map(SecretString::from).ok_or(CredentialsError::Missing { key: name })
}

/// The base URL: the Secret's or the carrier's.
pub(crate) fn endpoint(
    key: &impl Fn(&str) -> Option<String>,
    carriers_own: &'static str,
) -> Result<Url, CredentialsError> {
    const KEY: &str = "endpoint";
    const FORM: &str = "an http(s) URL without user, query and fragment";
    let text = key(KEY);
    let url = Url::parse(text.as_deref().unwrap_or(carriers_own))
        .map_err(|_| CredentialsError::Form { key: KEY, form: FORM })?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
        Ok(url)
    } else {
        Err(CredentialsError::Form { key: KEY, form: FORM })
    }
}

/// Asks whichever carrier it is.
macro_rules! ask {
    ($self:ident, $($call:tt)+) => {
        match $self {
            Self::Twilio(market) => market.$($call)+.await,
            Self::Telnyx(market) => market.$($call)+.await,
            Self::GotoConnect(market) => market.$($call)+.await,
        }
    };
}

impl NumberMarket for Market {
    fn picks_numbers(&self) -> bool {
        match self {
            Self::Twilio(market) => market.picks_numbers(),
            Self::Telnyx(market) => market.picks_numbers(),
            Self::GotoConnect(market) => market.picks_numbers(),
        }
    }

    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        ask!(self, search(wanted, limit))
    }

    async fn order(&self, number: &E164, reference: &Reference) -> Result<Ordered, MarketError> {
        ask!(self, order(number, reference))
    }

    async fn order_in(&self, wanted: &NumberSearch) -> Result<Ordered, MarketError> {
        ask!(self, order_in(wanted))
    }

    async fn orders(&self) -> Result<Vec<PlacedOrder>, MarketError> {
        ask!(self, orders())
    }

    async fn order_state(&self, order_id: &str) -> Result<OrderState, MarketError> {
        ask!(self, order_state(order_id))
    }

    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        ask!(self, order_by_reference(reference))
    }

    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        ask!(self, find(number))
    }

    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        ask!(self, find_by_reference(reference))
    }

    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        ask!(self, route(number, route))
    }

    async fn fallback(&self, number: &OwnedNumber) -> Result<Fallback, MarketError> {
        ask!(self, fallback(number))
    }

    async fn set_fallback(&self, number: &OwnedNumber, to: Option<&E164>) -> Result<(), MarketError> {
        ask!(self, set_fallback(number, to))
    }

    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        ask!(self, release(number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000001";

    fn market(kind: CarrierKind, keys: &[(&str, &str)]) -> Result<Market, CredentialsError> {
        let keys: BTreeMap<&str, &str> = keys.iter().copied().collect();
        let http = Http::new(Http::TIMEOUT).unwrap();
        Market::from_secret(kind, &http, |key| keys.get(key).map(ToString::to_string))
    }

    #[test]
    fn a_secret_is_an_account_or_says_which_key_is_wrong() {
        use CarrierKind::{GotoConnect, Sip, Telnyx, Twilio};
        assert!(market(Twilio, &[("account-sid", ACCOUNT), ("api-key", "SK1"), ("api-secret", "s")]).is_ok());
        assert!(market(Twilio, &[("account-sid", ACCOUNT), ("auth-token", "t")]).is_ok());
        assert!(market(Telnyx, &[("api-key", "KEY1\n"), ("endpoint", "http://proxy:8080/telnyx/")]).is_ok());
        let client = [("client-id", "c"), ("client-secret", "s"), ("refresh-token", "r")];
        assert!(market(GotoConnect, &[&client[..], &[("account-key", "12345678")]].concat()).is_ok());
        for (kind, keys, expected) in [
            (Twilio, &[][..], "the Secret needs the key \"account-sid\" with text in it"),
            (
                Twilio,
                &[("account-sid", "SK1")],
                "the Secret's key \"account-sid\" must be AC and 32 hexadecimal digits",
            ),
            (Twilio, &[("account-sid", ACCOUNT)], "the Secret needs the key \"auth-token\" with text in it"),
            (
                Twilio,
                &[("account-sid", ACCOUNT), ("api-key", "SK1")],
                "the Secret needs the key \"api-secret\" with text in it",
            ),
            (Telnyx, &[("api-key", " ")], "the Secret needs the key \"api-key\" with text in it"),
            (
                Telnyx,
                &[("api-key", "KEY1"), ("endpoint", "https://user:pw@proxy")],
                "the Secret's key \"endpoint\" must be an http(s) URL without user, query and fragment",
            ),
            (GotoConnect, &client[..2], "the Secret needs the key \"refresh-token\" with text in it"),
            (GotoConnect, &client, "the Secret needs the key \"account-key\" with text in it"),
            (Sip, &[], "a connection of type sip sells no numbers"),
        ] {
            assert_eq!(market(kind, keys).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn keys_are_not_printed() {
        for (kind, keys) in [
            (CarrierKind::Twilio, vec![("account-sid", ACCOUNT), ("auth-token", "hush")]),
            (CarrierKind::Telnyx, vec![("api-key", "hush")]),
            (
                CarrierKind::GotoConnect,
                vec![("client-id", "c"), ("client-secret", "hush"), ("refresh-token", "hush"), ("account-key", "1")],
            ),
        ] {
            assert!(!format!("{:?}", market(kind, &keys).unwrap()).contains("hush"));
        }
    }
}
